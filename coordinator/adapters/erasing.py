"""Rows of uploads that are being erased: hiding them, counting, and removing all that is theirs.

``Subject``: the values that name whose uploads are meant, the same in every statement here.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from coordinator.adapters.postgres import Tx
from coordinator.adapters.uploads import as_upload
from coordinator.domain.erasures import Erasure, Found, Removed
from coordinator.domain.uploads import Upload


def _subject(erasure: Erasure) -> Mapping[str, Any]:
    return {
        "erasure": erasure.id,
        "tenant": erasure.tenant,
        "upload": erasure.upload_id,
        "user": erasure.user_id,
        "before": erasure.requested_at,
    }


# Without a checksum the row is no twin of the same file that is opened again.
_HIDE: Final = """
UPDATE uploads
   SET erasing_since = clock_timestamp(), erasure_id = %(erasure)s, checksum = NULL,
       updated_at = clock_timestamp()
 WHERE id IN (SELECT id FROM uploads
               WHERE tenant = %(tenant)s AND (id = %(upload)s OR user_id = %(user)s)
                 AND created_at <= %(before)s AND hold IS NULL AND erasing_since IS NULL
               ORDER BY id
               LIMIT %(limit)s
                 FOR UPDATE)
RETURNING *, clock_timestamp() AS as_of
"""

_UNBIND: Final = "DELETE FROM idempotency_keys WHERE upload_id = ANY (%s)"


async def hide(tx: Tx, erasure: Erasure, *, limit: int) -> list[Upload]:
    """Let some uploads of the subject be gone for everybody; return them as they are now.

    Whoever locks such a row afterwards sees that. An Idempotency-Key that named one is free again.
    """
    rows = await (await tx.execute(_HIDE, {**_subject(erasure), "limit": limit})).fetchall()
    await tx.execute(_UNBIND, [[row["id"] for row in rows]])
    return [as_upload(row) for row in rows]


_HIDDEN: Final = """
SELECT *, clock_timestamp() AS as_of FROM uploads
 WHERE tenant = %(tenant)s AND (id = %(upload)s OR user_id = %(user)s)
   AND erasing_since IS NOT NULL AND (%(last)s::uuid IS NULL OR id > %(last)s)
 ORDER BY id
 LIMIT %(limit)s
"""


async def hidden(tx: Tx, erasure: Erasure, *, after: UUID | None, limit: int) -> list[Upload]:
    """Return uploads of the subject that are hidden and not gone, whoever hid them."""
    values = {**_subject(erasure), "last": after, "limit": limit}
    return [as_upload(row) for row in await (await tx.execute(_HIDDEN, values)).fetchall()]


_VISIBLE: Final = """
SELECT *, clock_timestamp() AS as_of FROM uploads
 WHERE tenant = %(tenant)s AND (id = %(upload)s OR user_id = %(user)s)
   AND created_at <= %(before)s AND (%(last)s::uuid IS NULL OR id > %(last)s)
 ORDER BY id
 LIMIT %(limit)s
"""


async def all_of(tx: Tx, erasure: Erasure, *, after: UUID | None, limit: int) -> list[Upload]:
    """Return uploads of the subject, held ones too, for a dry run."""
    values = {**_subject(erasure), "last": after, "limit": limit}
    return [as_upload(row) for row in await (await tx.execute(_VISIBLE, values)).fetchall()]


_LEFT: Final = """
SELECT coalesce(array_agg(id ORDER BY id) FILTER (WHERE hold IS NOT NULL), '{}') AS held,
       count(*) FILTER (WHERE hold IS NULL) AS others
  FROM uploads
 WHERE tenant = %(tenant)s AND (id = %(upload)s OR user_id = %(user)s)
   AND created_at <= %(before)s
"""


async def left(tx: Tx, erasure: Erasure) -> tuple[list[UUID], int]:
    """Return which uploads of the subject are held, and how many others are still there."""
    row = await (await tx.execute(_LEFT, _subject(erasure))).fetchone()
    assert row is not None, "an aggregate has a row"
    return row["held"], row["others"]


_NOTE: Final = """
UPDATE uploads SET found = coalesce(found, %(found)s) || jsonb_build_object('refused', %(refused)s)
 WHERE id = %(id)s AND erasing_since IS NOT NULL
