"""What `coordinator policy` prints is taken by an S3 server, and the doctor is content with it."""

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final
from uuid import uuid4

import pytest
from anyio import to_thread
from click.testing import CliRunner, Result

from coordinator.cli import main
from coordinator.embedded import bucket as buckets
from tests.localstack import S3Address

pytestmark = pytest.mark.parametrize("s3_server", ["localstack"], indirect=True)

_PAGE: Final = "https://page.example"
_ROLE: Final = "arn:aws:iam::111122223333:role/coordinator"

Run = Callable[..., Awaitable[Result]]


@pytest.fixture
def s3(s3_server: S3Address) -> Iterator[Any]:
    """The server as who owns the bucket sees it."""
    client = buckets.client(
        s3_server.s3_endpoint, access_key=s3_server.access_key, secret_key=s3_server.secret_key
    )
    yield client
    client.close()


@pytest.fixture
def bucket(s3: Any) -> str:
    """A bucket without any rules, of the test's own."""
    name = f"policy-{uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def run(environ: dict[str, str], bucket: str) -> Run:
    """Return a function that runs a command on the bucket."""
    usual = {
        **environ,
        "COORDINATOR_S3_BUCKET": bucket,
        "COORDINATOR_S3_PREFIX": "datasets",
        "COORDINATOR_CORS_ORIGINS": _PAGE,
    }

    async def run(*arguments: str, **changes: str) -> Result:
        return await to_thread.run_sync(
            lambda: CliRunner().invoke(main, arguments, env={**usual, **changes})
        )

    return run


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
