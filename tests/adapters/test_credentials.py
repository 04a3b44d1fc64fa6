"""URLs end with the credentials that signed them, and credentials are renewed in time."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from coordinator.adapters import uploads
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores, open_stores
from coordinator.domain.uploads import Owner
from coordinator.operations.sign_chunks import ChunkToSign, SignedBatch, sign_chunks
from coordinator.settings import Settings
from tests.builders import add_upload

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_PROCESS = """
import json, pathlib, sys
answers = pathlib.Path(sys.argv[1])
first, *rest = json.loads(answers.read_text())
answers.write_text(json.dumps(rest or [first]))
print(json.dumps(first))
"""


def _use_process(monkeypatch: pytest.MonkeyPatch, folder: Path, *expirations: datetime) -> None:
    """Configure botocore's chain as an operator would: a program that prints credentials."""
    answers = [
        {
            "Version": 1,
            "AccessKeyId": f"KEY{number}",
            "SecretAccessKey": "secret",
            "SessionToken": f"token{number}",
            "Expiration": expiration.isoformat(),
        }
        for number, expiration in enumerate(expirations)
    ]
    program, state, config = folder / "process.py", folder / "answers.json", folder / "config"
    program.write_text(_PROCESS)
    state.write_text(json.dumps(answers))
    config.write_text(f"[default]\ncredential_process = {sys.executable} {program} {state}\n")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "none"))


async def _sign(stores: Stores) -> SignedBatch:
    upload = await add_upload(stores.pool)
    async with transaction(stores.pool) as tx:
        await uploads.set_multipart(tx, upload, "multipart")
    return await sign_chunks(
        stores,
        upload.id,
        Owner("default", "alice"),
        [ChunkToSign(0, b"a" * 32)],
        force=True,
        lifetime=timedelta(hours=1),
    )


def _read_batch(batch: SignedBatch) -> tuple[str, str, datetime]:
    [chunk] = batch.chunks
    assert chunk.part is not None
    return _read_url(chunk.part.url)


def _read_url(url: str) -> tuple[str, str, datetime]:
    """Read key, token and end out of a URL."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    start = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    end = start + timedelta(seconds=int(query["X-Amz-Expires"]))
    return query["X-Amz-Credential"].split("/")[0], query["X-Amz-Security-Token"], end


async def test_a_url_ends_with_its_credentials(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """S3 refuses it from then on, so the answer must not promise an hour."""
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=30)
    _use_process(monkeypatch, tmp_path, end)

    async with open_stores(settings) as stores:
        batch = await _sign(stores)

    assert _read_batch(batch) == ("KEY0", "token0", end)
    assert batch.expires_at == end


async def test_a_download_ends_with_its_credentials(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Botocore would sign for longer than S3 will honour."""
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=20)
    _use_process(monkeypatch, tmp_path, end)

    async with open_stores(settings) as stores:
        short, long = [
            await stores.bucket.presign_get("key", file_name="f", lifetime=lifetime)
            for lifetime in (timedelta(minutes=5), timedelta(hours=1))
        ]

    [key, token, told] = _read_url(long.url)
    assert (key, token, long.expires_at) == ("KEY0", "token0", end)
    # botocore reads the clock a moment after us.
    assert timedelta() <= told - end <= timedelta(seconds=1)
    assert short.expires_at < end - timedelta(minutes=14)


async def test_credentials_that_outlive_the_url_do_not_lengthen_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whichever ends first."""
    _use_process(monkeypatch, tmp_path, datetime.now(UTC) + timedelta(hours=12))
    before = datetime.now(UTC).replace(microsecond=0)

    async with open_stores(settings) as stores:
        batch = await _sign(stores)

    assert _read_batch(batch) == ("KEY0", "token0", batch.expires_at)
    assert before <= batch.expires_at - timedelta(hours=1) <= datetime.now(UTC)


async def test_credentials_about_to_end_are_renewed_before_signing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A role's credentials last an hour, the service for months."""
    now = datetime.now(UTC).replace(microsecond=0)
    fresh = now + timedelta(minutes=40)
    _use_process(monkeypatch, tmp_path, now + timedelta(minutes=2), fresh)

    async with open_stores(settings) as stores:
        batch = await _sign(stores)

    assert _read_batch(batch) == ("KEY1", "token1", fresh)
    assert batch.expires_at == fresh
