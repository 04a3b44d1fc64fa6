"""Sweeping removes what nobody needs any more, and nothing of anybody else's."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final
from uuid import uuid4

import httpx
import pytest

from coordinator import points
from coordinator.adapters import signings, uploads
from coordinator.adapters.stores import Stores
from coordinator.domain.names import manifest_key, marker_key
from coordinator.domain.phases import Phase, Reason
from coordinator.operations.expire_uploads import expire_uploads
from coordinator.operations.sweep_bucket import sweep_bucket
from coordinator.operations.verify_object import verify_object
from coordinator.settings import Settings
from coordinator.telemetry import REGISTRY
from tests.builders import (
    SMALLEST,
    complete,
    cut,
    open_upload,
    row_of,
    rows,
    send_all,
    some_bytes,
    uuid_of,
)
from tests.operations.decoys import assemble_decoy
from tests.operations.dying import assemble_in_s3
from tests.operations.endings import redis_keys, run_out

_BODY: Final = b"the one chunk"
_NOW: Final = timedelta(0)

# What Postgres decides is tried on one S3 server only.
_ONE_SERVER: Final = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


class _DiedError(BaseException):
    """The process is gone: nothing after this point happens."""


@contextmanager
def _dying_at(point: points.Point) -> Iterator[None]:
    def die(passed: points.Point) -> None:
        if passed == point:
            raise _DiedError

    points.install(die)
    try:
        with pytest.raises(_DiedError):
            yield
    finally:
        points.install(None)


@pytest.fixture
def prefix(settings: Settings) -> str:
    """The installation's own prefix."""
    return settings.s3_prefix


async def _sweep(stores: Stores, prefix: str) -> bool:
    return await sweep_bucket(stores, prefix, older_than=_NOW, quiet=_NOW)


async def _multiparts(stores: Stores, prefix: str, *, page_size: int = 1_000) -> list[str]:
    pages = stores.bucket.list_multiparts(f"{prefix}/", page_size=page_size)
    return sorted([each.multipart_id async for page in pages for each in page])


async def _open(stores: Stores, key: str) -> str:
    return await stores.bucket.create_multipart(key, token="t", file_type="text/plain")


def _swept(kind: str) -> float:
    return REGISTRY.get_sample_value("swept_total", {"kind": kind}) or 0.0


async def test_an_orphan_is_aborted_and_what_is_alive_is_not(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, prefix: str
) -> None:
    """A crash between S3's create and our store leaves a multipart that no row names."""
    alive = await send_all(client, s3_http, [_BODY])
    row = await row_of(stores.pool, alive)
    orphans = [await _open(stores, f"{prefix}/default/{n}/x") for n in "aabc"]
    before, counted = await _multiparts(stores, prefix), _swept("orphan")

    is_ours = await _sweep(stores, prefix)

    assert is_ours
    assert before == sorted([*orphans, str(row.multipart_id)])
    assert await _multiparts(stores, prefix) == [row.multipart_id]
    assert _swept("orphan") == counted + 4
    assert (await complete(client, alive)).status_code == 200


async def test_what_is_young_may_be_about_to_be_stored(stores: Stores, prefix: str) -> None:
    """By S3's date and the database's clock; a day is the usual patience."""
    young = await _open(stores, f"{prefix}/default/u/x")

    await sweep_bucket(stores, prefix)

    assert await _multiparts(stores, prefix) == [young]


async def test_other_prefixes_are_not_touched(stores: Stores, prefix: str) -> None:
    """Installations share a bucket; one's prefix may begin like another's."""
    others = {f"{prefix}2": "x", f"other_{uuid4().hex}": "x"}
    opened = [await _open(stores, f"{other}/default/u/x") for other in others]

    await _sweep(stores, prefix)

    assert [await _multiparts(stores, other) for other in others] == [[one] for one in opened]


async def test_lists_are_followed_page_by_page(stores: Stores, prefix: str) -> None:
    """Servers order them by key or by id, and give one marker or two."""
    opened = sorted([await _open(stores, f"{prefix}/default/{n}/x") for n in "aaabbcd"])

    assert await _multiparts(stores, prefix, page_size=2) == opened


@_ONE_SERVER
async def test_a_sweep_that_died_half_way_is_done_by_the_next(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, prefix: str
) -> None:
    """Any step may run twice."""
    upload_id = await send_all(client, s3_http, [_BODY])
    await run_out(stores, upload_id)
    await expire_uploads(stores)
    for n in "ab":
        await _open(stores, f"{prefix}/default/{n}/x")

    with _dying_at("leftovers-gone"):
        await _sweep(stores, prefix)
    between = await rows(stores.pool, "SELECT FROM uploads WHERE swept_at IS NOT NULL")
    with _dying_at("orphan-aborted"):
        await _sweep(stores, prefix)
    await _sweep(stores, prefix)

    assert between == []
    assert len(await rows(stores.pool, "SELECT FROM uploads WHERE swept_at IS NOT NULL")) == 1
    assert await _multiparts(stores, prefix) == []


