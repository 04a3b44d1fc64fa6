"""`coordinator policy`, as an operator types it: nothing but settings is needed."""

import json
from collections.abc import Callable
from typing import Final

import pytest
from click.testing import CliRunner, Result

from coordinator.cli import main

_ROLE: Final = "arn:aws-cn:iam::111122223333:role/team/coordinator"
_SETTINGS: Final = {
    "COORDINATOR_DATABASE_URL": "postgresql://nowhere",
    "COORDINATOR_REDIS_URL": "redis://nowhere",
    "COORDINATOR_S3_BUCKET": "data",
    "COORDINATOR_SECRET": "s" * 32,
    "COORDINATOR_CORS_ORIGINS": "https://page.example",
}

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs the command with settings, changed or not."""
    for name in _SETTINGS:
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, **changes: str) -> Result:
        return CliRunner().invoke(main, ["policy", *arguments], env={**_SETTINGS, **changes})

    return run


def test_one_document_is_what_aws_commands_take(run: Run) -> None:
    """By itself, with the options' values in it and the settings' lifetimes."""
    changes = {"COORDINATOR_URL_LIFETIME_SECONDS": "600"}
    options = ("--principal", _ROLE, "--account", "111122223333", "--vpce", "vpce-0123456789")

    printed = run("--for", "bucket", *options, **changes)
    service = run("--for", "service", "--principal", _ROLE)

    assert (printed.exit_code, printed.stderr) == (0, "")
    conditions = {
        statement["Sid"]: statement["Condition"]
        for statement in json.loads(printed.stdout)["Statement"]
    }
    assert conditions["FreshUrls"] == {"NumericGreaterThan": {"s3:signatureAge": "660000"}}
    assert conditions["OwnPrincipals"] == {"ArnNotEquals": {"aws:PrincipalArn": [_ROLE]}}
    assert conditions["OwnAccount"] == {"StringNotEquals": {"aws:PrincipalAccount": "111122223333"}}
    assert conditions["OwnEndpoints"]["StringNotEquals"] == {"aws:SourceVpce": ["vpce-0123456789"]}
    [first, *_] = json.loads(service.stdout)["Statement"]
    assert first["Resource"] == "arn:aws-cn:s3:::data/datasets/*"


@pytest.mark.parametrize(
    ("arguments", "changes", "told"),
    [
        (["--principal", "arn:aws:sts::111122223333:assumed-role/a/b"], {}, "role or user"),
        (["--principal", "*"], {}, "role or user"),
        (["--account", "1"], {}, "12 digits"),
        (["--vpce", "vpc-1"], {}, "vpce-"),
        (["--kms-key", "alias/a"], {}, "KMS key"),
        (
            ["--for", "cors"],
            {"COORDINATOR_CORS_ORIGINS": "", "COORDINATOR_HOST": "0.0.0.0"},
            "No page is known",
        ),
        ([], {"COORDINATOR_S3_BUCKET": "data*"}, "not a bucket's name"),
    ],
)
def test_what_would_not_work_is_refused(
    run: Run, arguments: list[str], changes: dict[str, str], told: str
) -> None:
    """AWS would take some of it, and lock everybody out."""
    refused = run(*arguments, **changes)

    assert refused.exit_code == 2
    assert told in refused.stderr
    assert refused.stdout == ""


def test_who_leaves_the_door_open_is_told(run: Run) -> None:
    """On stderr: stdout goes into a file."""
    printed = run("--for", "bucket")

    assert "--principal" in printed.stderr
    assert json.loads(printed.stdout)["Version"] == "2012-10-17"
