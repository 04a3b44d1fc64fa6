"""What `coordinator policy` prints is taken by an S3 server, and the doctor is content with it."""

import json
from typing import Any, Final

import pytest

from tests.doctor.conftest import Run, RunOnBucket

pytestmark = pytest.mark.parametrize("s3_server", ["localstack"], indirect=True)

_PAGE: Final = "https://page.example"
_ROLE: Final = "arn:aws:iam::111122223333:role/coordinator"


@pytest.fixture
def run(run_on_bucket: RunOnBucket) -> Run:
    """Return a function that runs a command on the bucket."""
    return run_on_bucket(COORDINATOR_CORS_ORIGINS=_PAGE)


async def _lines(run: Run) -> dict[str, str]:
    ran = await run("doctor", "--json")
    return {line["name"]: line["result"] for line in json.loads(ran.stdout)["lines"]}


async def test_the_server_takes_all_and_the_doctor_is_content(
    run: Run, s3: Any, bucket: str
) -> None:
    """The rules that it asks for are the rules that it prints."""
    watched = ("abort-rule", f"cors {_PAGE}", "cors-foreign-origin")
    printed = json.loads((await run("policy", "--principal", _ROLE)).stdout)

    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(printed["bucket"]))
    s3.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration=printed["lifecycle"]
    )
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration=printed["cors"])

    after = await _lines(run)
    assert [after[name] for name in watched] == ["ok", "ok", "ok"]
    kept = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [rule["ID"] for rule in kept] == [rule["ID"] for rule in printed["lifecycle"]["Rules"]]
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == printed["bucket"]