async def test_an_object_that_came_after_the_end_is_deleted(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, prefix: str
) -> None:
    """A late commit of an upload that FAILED is nobody's file; manifest and Redis keys go too."""
    upload_id = await send_all(client, s3_http, [_BODY])
    row = await row_of(stores.pool, upload_id)
    await run_out(stores, upload_id)
    await expire_uploads(stores)
    await assemble_decoy(stores, row, _BODY, "nothing")
    manifest = manifest_key(row.object_key)
    await stores.bucket.put(manifest, b"{}", file_type="application/json", token=row.token)
    await stores.ledger.open(row)
    counted = _swept("object")

    await sweep_bucket(stores, prefix)
    early = await stores.bucket.facts(row.object_key)
    await _sweep(stores, prefix)

    after = await row_of(stores.pool, upload_id)
    assert early is not None
    assert await stores.bucket.facts(row.object_key) is None
    assert await stores.bucket.facts(manifest) is None
    assert (after.phase, after.reason) == (Phase.FAILED, Reason.EXPIRED)
    assert await redis_keys(stores, upload_id) == []
    assert _swept("object") == counted + 2


async def test_somebody_elses_object_at_the_key_stays(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, prefix: str
) -> None:
    """Only the token says that an object is the upload's, and so nobody's."""
    upload_id = await send_all(client, s3_http, [_BODY])
    row = await row_of(stores.pool, upload_id)
    decoy = await assemble_decoy(stores, row, _BODY, "token")
    await run_out(stores, upload_id)
    await expire_uploads(stores)

    await _sweep(stores, prefix)

    assert await stores.bucket.facts(row.object_key) == decoy
    assert (await row_of(stores.pool, upload_id)).phase is Phase.FAILED


async def test_a_wrong_object_that_a_crash_left_is_deleted(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, prefix: str
) -> None:
    """It FAILED as checksum-mismatch, and the worker died before it had deleted the object."""
    chunks = cut(some_bytes(SMALLEST + 1), SMALLEST)
    wrong = hashlib.sha256(b"another file").hexdigest()
    upload_id = await send_all(client, s3_http, chunks, checksum=f"sha256:{wrong}")
    await complete(client, upload_id)
    with _dying_at("failed"):
        await verify_object(stores, uuid_of(upload_id))
    row = await row_of(stores.pool, upload_id)
    left = await stores.bucket.facts(row.object_key)

    await _sweep(stores, prefix)

    assert (row.reason, left is not None) == (Reason.CHECKSUM_MISMATCH, True)
    assert await stores.bucket.facts(row.object_key) is None


@_ONE_SERVER
async def test_finished_and_open_uploads_are_left_alone(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, prefix: str
) -> None:
    """Whatever S3 holds of them is somebody's file, or will be."""
    done, waiting, begun = [await send_all(client, s3_http, [_BODY]) for _ in "abc"]
    await complete(client, done)
    await assemble_in_s3(stores, waiting)
    await open_upload(client, 7)

    await _sweep(stores, prefix)

    assert await rows(stores.pool, "SELECT FROM uploads WHERE swept_at IS NOT NULL") == []
    for upload_id in (done, waiting, begun):
        answer = await complete(client, upload_id)
        assert (answer.status_code, answer.json()["status"]) == (200, "completed")


@_ONE_SERVER
async def test_signings_go_a_week_after_the_end(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, prefix: str
) -> None:
    """Until then they say which bytes were meant; an open upload keeps its own."""
    old, fresh, alive = [await send_all(client, s3_http, [_BODY]) for _ in "abc"]
    for upload_id in (old, fresh):
        await run_out(stores, upload_id)
    await expire_uploads(stores)
    age = "UPDATE uploads SET finished_at = finished_at - %s::interval WHERE id = %s RETURNING id"
    await rows(stores.pool, age, ["7 days", uuid_of(old)])
    await rows(stores.pool, age, ["6 days 23 hours", uuid_of(fresh)])

    await _sweep(stores, prefix)

    async with stores.pool.connection() as conn:
        kept = [
            len(await signings.read_digests(conn, uuid_of(each))) for each in (old, fresh, alive)
        ]
        still = await uploads.read_any(conn, uuid_of(old))
    assert (kept, still.phase) == ([0, 1, 1], Phase.FAILED)


async def test_what_the_doctor_left_is_deleted_and_the_marker_is_not(
    stores: Stores, prefix: str
) -> None:
    """A tenant may be called as the doctor's folder is: its uploads' names are other ones."""
    probe = f"{prefix}/.probe/{uuid4().hex}/{uuid4().hex}"
    tenants = f"{prefix}/.probe/upl_01m82hjk9df409q53rarhz0crr/data.bin"
    for key in (probe, tenants):
        await stores.bucket.put(key, b"x", file_type="text/plain")

    await sweep_bucket(stores, prefix)
    young = await stores.bucket.facts(probe)
    await _sweep(stores, prefix)

    assert young is not None
    left = [await stores.bucket.facts(key) for key in (probe, tenants, marker_key(prefix))]
    assert [each is not None for each in left] == [False, True, True]


@_ONE_SERVER
async def test_nothing_is_swept_in_somebody_elses_prefix(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, prefix: str
) -> None:
    """Two databases on one prefix: each would take the other's multiparts for orphans."""
    upload_id = await send_all(client, s3_http, [_BODY])
    orphan = await _open(stores, f"{prefix}/default/u/x")
    await run_out(stores, upload_id)
    await expire_uploads(stores)
    other = f'{{"installation": "{uuid4()}"}}'.encode()
    await stores.bucket.put(marker_key(prefix), other, file_type="application/json")

    is_ours = await _sweep(stores, prefix)

    assert not is_ours
    assert await _multiparts(stores, prefix) == [orphan]
    assert await rows(stores.pool, "SELECT FROM uploads WHERE swept_at IS NOT NULL") == []
