"""An object's first bytes are read once it is proven: what they say is shown, or refused."""

import gzip
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx
import pytest
from aiobotocore.awsrequest import AioAWSResponse
from botocore.compat import HTTPHeaders

from coordinator.adapters.kept_manifests import KeptManifest
from coordinator.adapters.leases import LeaseLostError
from coordinator.adapters.stores import Stores
from coordinator.domain.errors import TypeNotAllowedError
from coordinator.domain.phases import Phase, Reason
from coordinator.operations.check_type import finish_or_refuse
from coordinator.operations.take_over_uploads import take_over_uploads
from coordinator.operations.verify_object import verify_object
from tests.builders import (
    SMALLEST,
    complete,
    cut,
    row_of,
    rows,
    send_all,
    some_bytes,
    status,
    uuid_of,
)
from tests.operations.dying import assemble_in_s3, die_sealed
from tests.operations.limiting import limit
from tests.web.driving import problem

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_PNG: Final = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(20)
_CSV: Final = {"fileName": "a.csv", "fileType": "text/csv"}
_FOUND: Final = "image/png"
_DETAIL: Final = "The file is declared to be text/csv, but what was uploaded says image/png."


async def _wrong(client: httpx.AsyncClient, s3: httpx.AsyncClient) -> str:
    return await send_all(client, s3, [_PNG], **_CSV)


async def _ended(stores: Stores, upload_id: str) -> tuple[Phase, str | None, str | None, int]:
    row = await row_of(stores.pool, upload_id)
    jobs = await rows(stores.pool, "SELECT FROM jobs WHERE upload_id = %s", [uuid_of(upload_id)])
    return row.phase, row.reason, row.detected_type, len(jobs)


_REFUSED: Final = (Phase.FAILED, Reason.TYPE_MISMATCH, _FOUND, 0)


def _refusal() -> dict[str, Any]:
    return {
        **problem(TypeNotAllowedError, field="fileType", declared="text/csv", found=_FOUND),
        "detail": _DETAIL,
    }


@contextmanager
def _reads(stores: Stores, *, answered: bool = True) -> Iterator[list[str]]:
    """Note the ranges that S3 is asked for; S3 shows them or has trouble."""
    ranges: list[str] = []

    class _Nothing:
        async def read(self) -> bytes:
            return b""

    def note(request: Any, **_: object) -> Any:
        ranges.append(request.headers["Range"].decode())
        return None if answered else AioAWSResponse(request.url, 403, HTTPHeaders(), _Nothing())

    events = stores.bucket._s3.meta.events
    events.register("before-send.s3.GetObject", note)
    try:
        yield ranges
    finally:
        events.unregister("before-send.s3.GetObject", note)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"a,b\n1,2\n", "text/plain"),
        (_PNG, "image/png"),
        (gzip.compress(b"a,b\n", mtime=0), "application/gzip"),
        (b"fLaC\x00\x00\x00\x22" + bytes(30), "audio/flac"),  # of puremagic's list
        (bytes([255, 1, 2, 254]) * 9, "application/octet-stream"),
        (b"", None),
    ],
)
async def test_what_the_bytes_say_is_noted(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    *,
    body: bytes,
    found: str,
) -> None:
    """Nobody has refused anything: the upload is COMPLETED whatever it is, and its jobs run."""
    upload_id = await send_all(client, s3_http, [body], **_CSV)
    before = (await status(client, upload_id))["detectedType"]

    answer = await complete(client, upload_id)

    assert (before, answer.status_code) == (None, 200)
    assert (await status(client, upload_id))["detectedType"] == found
    assert await _ended(stores, upload_id) == (Phase.COMPLETED, None, found, 1)


