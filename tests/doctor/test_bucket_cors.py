"""What `coordinator bucket cors` writes, each server takes, and the doctor is content with it."""

import json
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError
from typing_extensions import override

from tests.doctor.conftest import Run, RunOnBucket
from tests.forwarding import Answer, Forwarding, Request, passing_to, serving
from tests.localstack import S3Address

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs", "localstack"], indirect=True)

_PAGE: Final = "https://page.example"
_OWN: Final = "https://uploads.example"
_FOREIGN: Final = {
    "ID": "somebody-elses",
    "AllowedOrigins": ["https://other.example"],
    "AllowedMethods": ["GET"],
    "AllowedHeaders": ["x-theirs"],
    "MaxAgeSeconds": 60,
}


@pytest.fixture
def run(run_on_bucket: RunOnBucket) -> Run:
    """Return a function that runs a command on the bucket."""
    return run_on_bucket(COORDINATOR_CORS_ORIGINS=_PAGE, COORDINATOR_PUBLIC_URL=f"{_OWN}/")


def _rules(s3: Any, bucket: str) -> list[dict[str, Any]]:
    try:
        rules: list[dict[str, Any]] = s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
    except ClientError as exc:
        if exc.response["Error"]["Code"] != "NoSuchCORSConfiguration":
            raise
        return []
    return rules


def _origins(rules: list[dict[str, Any]]) -> list[tuple[Any, list[str]]]:
    return [(rule.get("ID"), rule["AllowedOrigins"]) for rule in rules]


async def _doctor(run: Run, **changes: str) -> dict[str, dict[str, Any]]:
    ran = await run("doctor", "--json", **changes)
    return {
        line["name"]: line
        for line in json.loads(ran.stdout)["lines"]
        if line["group"] == "browsers"
    }


async def test_the_doctor_asks_for_it_and_is_content_afterwards(
    run: Run, s3: Any, bucket: str
) -> None:
    """Of the service's own pages as of others; nobody else is let in."""
    before = await _doctor(run)
    written = await run("bucket", "cors")
    after = await _doctor(run)

    lines = [f"cors {_OWN}", f"cors {_PAGE}", "cors-foreign-origin"]
    assert list(before) == list(after) == lines
    # Of the rest of the world SeaweedFS says nothing better before it has a rule.
    assert [before[name]["result"] for name in lines[:2]] == ["lacking", "lacking"]
    assert "coordinator bucket cors" in before[lines[0]]["do"]
    assert [after[name]["result"] for name in lines] == ["ok", "ok", "ok"]
    assert (written.exit_code, written.stderr) == (0, "")
    assert written.stdout.startswith("datasets-pages: written")
    [rule] = _rules(s3, bucket)
    assert rule["AllowedOrigins"] == [_OWN, _PAGE]
    assert rule["AllowedMethods"] == ["PUT", "GET"]


async def test_rules_of_others_stay_and_ours_is_replaced(run: Run, s3: Any, bucket: str) -> None:
    """Whatever it let in before; written once more, nothing changes."""
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [_FOREIGN]})

    first = await run("bucket", "cors", "--origin", "https://old.example")
    second = await run("bucket", "cors")
    third = await run("bucket", "cors", "--json")

    rules = _rules(s3, bucket)
    assert [ran.exit_code for ran in (first, second, third)] == [0, 0, 0]
    assert _origins(rules) == [
        ("datasets-pages", [_OWN, _PAGE]),
        ("somebody-elses", ["https://other.example"]),
    ]
    assert {name: rules[1][name] for name in _FOREIGN} == _FOREIGN
    assert "somebody-elses: stays; lets in https://other.example" in second.stdout
    told = json.loads(third.stdout)
    assert {name: told[name] for name in ("bucket", "dryRun", "isNeeded", "isChanged")} == {
        "bucket": bucket,
        "dryRun": False,
        "isNeeded": False,
        "isChanged": False,
    }
    assert told["rule"]["AllowedOrigins"] == [_OWN, _PAGE]
    assert [rule["ID"] for rule in told["foreignRules"]] == ["somebody-elses"]


async def test_a_dry_run_writes_nothing(run: Run, s3: Any, bucket: str) -> None:
    """And says what it would write."""
    shown = await run("bucket", "cors", "--dry-run")
    told = json.loads((await run("bucket", "cors", "--dry-run", "--json")).stdout)

    assert shown.stdout.startswith("datasets-pages: would be written")
    assert (told["isNeeded"], told["isChanged"], told["dryRun"]) == (True, False, True)
    assert _rules(s3, bucket) == []


async def test_a_bucket_that_is_not_there_is_named(run: Run) -> None:
    """With the setting that names it."""
    refused = await run("bucket", "cors", COORDINATOR_S3_BUCKET="nowhere-at-all")

    assert refused.exit_code == 1
    assert "NoSuchBucket" in refused.stderr
    assert "COORDINATOR_S3_BUCKET" in refused.stderr


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (403, "AccessDenied", "s3:PutBucketCORS"),
        (501, "NotImplemented", "no CORS rules of a bucket's own"),
        (405, "MethodNotAllowed", "no CORS rules of a bucket's own"),
    ],
)
async def test_a_server_that_refuses_is_understood(
    run: Run, s3_server: S3Address, s3: Any, bucket: str, *, status: int, code: str, told: str
) -> None:
    """Who may do it, or that this server cannot; nothing is written, and no key is shown."""
    pass_on = passing_to(s3_server.s3_endpoint)
    body = f"<Error><Code>{code}</Code><Message>of {s3_server.access_key}</Message></Error>"

    class Refusing(Forwarding):
        @override
        def meet(self, request: Request) -> None:
            if request.method == "PUT" and "cors" in request.query:
                self.answer(Answer(status, {"Content-Type": "application/xml"}, body.encode()))
            else:
                self.answer(pass_on(request))

    with serving(Refusing) as endpoint:
        refused = await run("bucket", "cors", COORDINATOR_S3_ENDPOINT=endpoint)

    assert refused.exit_code == 1
    assert f"S3 refuses PutBucketCors ({code}); nothing was written" in refused.stderr
    assert told in refused.stderr
    assert f"of {s3_server.access_key}" not in refused.stderr
    assert _rules(s3, bucket) == []


async def test_where_pages_come_from_must_be_known_and_safe(run: Run) -> None:
    """A page that came by http cannot hash; of an address that nobody named nothing is known."""
    unknown = await _doctor(run, COORDINATOR_PUBLIC_URL="", COORDINATOR_HOST="0.0.0.0")
    unsafe = await _doctor(run, COORDINATOR_PUBLIC_URL="http://uploads.example")

    assert unknown["own-pages"]["result"] == "unknown"
    assert "COORDINATOR_PUBLIC_URL" in unknown["own-pages"]["do"]
    assert unsafe["own-pages"]["result"] == "lacking"
    assert "use https" in unsafe["own-pages"]["means"]
