"""Settings: what an operator gets wrong is named, and what run.env says is what shells get."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.env_files import env_file, read_env_file
from coordinator.settings import (
    CLIENT_VARIABLES,
    PREFIX,
    Settings,
    SettingsError,
    check_names,
    read,
)

SECRET: Final = "a secret that nobody may see, 0123456789"
NEEDED: Final = {
    "COORDINATOR_DATABASE_URL": "postgresql://u:p@localhost/d",
    "COORDINATOR_REDIS_URL": "redis://localhost",
    "COORDINATOR_S3_BUCKET": "datasets",
    "COORDINATOR_SECRET": SECRET,
}


def test_the_four_that_have_no_default_suffice() -> None:
    """Everything else has a default that works."""
    assert read({**NEEDED, "PATH": "/bin", "AWS_REGION": "eu-central-1"}) == Settings(
        database_url="postgresql://u:p@localhost/d",
        redis_url="redis://localhost",
        s3_bucket="datasets",
        secret=SECRET,
    )


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_a_missing_setting_is_named_as_the_operator_knows_it(name: str) -> None:
    """The variable, not the field."""
    environ = {each: value for each, value in NEEDED.items() if each != name}

    with pytest.raises(SettingsError, match=rf"^Missing setting {name}\.$"):
        read(environ)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("COORDINATOR_DATABSE_URL", "COORDINATOR_DATABASE_URL"),
        ("COORDINATOR_S3_ENDPIONT", "COORDINATOR_S3_ENDPOINT"),
        ("COORDINATOR_LEASE_SECOND", "COORDINATOR_LEASE_SECONDS"),
        ("COORDINATOR_APIKEY", "COORDINATOR_API_KEY"),
        ("COORDINATOR_Port", "COORDINATOR_PORT"),
    ],
)
def test_an_unknown_variable_is_refused_and_the_nearest_is_named(name: str, nearest: str) -> None:
    """A typing mistake must not mean the default, silently. Case counts, as it does for shells."""
    with pytest.raises(
        SettingsError, match=rf"^{name} is not a setting\. Did you mean {nearest}\?"
    ):
        check_names({**NEEDED, name: "1"})
    with pytest.raises(SettingsError, match=name):
        read({**NEEDED, name: "1"})


def test_a_variable_that_resembles_nothing_is_refused_without_a_guess() -> None:
    """A wrong guess is worse than none."""
    with pytest.raises(SettingsError) as refusal:
        check_names({"COORDINATOR_QQQQ": "1"})

    assert str(refusal.value) == ("COORDINATOR_QQQQ is not a setting. docs/settings.md lists them.")


def test_variables_of_clients_are_known_everywhere() -> None:
    """One run.env serves service, worker and clients."""
    clients = {PREFIX + name.upper(): "x" for name in CLIENT_VARIABLES}

    assert set(clients) == {"COORDINATOR_URL", "COORDINATOR_API_KEY", "COORDINATOR_HOME"}
    assert read({**NEEDED, **clients}) == read(NEEDED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "http"),
        ("PORT", ""),
        ("PORT", "1.5"),
        ("POOL_SIZE", "0"),
        ("WORKER_CONCURRENCY", "0"),
        ("LEASE_SECONDS", "0"),
        ("URL_LIFETIME_SECONDS", "604801"),
        ("MIN_CHUNK_BYTES", "0"),
        ("LOG_LEVEL", "loud"),
        ("S3_ADDRESSING", "both"),
        ("S3_BUCKET", "ab"),
        ("S3_PREFIX", ""),
        ("S3_PREFIX", "a/b"),
        ("S3_PREFIX", ".."),
        ("S3_PREFIX", "datasets\n"),
        ("SECRET", "short"),
    ],
)
def test_a_value_out_of_its_range_is_refused_by_the_variables_name(name: str, value: str) -> None:
    """At the start, not at the first request; what a secret is does not get into the message."""
    with pytest.raises(SettingsError, match=rf"{PREFIX}{name}\b") as refusal:
        read({**NEEDED, PREFIX + name: value})

    assert SECRET not in str(refusal.value)
    assert "short" not in str(refusal.value)


@pytest.mark.parametrize(("lease", "deadline"), [("90", "90"), ("60", "90"), ("90", "91")])
def test_the_lease_must_outlast_the_call_that_it_protects(lease: str, deadline: str) -> None:
    """Else two attempts could complete at once."""
    environ = {
        **NEEDED,
        "COORDINATOR_LEASE_SECONDS": lease,
        "COORDINATOR_S3_DEADLINE_SECONDS": deadline,
    }

    with pytest.raises(SettingsError, match="S3_DEADLINE_SECONDS must be less than"):
        read(environ)


def test_addressing_follows_the_endpoint_unless_it_is_set() -> None:
    """AWS wants the bucket in the host; stand-ins on an address cannot do that."""
    endpoint = {**NEEDED, "COORDINATOR_S3_ENDPOINT": "http://127.0.0.1:9000"}

    assert not read(NEEDED).uses_path_addressing
    assert read(endpoint).uses_path_addressing
    assert not read({**endpoint, "COORDINATOR_S3_ADDRESSING": "virtual"}).uses_path_addressing
    assert read({**NEEDED, "COORDINATOR_S3_ADDRESSING": "path"}).uses_path_addressing


def test_origins_are_a_list_without_blanks() -> None:
    """An empty entry would be an origin that nobody has."""
    environ = {**NEEDED, "COORDINATOR_CORS_ORIGINS": " https://a.example ,, https://b.example,"}

    assert read(environ).origins == ["https://a.example", "https://b.example"]
    assert read(NEEDED).origins == []


AWKWARD: Final = (
    "0123456789abcdef",
    "postgresql://user:pass@127.0.0.1:5432/db?sslmode=disable&application_name=x",
    "redis://:pass@127.0.0.1:6379/0",
    "https://a.example, https://b.example",
    "/home/a user's/.local",
    "a#b",
    "$HOME `id` $(id) !! *",
    'double " quote',
    "back\\slash",
    "semi;colon|pipe>file<file&",
    "two\nlines",
    "~",
    "",
    "a=b",
    "Ünï 数据",
)


def test_a_shell_reads_run_env_as_it_was_meant(tmp_path: Path) -> None:
    """``set -a; . run.env`` must neither run a part of a value nor lose one."""
    values = {f"COORDINATOR_{number}": value for number, value in enumerate(AWKWARD)}
    path = tmp_path / "run.env"
    path.write_text(env_file(values), encoding="utf-8")
    show = "import json, os; print(json.dumps(dict(os.environ)))"

    script = 'set -a; . "$1"; set +a; exec "$2" -c "$3"'
    shell = subprocess.run(
        ["/bin/sh", "-euc", script, "sh", path, sys.executable, show],
        env={"LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=True,
    )

    seen = json.loads(shell.stdout)
    assert {name: seen.get(name) for name in values} == values
    assert shell.stderr == b""


@settings(deadline=None, max_examples=50)
@given(
    st.dictionaries(
        st.from_regex(r"COORDINATOR_[A-Z_]{1,9}", fullmatch=True),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])).filter(
            lambda value: "\n#" not in value and "\r" not in value
        ),
    )
)
def test_run_env_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, str]
) -> None:
    """Tests and tools read it without a shell."""
    path = tmp_path_factory.getbasetemp() / "read-back.env"
    path.write_text(env_file(values), encoding="utf-8")

    assert read_env_file(path) == values


def test_comments_and_blank_lines_are_no_values(tmp_path: Path) -> None:
    """.env.example is read the same way, its quotes in comments too."""
    path = tmp_path / ".env"
    path.write_text("# it's\n\nA=1\n#B=2\nC=redis://:p#w@h\n", encoding="utf-8")

    assert read_env_file(path) == {"A": "1", "C": "redis://:p#w@h"}
