"""A permission that is missing is named as IAM names it, found out by trying."""

import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from anyio import to_thread
from click.testing import CliRunner

from coordinator.cli import main
from coordinator.embedded import Keeper, Server, home, seaweedfs
from coordinator.embedded import bucket as buckets
from coordinator.embedded.home import write_private

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_BUCKET: Final = "datasets"
# SeaweedFS's own words for what an identity may do.
_IDENTITIES: Final = {
    "NOLIST": ["Read", "Write"],
    "NOREAD": ["Write", "List"],
    "NOWRITE": ["Read", "List"],
    "INSIDE": ["Read:datasets/*", "Write:datasets/*", "List:datasets"],
}


@pytest.fixture(scope="module")
def limited_s3() -> Iterator[str]:
    """A SeaweedFS of its own, with identities that may not do everything; yields its address."""
    folder = Path(tempfile.mkdtemp(prefix="doctor-", dir="/tmp"))
    with Keeper(folder) as keeper:
        ports = home.ports(keeper.home, list(seaweedfs.PORTS), is_usable=seaweedfs.is_usable)
        endpoint = f"http://127.0.0.1:{ports['s3.port']}"
        s3 = buckets.client(endpoint, access_key="EVERYTHING", secret_key="EVERYTHING-secret")
        recipe = seaweedfs.recipe(
            keeper.home,
            ports=ports,
            access_key="EVERYTHING",
            secret_key="EVERYTHING-secret",
            check=lambda: buckets.check(s3, _BUCKET),
        )
        path = keeper.home / "seaweedfs.json"
        known = msgspec.json.decode(path.read_bytes())
        known["identities"] += [
            {
                "name": name,
                "credentials": [{"accessKey": name, "secretKey": f"{name}-secret"}],
                "actions": actions,
            }
            for name, actions in _IDENTITIES.items()
        ]
        write_private(path, msgspec.json.encode(known))
        Server(keeper, recipe).start()
        buckets.prepare(s3, _BUCKET, cors_origins=("*",))
        s3.close()
        yield endpoint
    shutil.rmtree(folder)


Doctor = Callable[[str, str], Awaitable[tuple[int, dict[str, list[str]], dict[str, Any]]]]


@pytest.fixture
def doctor(environ: dict[str, str], limited_s3: str, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Run the command with an identity's key and secret.

    Returns the exit code, the actions by their result where that is not ok, and all lines by name.
    """

    async def run(key: str, secret: str) -> tuple[int, dict[str, list[str]], dict[str, Any]]:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        changed = {**environ, "COORDINATOR_S3_ENDPOINT": limited_s3}
        ran = await to_thread.run_sync(
            lambda: CliRunner().invoke(main, ["doctor", "--json"], env=changed)
        )
        lines = msgspec.json.decode(ran.stdout)["lines"]
        found: dict[str, list[str]] = {}
        for line in lines:
            if line["group"] == "permissions" and line["result"] != "ok":
                found.setdefault(line["result"], []).append(line["name"])
        return ran.exit_code, found, {line["name"]: line for line in lines}

    return run


@pytest.mark.parametrize(
    ("identity", "code", "lacking", "unknown"),
    [
        (
            "NOLIST",
            1,
            ["s3:ListBucket", "s3:ListBucketVersions", "s3:PutObjectTagging"],
            [],
        ),
        (
            "NOREAD",
            1,
            [
                *("s3:GetObject", "s3:ListMultipartUploadParts", "s3:ListBucketMultipartUploads"),
                *("s3:GetObjectAttributes", "s3:GetBucketCORS", "s3:GetLifecycleConfiguration"),
                "s3:PutObjectTagging",
            ],
            [],
        ),
        (
            "NOWRITE",
            1,
            ["s3:PutObject"],
            [
                *("s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload"),
                *("s3:ListMultipartUploadParts", "s3:GetObjectAttributes"),
                *("s3:DeleteObjectVersion", "s3:PutObjectTagging"),
            ],
        ),
        # Nothing here that the service itself needs to go on.
        (
            "INSIDE",
            0,
            ["s3:GetBucketCORS", "s3:GetLifecycleConfiguration", "s3:PutObjectTagging"],
            [],
        ),
    ],
)
async def test_missing_permissions_are_named(
    doctor: Doctor, identity: str, code: int, lacking: list[str], unknown: list[str]
) -> None:
    """And what could not be tried is not called missing."""
    exit_code, found, lines = await doctor(identity, f"{identity}-secret")

    named = {result: sorted(names) for result, names in found.items()}
    expected = {"lacking": sorted(lacking), "unknown": sorted(unknown)}
    assert named == {result: names for result, names in expected.items() if names}
    assert exit_code == code
    assert lines[lacking[0]]["do"] == f"Allow {lacking[0]} to the service's credentials."


async def test_wrong_credentials_are_not_called_a_missing_permission(doctor: Doctor) -> None:
    """No policy would mend them."""
    exit_code, found, lines = await doctor("EVERYTHING", "wrong")

    assert exit_code == 1
    assert "lacking" not in found
    assert lines["s3:PutObject"]["means"] == "S3 answered SignatureDoesNotMatch."