async def test_of_a_large_object_only_the_head_is_read(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """One range, once, by whichever way; who has it off pays nothing, nor does an empty file."""
    large = await send_all(client, s3_http, [some_bytes(9000)])
    small = await send_all(client, s3_http, [b"abc"])
    empty = await send_all(client, s3_http, [b""])
    last = await send_all(client, s3_http, [b"abc"], fileName="last")
    with _reads(stores) as ranges:
        for upload_id in (large, small, empty):
            await complete(client, upload_id)
        await limit(stores, type_check="off")
        await complete(client, last)

    assert ranges == ["bytes=0-8191", "bytes=0-2"]
    assert await _ended(stores, last) == (Phase.COMPLETED, None, None, 1)


async def test_a_refused_type_fails_and_deletes(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Who asks again gets the same answer; there are no jobs, no download and no object."""
    await limit(stores, type_check="refuse")
    upload_id = await _wrong(client, s3_http)

    answers = [await complete(client, upload_id) for _ in "ab"]

    assert [(each.status_code, each.json()) for each in answers] == [(422, _refusal())] * 2
    assert await _ended(stores, upload_id) == _REFUSED
    row = await row_of(stores.pool, upload_id)
    assert await stores.bucket.facts(row.object_key) is None
    download = await client.get(f"/api/uploads/{upload_id}/download")
    shown = await status(client, upload_id)
    assert (download.status_code, download.json()["code"]) == (409, "wrong-phase")
    assert (shown["reason"], shown["detectedType"]) == ("type-mismatch", _FOUND)
    audit = await rows(stores.pool, "SELECT action FROM audit WHERE action LIKE 'upload%%'")
    assert [each["action"] for each in audit] == ["upload.opened", "upload.type-mismatch"]


async def test_a_worker_that_proves_the_whole_refuses_the_type_as_well(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """The bytes are what was declared, and still no CSV."""
    await limit(stores, type_check="refuse")
    body = _PNG + some_bytes(SMALLEST)
    whole = "sha256:" + hashlib.sha256(body).hexdigest()
    upload_id = await send_all(client, s3_http, cut(body, SMALLEST), checksum=whole, **_CSV)

    waits = await complete(client, upload_id)
    await verify_object(stores, uuid_of(upload_id))
    answer = await complete(client, upload_id)

    assert (waits.status_code, answer.status_code, answer.json()) == (202, 422, _refusal())
    assert await _ended(stores, upload_id) == _REFUSED
    row = await row_of(stores.pool, upload_id)
    assert await stores.bucket.facts(row.object_key) is None


async def test_what_is_of_its_type_is_not_refused(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Neither what is what it was called, nor what was called nothing."""
    await limit(stores, type_check="refuse")
    right = await send_all(client, s3_http, [b"a,b\n1,2\n"], **_CSV)
    packed = {"fileName": "a.csv.gz", "fileType": "text/csv"}
    inside = await send_all(client, s3_http, [gzip.compress(b"a,b\n", mtime=0)], **packed)
    unnamed = await send_all(client, s3_http, [_PNG], fileName="a", fileType="")

    answers = [await complete(client, each) for each in (right, inside, unnamed)]

    assert [each.status_code for each in answers] == [200] * 3


async def test_bytes_that_s3_does_not_show_keep_only_who_refuses_waiting(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """What is only noted is not worth failing for; what is refused must be known."""
    noted = await _wrong(client, s3_http)
    with _reads(stores, answered=False):
        assert (await complete(client, noted)).status_code == 200
        await limit(stores, type_check="refuse")
        waits = await send_all(client, s3_http, [_PNG], fileName="b.csv", fileType="text/csv")
        first = await complete(client, waits)
    in_between = await row_of(stores.pool, waits)
    async with stores.pool.connection() as conn:
        await conn.execute(
            "UPDATE uploads SET lease_until = clock_timestamp() WHERE phase = 'ASSEMBLING'"
        )

    taken = await take_over_uploads(stores)

    assert await _ended(stores, noted) == (Phase.COMPLETED, None, None, 1)
    assert (first.status_code, in_between.phase, taken) == (202, Phase.ASSEMBLING, 1)
    assert await _ended(stores, waits) == _REFUSED


async def test_whoever_takes_over_refuses_the_type_as_well(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """S3 had assembled the object when the first attempt died."""
    await limit(stores, type_check="refuse")
    upload_id = await _wrong(client, s3_http)
    await die_sealed(stores, upload_id)
    await assemble_in_s3(stores, upload_id)

    assert await take_over_uploads(stores) == 1

    assert await _ended(stores, upload_id) == _REFUSED


async def test_whoever_has_lost_the_lease_deletes_nothing(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """It has read the bytes, and meanwhile another attempt has taken over."""
    await limit(stores, type_check="refuse")
    upload_id = await _wrong(client, s3_http)
    mine = await die_sealed(stores, upload_id)
    await assemble_in_s3(stores, upload_id)
    await die_sealed(stores, upload_id)

    with pytest.raises(LeaseLostError):
        await finish_or_refuse(stores, mine, KeptManifest(b"", "", None), actor="test")

    row = await row_of(stores.pool, upload_id)
    assert (row.phase, row.detected_type) == (Phase.ASSEMBLING, None)
    assert await stores.bucket.facts(row.object_key) is not None


async def test_an_abort_that_comes_too_late_is_done_if_the_type_is_refused(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """A whole object is COMPLETED and not destroyed, but this one is nobody's file."""
    await limit(stores, type_check="refuse")
    upload_id = await _wrong(client, s3_http)
    await die_sealed(stores, upload_id)
    await assemble_in_s3(stores, upload_id)

    answer = await client.delete(f"/api/uploads/{upload_id}")

    assert answer.status_code == 204
    assert await _ended(stores, upload_id) == _REFUSED


@pytest.mark.parametrize(
    ("quotas", "wish", "code"),
    [
        ({"file_types": ["text/*"]}, {"fileName": "a.csv", "fileType": "text/csv"}, 201),
        ({"file_types": ["text/*"]}, {"fileName": "a.png", "fileType": "image/png"}, 422),
        ({"file_types": ["text/*"]}, {"fileName": "a.csv", "fileType": ""}, 422),
        ({"type_check": "refuse"}, {"fileName": "a.png", "fileType": "text/csv"}, 422),
        ({"type_check": "note"}, {"fileName": "a.png", "fileType": "text/csv"}, 201),
        ({"type_check": "off"}, {"fileName": "a.png", "fileType": "text/csv"}, 201),
        ({"type_check": "refuse"}, {"fileName": "a.png", "fileType": ""}, 201),
    ],
)
async def test_a_type_is_refused_before_anything_is_written(
    client: httpx.AsyncClient,
    stores: Stores,
    *,
    quotas: dict[str, Any],
    wish: dict[str, str],
    code: int,
) -> None:
    """By the tenant's list always, by the name only where contradictions are refused."""
    await limit(stores, **quotas)

    answer = await client.post(
        "/api/upload/init", json={"fileSize": 3, **wish}, headers={"Idempotency-Key": "k"}
    )

    written = await rows(stores.pool, "SELECT FROM uploads UNION ALL SELECT FROM idempotency_keys")
    assert (answer.status_code, len(written)) == ((201, 2) if code == 201 else (422, 0))
    assert answer.json().get("code") == (None if code == 201 else "type-not-allowed")
