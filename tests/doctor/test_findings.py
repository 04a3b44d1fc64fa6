"""`coordinator doctor`, as an operator runs it, says what s3-facts.md says of each server."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import uuid4

import msgspec
import pytest
from anyio import to_thread
from click.testing import CliRunner

from coordinator.cli import main
from coordinator.domain.capabilities import Check
from coordinator.domain.names import marker_key
from coordinator.embedded import bucket as buckets
from tests.localstack import S3Address

_PAGE: Final = "https://page.example"
_OWN: Final = "https://uploads.example"
_ELSEWHERE: Final = {
    "s3-answers": "ok",
    "abort-rule": "ok",
    "prefix": "ok",
    f"cors {_PAGE}": "ok",
    f"cors {_OWN}": "ok",
    "cors-foreign-origin": "ok",
    "s3:PutObject": "ok",
    "s3:GetObject": "ok",
    "s3:DeleteObject": "ok",
    "s3:AbortMultipartUpload": "ok",
    "s3:ListMultipartUploadParts": "ok",
    "s3:ListBucketMultipartUploads": "ok",
    "s3:ListBucket": "ok",
    "s3:ListBucketVersions": "ok",
    "s3:DeleteObjectVersion": "ok",
    "s3:PutObjectTagging": "ok",
    "s3:GetObjectAttributes": "ok",
    "s3:GetBucketCORS": "ok",
    "s3:GetLifecycleConfiguration": "ok",
    "clock-s3": "ok",
    "clock-postgres": "ok",
    "postgres-answers": "ok",
    "postgres-version": "ok",
    "migrations": "ok",
    "audit-role": "lacking",  # tests run as the owner
    "redis-answers": "ok",
    "redis-version": "ok",
    "redis-eviction": "ok",
    "redis-persistence": "ok",
}
# Of two at once LocalStack may happen to finish one before it looks at the other.
_BY_LUCK: Final = "concurrent-completes"

# The table of s3-facts.md.
_NOT_ENFORCED: Final[Mapping[str, Mapping[str, str]]] = {
    "seaweedfs": {
        "part-without-checksum": "lacking",
        "object-size-at-complete": "lacking",
        "listed-digests": "lacking",
        "attributes": "lacking",
    },
    "localstack": {"repeated-complete": "lacking", _BY_LUCK: "lacking"},
    "moto": {
        "tampered-url": "lacking !",
        "expired-url": "lacking !",
        "other-part": "lacking !",
        "wrong-length": "lacking",
        "wrong-bytes": "lacking",
        "header-left-out": "lacking !",
        "part-without-checksum": "lacking",
        "part-digest-at-complete": "lacking",
        "object-size-at-complete": "lacking",
        "composite-at-complete": "lacking",
        "composite-checksum": "lacking",
        "listed-digests": "lacking",
        "attributes": "lacking",
    },
}


def results(table: str) -> dict[str, str]:
    """Read the rows of the printed table: name to result."""
    return dict(re.findall(r"^  (\S.*?)  +((?:ok|lacking|unknown)(?: !)?)  ", table, re.MULTILINE))


@pytest.fixture
def strict_bucket(s3_server: S3Address) -> Iterator[str]:
    """A bucket of the test's own that lets pages of one origin in."""
    name = f"doctor-{uuid4().hex}"
    s3 = buckets.client(
        s3_server.s3_endpoint, access_key=s3_server.access_key, secret_key=s3_server.secret_key
    )
    buckets.prepare(s3, name, cors_origins=(_PAGE, _OWN))
    yield name
    left = [each["Key"] for each in s3.list_objects_v2(Bucket=name).get("Contents", [])]
    left += [each["Key"] for each in s3.list_multipart_uploads(Bucket=name).get("Uploads", [])]
    s3.close()
    assert left == [], "the probe cleans up"


@pytest.mark.parametrize("s3_server", sorted(_NOT_ENFORCED), indirect=True)
async def test_it_prints_what_each_server_does_not_enforce(
    request: pytest.FixtureRequest,
    environ: dict[str, str],
    s3_server: S3Address,
    strict_bucket: str,
) -> None:
    """Row by row; nothing that is secret, and nothing is left in the bucket."""
    server = request.node.callspec.params["s3_server"]

    ran = await to_thread.run_sync(
        lambda: subprocess.run(
            [sys.executable, "-m", "coordinator", "doctor"],
            env={
                **os.environ,
                **environ,
                "COORDINATOR_S3_BUCKET": strict_bucket,
                "COORDINATOR_CORS_ORIGINS": _PAGE,
                "COORDINATOR_PUBLIC_URL": _OWN,
                "COLUMNS": "110",
            },
            capture_output=True,
            text=True,
            check=False,
        )
    )

    enforced = {check.value: "ok" for check in Check}
    expected = {**enforced, **_ELSEWHERE, **_NOT_ENFORCED[server]}
    found = results(ran.stdout)
    if expected[_BY_LUCK] == "lacking":
        assert found.pop(_BY_LUCK) in {expected.pop(_BY_LUCK), "ok"}
    assert found == expected, ran.stderr
    assert ran.returncode == (1 if server == "moto" else 0)
    for secret in (
        *(s3_server.access_key, s3_server.secret_key, s3_server.s3_endpoint, "X-Amz"),
        *(environ["COORDINATOR_DATABASE_URL"], environ["COORDINATOR_REDIS_URL"], "secret of"),
    ):
        shown = ran.stdout + ran.stderr
        assert secret not in shown or secret == "test", "LocalStack's and moto's key is a word"


