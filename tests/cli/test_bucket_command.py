"""`coordinator bucket cors`, as an operator types it: what is wrong is said before S3 is asked."""

import json
from collections.abc import Callable
from typing import Final

import pytest
from click.testing import CliRunner, Result

from coordinator.cli import main

_SETTINGS: Final = {
    "COORDINATOR_DATABASE_URL": "postgresql://nowhere",
    "COORDINATOR_REDIS_URL": "redis://nowhere",
    "COORDINATOR_S3_BUCKET": "data",
    "COORDINATOR_S3_ENDPOINT": "http://127.0.0.1:1",
    "COORDINATOR_SECRET": "s" * 32,
    "AWS_ACCESS_KEY_ID": "any",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_REGION": "us-east-1",
}

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs the command with settings, changed or not."""
    for name in _SETTINGS:
        monkeypatch.delenv(name, raising=False)
    # The command sets botocore's older name for it.
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    def run(*arguments: str, **changes: str) -> Result:
        return CliRunner().invoke(main, ["bucket", "cors", *arguments], env=_SETTINGS | changes)

    return run


@pytest.mark.parametrize(
    ("arguments", "changes", "told"),
    [
        (["--origin", "*"], {}, "named one by one"),
        (["--origin", "https://page.example/"], {}, "more than scheme, host and port"),
        (["--origin", "http://page.example"], {}, "use https"),
        ([], {"COORDINATOR_HOST": "0.0.0.0"}, "COORDINATOR_PUBLIC_URL"),
    ],
)
def test_what_would_let_in_nobody_or_anybody_is_refused(
    run: Run, arguments: list[str], changes: dict[str, str], told: str
) -> None:
    """Browsers send an origin in one spelling; a service of which nothing is known has no page."""
    refused = run(*arguments, **changes)

    assert refused.exit_code == 2
    assert told in refused.stderr
    assert refused.stdout == ""


@pytest.mark.parametrize("option", ["--dry-run", "--json"])
def test_an_s3_that_does_not_answer_is_said(run: Run, option: str) -> None:
    """And that nothing is known to be written; no traceback, no key."""
    failed = run(option)

    assert failed.exit_code == 1
    assert "S3 gave no answer" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert failed.stdout == ""


def test_policy_prints_the_same_rule() -> None:
    """What is applied by hand and what the command writes must not differ."""
    env = _SETTINGS | {"COORDINATOR_PUBLIC_URL": "https://Uploads.example:443/"}
    printed = CliRunner().invoke(main, ["policy", "--for", "cors"], env=env)

    [rule] = json.loads(printed.stdout)["CORSRules"]
    assert rule == {
        "ID": "datasets-pages",
        "AllowedOrigins": ["https://uploads.example"],
        "AllowedMethods": ["PUT", "GET"],
        "AllowedHeaders": [
            "content-type",
            "x-amz-checksum-sha256",
            "x-amz-sdk-checksum-algorithm",
        ],
        "ExposeHeaders": ["ETag", "x-amz-checksum-sha256"],
        "MaxAgeSeconds": 3600,
    }
