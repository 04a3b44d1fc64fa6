"""``coordinator quotas``, as an operator types it, against a running service."""

import json
from collections.abc import Callable

import pytest
from click.testing import Result

from coordinator.cli.quotas import parse_size
from coordinator.domain.access import Role, Scope
from tests.sdk.installation import Installation, key_in, runner

Run = Callable[..., Result]


@pytest.fixture
def run(installation: Installation) -> Run:
    """Return a function that runs ``quotas`` with the key of the installation's admin."""
    key = key_in(
        installation,
        tenant="installation",
        user="root",
        roles=(Role.ADMIN,),
        scopes=(Scope.EVERY_TENANT,),
    )
    return runner(installation, key, "quotas")


def test_what_is_set_is_shown_and_the_rest_stays(run: Run) -> None:
    """Sizes are typed as people write them; `none` takes a limit back."""
    tenant = ("--tenant", "a-tenant")
    first = run("set", *tenant, "--stored-bytes", "2TiB", "--bytes-a-day", "500GB")
    second = run(
        *("set", *tenant, "--open-uploads", "50", "--bytes-a-day", "none"),
        *("--file-type", "text/*", "--file-type", "image/png", "--type-check", "refuse"),
    )
    shown = run("show", *tenant)
    told = json.loads(run("show", *tenant, "--json").output)

    assert [each.exit_code for each in (first, second, shown)] == [0, 0, 0]
    assert told["tenant"] == "a-tenant"
    assert told["own"] == {
        "openUploads": 50,
        "bytesADay": None,
        "storedBytes": 2 * 1024**4,
        "largestFile": None,
        "chunksASecond": None,
        "fileTypes": ["text/*", "image/png"],
        "typeCheck": "refuse",
    }
    for words in ("tenant a-tenant", "2.2 TB (2199023255552)", "text/*, image/png", "no limit"):
        assert words in shown.output


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("set", "--stored-bytes", "much"), 2, "'much' is no size"),
        (("set", "--open-uploads", "-1"), 2, "is no number"),
        (("set", "--file-type", "text"), 1, "invalid-field"),
        (("show", "--tenant", "a/b"), 1, "Letters, digits"),
    ],
)
def test_what_means_nothing_is_refused(
    run: Run, *, arguments: tuple[str, ...], code: int, says: str
) -> None:
    """In words, and with a code for scripts."""
    result = run(*arguments)

    assert (result.exit_code, says in result.output) == (code, True), result.output


@pytest.mark.parametrize("text", ["", "GB", "1,5GB", "-1", "1e3", "9223372036854775808", "9PB9"])
def test_what_is_no_size_is_none(text: str) -> None:
    """A wrong guess would be a wrong quota."""
    with pytest.raises(ValueError, match=r"size|large"):
        parse_size(text)