RETURNING found
"""


async def note(tx: Tx, upload_id: UUID, found: Found) -> None:
    """Keep what was found first, before anything is removed, and what S3 refused last."""
    values = {
        "id": upload_id,
        "found": Jsonb(msgspec.to_builtins(found)),
        "refused": found.refused,
    }
    await tx.execute(_NOTE, values)


_COUNT: Final = """
WITH own AS (SELECT id FROM jobs WHERE upload_id = %(id)s)
SELECT (SELECT count(*) FROM manifests WHERE upload_id = %(id)s) AS manifests,
       (SELECT count(*) FROM own) AS jobs,
       (SELECT count(*) FROM procrastinate_jobs
         WHERE args->>'upload_id' = %(id)s::text
            OR args->>'job_id' IN (SELECT id::text FROM own)) AS queue_entries
"""


async def count(tx: Tx, upload_id: UUID) -> Removed:
    """Count what :func:`remove` would remove."""
    row = await (await tx.execute(_COUNT, {"id": upload_id})).fetchone()
    return msgspec.convert(row, Removed)


_LOCK: Final = """
SELECT erasure_id, coalesce(found, '{}') AS found FROM uploads
 WHERE id = %s AND erasing_since IS NOT NULL FOR UPDATE
"""
_JOBS: Final = "DELETE FROM jobs WHERE upload_id = %(id)s RETURNING id::text AS id"
_QUEUE: Final = """
DELETE FROM procrastinate_jobs
 WHERE status <> 'doing' AND (args->>'upload_id' = %(id)s::text OR args->>'job_id' = ANY (%(jobs)s))
"""
# What a worker is at stays until it has ended, and says no more whose it was.
_EMPTY: Final = """
UPDATE procrastinate_jobs SET args = '{}', lock = NULL, queueing_lock = NULL
 WHERE args->>'upload_id' = %(id)s::text OR args->>'job_id' = ANY (%(jobs)s)
"""
# One statement a table, in the order of their references. What later parts keep of an upload (rows
# of artifacts, of the search index) is removed here, and is named in `Removed` if it is counted.
_MANIFEST: Final = "DELETE FROM manifests WHERE upload_id = %(id)s"
_INDEXED: Final = "SELECT to_regclass('embedded_rows') IS NOT NULL AS has_index"
_VECTORS: Final = "DELETE FROM embedded_rows WHERE upload_id = %(id)s"
_OTHERS: Final = (
    "DELETE FROM signings WHERE upload_id = %(id)s",
    "DELETE FROM idempotency_keys WHERE upload_id = %(id)s",
    "DELETE FROM deliveries WHERE event_id IN (SELECT id FROM events WHERE upload_id = %(id)s)",
    "DELETE FROM events WHERE upload_id = %(id)s",
    "DELETE FROM uploads WHERE id = %(id)s",
)


class Gone(msgspec.Struct, frozen=True):
    """What was removed of an upload, and whose report counts it."""

    erasure_id: UUID
    found: Found
    removed: Removed


async def remove(tx: Tx, upload_id: UUID) -> Gone | None:
    """Remove the row and everything that names it; ``None`` when somebody else has done so.

    The row is locked first: what others write about the upload waits for that, and finds nothing.
    """
    row = await (await tx.execute(_LOCK, [upload_id])).fetchone()
    if row is None:
        return None
    values: dict[str, Any] = {"id": upload_id}
    jobs = [each["id"] for each in await (await tx.execute(_JOBS, values)).fetchall()]
    values["jobs"] = jobs
    entries = (await tx.execute(_QUEUE, values)).rowcount
    entries += (await tx.execute(_EMPTY, values)).rowcount
    manifests = (await tx.execute(_MANIFEST, values)).rowcount
    index = await (await tx.execute(_INDEXED)).fetchone()
    if index is not None and index["has_index"]:
        await tx.execute(_VECTORS, values)
    for statement in _OTHERS:
        await tx.execute(statement, values)
    removed = Removed(manifests=manifests, jobs=len(jobs), queue_entries=entries)
    return Gone(row["erasure_id"], msgspec.convert(row["found"], Found), removed)
