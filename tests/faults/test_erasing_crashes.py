"""Kill -9 in the middle of erasing and archiving: whoever goes on ends all the same."""

import os
from collections import Counter
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest
from litestar import Litestar

from coordinator.adapters import erasures
from coordinator.adapters.erasures import NewErasure
from coordinator.adapters.stores import Stores
from coordinator.domain.erasures import Report
from coordinator.operations.erase import erase
from coordinator.operations.request_erasure import request_erasure
from coordinator.operations.retain_uploads import retain_uploads
from coordinator.points import ERASING
from coordinator.settings import Settings
from tests.builders import SMALLEST, complete, open_upload, rows, send, send_all, uuid_of
from tests.conftest import MakeKey, client_of
from tests.erasing import Traces, of_user
from tests.faults.erasing import work_until_killed
from tests.localstack import S3Address

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_TIME_PASSES: Final = (
    "UPDATE erasures SET lease_until = NULL WHERE finished_at IS NULL RETURNING id",
    "UPDATE uploads SET lease_until = now() WHERE lease_until IS NOT NULL RETURNING id",
)
_AWS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")


async def _fill(client: httpx.AsyncClient, s3_http: httpx.AsyncClient, user: str) -> None:
    done = await send_all(client, s3_http, [user.encode()], fileName=f"{user}.txt")
    assert (await complete(client, done)).status_code == 200
    half = await open_upload(client, SMALLEST + 1, chunk_size=SMALLEST, fileName=f"{user}.bin")
    await send(client, s3_http, half, {1: b"b"})
    report = {"uploadId": half, "chunks": [{"chunkIndex": 1}]}
    assert (await client.post("/api/upload/chunk", json=report)).status_code == 200


async def _report(stores: Stores, asked: NewErasure) -> Report | None:
    async with stores.pool.connection() as conn:
        erasure = await erasures.read(conn, asked.id, asked.tenant)
    return erasure.report if erasure.finished_at else None


async def test_an_erasure_that_was_killed_anywhere_is_finished_by_the_next_worker(
    *,
    app: Litestar,
    stores: Stores,
    s3_http: httpx.AsyncClient,
    make_key: MakeKey,
    settings: Settings,
    environ: dict[str, str],
    s3_server: S3Address,
    tmp_path: Path,
) -> None:
    """With the right counts, each upload audited once, and nothing of the user left anywhere."""
    environ = environ | {name: os.environ[name] for name in _AWS}
    ends: dict[str, Any] = {}
    named = [point for point in ERASING if point.startswith("erasure-")]
    for point in named:
        user = f"user-of-{point}"
        async with client_of(app, await make_key(user=user)) as client:
            await _fill(client, s3_http, user)
        real = of_user(user)
        await request_erasure(stores, real)

        code = await work_until_killed(environ, point, tmp_path / f"{point}.log")
        for statement in _TIME_PASSES:
            await rows(stores.pool, statement)
        await erase(stores)
        ends[point] = (code, await _report(stores, real))
    left = await Traces(stores, s3_server, settings.s3_prefix).of({"user": "user-of-"})
    audited = await rows(stores.pool, "SELECT action FROM audit WHERE action LIKE %s", ["%.erased"])

    sizes = {point: report.bytes for point, (_code, report) in ends.items() if report}
    removed = Report(
        uploads=2, objects=2, versions=2, multiparts=1, manifests=1, jobs=1, queue_entries=1
    )
    assert ends == {
        point: (-9, msgspec.structs.replace(removed, bytes=sizes[point])) for point in named
    }
    assert min(sizes.values()) > len("user-of-")
    assert left == {"user": []}
    assert Counter(row["action"] for row in audited) == {
        "upload.erased": 2 * len(named),
        "user.erased": len(named),
    }


async def test_archiving_that_was_killed_tags_again_and_is_audited_once(
    client: httpx.AsyncClient,
    stores: Stores,
    s3_http: httpx.AsyncClient,
    environ: dict[str, str],
    tmp_path: Path,
) -> None:
    """The tag is set before Postgres says so: setting it twice is setting it."""
    environ = environ | {name: os.environ[name] for name in _AWS}
    upload_id = await send_all(client, s3_http, [b"abc"])
    assert (await complete(client, upload_id)).status_code == 200
    rule = "INSERT INTO retention VALUES ('default', '*', 1, 'archive') RETURNING purpose"
    await rows(stores.pool, rule)
    old = "UPDATE uploads SET finished_at = finished_at - interval '2 days' RETURNING id"
    await rows(stores.pool, old)

    code = await work_until_killed(environ, "object-tagged", tmp_path / "archiving.log")
    done = [await retain_uploads(stores), await retain_uploads(stores)]

    assert (code, done) == (-9, [1, 0])
    audited = "SELECT upload_id FROM audit WHERE action = 'upload.archived'"
    assert await rows(stores.pool, audited) == [{"upload_id": uuid_of(upload_id)}]