async def doctor(environ: Mapping[str, str], **changes: str) -> tuple[int, dict[str, Any]]:
    """Run the command with ``--json`` and return its exit code and its lines by name."""
    ran = await to_thread.run_sync(
        lambda: CliRunner().invoke(main, ["doctor", "--json"], env={**environ, **changes})
    )
    report = msgspec.json.decode(ran.stdout)
    assert report["starts"] == (ran.exit_code == 0)
    return ran.exit_code, {line.pop("name"): line for line in report["lines"]}


@pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)
async def test_json_says_of_every_line_what_it_means_and_what_to_do(
    environ: dict[str, str], s3_server: S3Address
) -> None:
    """For scripts, the same.

    Here the bucket lets every page in, its rule removes chunks of uploads that are still open, and
    the prefix is another installation's.
    """
    prefix = f"doctor-{uuid4().hex}"
    s3 = buckets.client(
        s3_server.s3_endpoint, access_key=s3_server.access_key, secret_key=s3_server.secret_key
    )
    marker = msgspec.json.encode({"installation": uuid4()})
    s3.put_object(Bucket=s3_server.s3_bucket, Key=marker_key(prefix), Body=marker)
    s3.close()

    code, lines = await doctor(
        environ,
        COORDINATOR_S3_PREFIX=prefix,
        COORDINATOR_SESSION_LIFETIME_SECONDS=str(10 * 86_400),
    )

    assert code == 1
    assert [name for name, line in lines.items() if line["stops"]] == ["abort-rule", "prefix"]
    assert lines["abort-rule"]["do"].startswith("Let the lifecycle rule wait for 12 days")
    assert lines["cors-foreign-origin"]["result"] == "lacking"
    assert lines["object-size-at-complete"] == {
        "group": "s3",
        "result": "lacking",
        "means": "S3 assembles an object of any size. "
        "Completion reads and compares the sizes of all parts itself, before.",
        "do": "Nothing; uploads are as safe as elsewhere.",
        "stops": False,
    }
    silent = [
        name
        for name, line in lines.items()
        if not line["means"] or (line["result"] != "ok" and not line["do"])
    ]
    assert silent == []


@pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)
@pytest.mark.parametrize(
    ("changes", "code", "away", "examined"),
    [
        (
            {"S3_ENDPOINT": "http://127.0.0.1:1"},
            1,
            ["s3-answers"],
            ["migrations", "redis-version"],
        ),
        (
            {"DATABASE_URL": "postgresql://u:p@127.0.0.1:1/d"},
            1,
            ["postgres-answers"],
            ["tampered-url", "redis-version"],
        ),
        # Without Redis the service starts all the same.
        (
            {"REDIS_URL": "redis://127.0.0.1:1"},
            0,
            ["redis-answers"],
            ["tampered-url", "migrations"],
        ),
    ],
    ids=["s3", "postgres", "redis"],
)
async def test_a_store_that_is_away_is_said_and_the_others_are_examined(
    environ: dict[str, str],
    changes: dict[str, str],
    code: int,
    away: list[str],
    examined: list[str],
) -> None:
    """An operator sees all that is wrong at once."""
    found, lines = await doctor(
        environ, **{f"COORDINATOR_{name}": value for name, value in changes.items()}
    )

    silent = [name for name, line in lines.items() if name.endswith("-answers")]
    assert [name for name in silent if lines[name]["result"] == "lacking"] == away
    assert [lines[name]["result"] for name in examined] == ["ok", "ok"]
    assert found == code


@pytest.mark.parametrize("s3_server", ["localstack"], indirect=True)
async def test_where_the_bucket_is_encrypted_by_kms_its_actions_are_examined_too(
    environ: dict[str, str], s3_server: S3Address, strict_bucket: str
) -> None:
    """Elsewhere they would only confuse."""
    s3 = buckets.client(
        s3_server.s3_endpoint, access_key=s3_server.access_key, secret_key=s3_server.secret_key
    )
    rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": f"arn:aws:kms:us-east-1:0:key/{uuid4()}"}
    s3.put_bucket_encryption(
        Bucket=strict_bucket,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": rule}]},
    )
    s3.close()

    _, lines = await doctor(environ, COORDINATOR_S3_BUCKET=strict_bucket)

    kms = {name: line["result"] for name, line in lines.items() if name.startswith("kms:")}
    assert kms == {"kms:GenerateDataKey": "ok", "kms:Decrypt": "ok"}
