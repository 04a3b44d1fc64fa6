"""What must be true of an upload whose S3 lied, whatever the lie was."""

import asyncio
from typing import Any

import httpx

from coordinator.adapters.stores import Stores
from coordinator.domain.phases import Phase
from tests.builders import complete, row_of, rows, uuid_of
from tests.faults.hostile_s3 import COMPLETE, HostileS3

BODY = b"the one chunk"
REOPENED = ["upload.opened"]
ONCE = {"jobs": 1, "queued": 1, "manifests": 1, "audit": ["upload.opened", "upload.completed"]}
NEVER = {"jobs": 0, "queued": 0, "manifests": 0, "audit": ["upload.opened"]}

_WRITTEN = """
SELECT (SELECT count(*) FROM jobs WHERE upload_id = %(id)s) AS jobs,
       (SELECT count(*) FROM procrastinate_jobs WHERE args ->> 'job_id' IN
           (SELECT id::text FROM jobs WHERE upload_id = %(id)s)) AS queued,
       (SELECT count(*) FROM manifests WHERE upload_id = %(id)s) AS manifests,
       (SELECT array_agg(action ORDER BY id) FROM audit WHERE upload_id = %(id)s) AS audit
"""


async def written(stores: Stores, upload_id: str) -> dict[str, Any]:
    """Count what a completion writes in its one transaction."""
    async with stores.pool.connection() as conn:
        [row] = await (await conn.execute(_WRITTEN, {"id": uuid_of(upload_id)})).fetchall()
    return row


async def check_completed_once(
    client: httpx.AsyncClient, stores: Stores, s3: HostileS3, upload_id: str, body: bytes
) -> None:
    """Check that the upload is over and right, once, and that asking again tells the same."""
    sent = s3.count(COMPLETE)
    again = await complete(client, upload_id)
    row = await row_of(stores.pool, upload_id)
    assert (row.phase, again.status_code, again.json()["status"]) == (
        Phase.COMPLETED,
        200,
        "completed",
    )
    assert await stores.bucket.read(row.object_key, first=0, length=len(body) + 1) == body
    assert await written(stores, upload_id) == ONCE
    assert s3.count(COMPLETE) == sent


async def end_lease(stores: Stores, upload_id: str) -> None:
    """Let time pass until the lease has run out, on the database's clock."""
    change = "UPDATE uploads SET lease_until = clock_timestamp() WHERE id = %s RETURNING id"
    assert await rows(stores.pool, change, [uuid_of(upload_id)])


async def await_lease_end(stores: Stores, upload_id: str) -> None:
    """Wait until the lease has run out."""
    row = await row_of(stores.pool, upload_id)
    assert row.lease_until is not None
    await asyncio.sleep((row.lease_until - row.as_of).total_seconds())
