"""What a run of both pipelines has left: rows, objects, and what the receiver took."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import psycopg
from psycopg.rows import dict_row

from coordinator.cli.demo_ai_receiver import EVENTS, TRAINER, Receiver
from coordinator.domain.names import audit_head_folder, manifest_key, marker_key
from tests.faults.gathering import keys_of, multiparts

_JOBS: Final = """
SELECT id::text, kind, state, attempt, result, error_code, blocks, rows FROM jobs ORDER BY id
"""
_ARTIFACTS: Final = """
SELECT job_id::text, path, object_key, size_bytes, root, encode(sha256, 'hex') AS sha256, media_type
  FROM artifacts ORDER BY object_key
"""
_UPLOADS: Final = "SELECT object_key FROM uploads ORDER BY object_key"
_INDEX: Final = """
SELECT count(*) AS rows,
       md5(string_agg(md5(concat_ws('|', upload_id, row_number, model, edition, text, vector)), ''
                      ORDER BY upload_id, row_number)) AS digest
  FROM embedded_rows
"""
_LEFT: Final = """
SELECT (SELECT count(*) FROM job_pieces) AS pieces,
       (SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')) AS queued,
       (SELECT count(*) FROM deliveries WHERE state <> 'delivered') AS undelivered
"""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that can be compared, and all that must be so of itself."""

    jobs: dict[str, dict[str, Any]]  # by id
    artifacts: dict[str, dict[str, Any]]  # by key
    uploads: list[str]  # keys
    index: dict[str, Any]
    left: dict[str, int]
    objects: dict[str, tuple[int, str, str | None]]  # key: size, SHA-256, S3's own checksum
    multiparts: tuple[tuple[str, str], ...]
    facts: Counter[tuple[str, str, str | None]]  # of events: type, upload, kind of job
    repeats: int
    handovers: dict[str, Any]  # by id
    unsigned: int
    changed_bodies: int

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """Return the jobs without what a kill may change: how often they were tried."""
        return {
            name: {key: value for key, value in job.items() if key != "attempt"}
            for name, job in self.jobs.items()
        }

    @property
    def attempts(self) -> Mapping[str, int]:
        """Return how often each kind was tried, over both uploads."""
        return Counter(
            {
                kind: sum(job["attempt"] for job in self.jobs.values() if job["kind"] == kind)
                for kind in sorted({job["kind"] for job in self.jobs.values()})
            }
        )

    def named(self, prefix: str) -> set[str]:
        """Return the keys that rows give a reason for."""
        keys = {*self.uploads, *self.artifacts}
        return {marker_key(prefix), *keys, *map(manifest_key, keys)}


def gather(dsn: str, s3: Any, receiver: Receiver, *, bucket: str, prefix: str) -> Evidence:
    """Read everything."""
    with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as conn:

        def rows(query: Any) -> list[dict[str, Any]]:
            return conn.execute(query).fetchall()

        jobs = {row["id"]: row for row in rows(_JOBS)}
        artifacts = {row["object_key"]: row for row in rows(_ARTIFACTS)}
        uploads = [row["object_key"] for row in rows(_UPLOADS)]
        index, left = rows(_INDEX)[0], rows(_LEFT)[0]
    heads = audit_head_folder(prefix)
    keys = [key for key in keys_of(s3, bucket, prefix) if not key.startswith(heads)]
    return Evidence(
        jobs=jobs,
        artifacts=artifacts,
        uploads=uploads,
        index=index,
        left=left,
        objects={key: _seen(s3, bucket, key) for key in keys},
        multiparts=multiparts(s3, bucket, prefix),
        facts=Counter(
            (each["type"], each["subject"], each["data"].get("job", {}).get("kind"))
            for each in receiver.taken(EVENTS).values()
        ),
        repeats=receiver.repeats(EVENTS) + receiver.repeats(TRAINER),
        handovers=receiver.taken(TRAINER),
        unsigned=receiver.unsigned,
        changed_bodies=receiver.changed_bodies,
    )


def _seen(s3: Any, bucket: str, key: str) -> tuple[int, str, str | None]:
    answer = s3.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    digest, size = hashlib.sha256(), 0
    for block in answer["Body"].iter_chunks(1 << 20):
        digest.update(block)
        size += len(block)
    return size, digest.hexdigest(), answer.get("ChecksumSHA256")
