"""Reads a run's evidence from the real stores, and keeps the history in Postgres itself."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg
from botocore.exceptions import ClientError
from psycopg.rows import dict_row
from redis import Redis

import manifests
from coordinator.adapters.bucket import TOKEN
from coordinator.domain import ids
from coordinator.domain.names import marker_key
from coordinator.domain.pipelines import plan_jobs
from tests.faults.evidence import (
    ArtifactRow,
    Change,
    Evidence,
    File,
    JobChange,
    JobRow,
    Line,
    ManifestRow,
    Seen,
    UploadRow,
)

MANIFEST_END: Final = ".manifest.json"

# Clones of a database that has this keep their own history.
SCHEMA: Final = """
CREATE TABLE history (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at double precision NOT NULL DEFAULT extract(epoch FROM clock_timestamp()),
  what text NOT NULL,
  change jsonb NOT NULL
);
CREATE FUNCTION keep_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO history (what, change) VALUES (TG_TABLE_NAME, CASE TG_TABLE_NAME
    WHEN 'uploads' THEN jsonb_build_object(
      'upload', to_jsonb(NEW)->'id', 'phase', to_jsonb(NEW)->'phase',
      'reason', to_jsonb(NEW)->'reason', 'intent', to_jsonb(NEW)->'intent',
      'attempt', to_jsonb(NEW)->'attempt', 'generation', to_jsonb(NEW)->'generation',
      'lease_until', extract(epoch FROM (to_jsonb(NEW)->>'lease_until')::timestamptz))
    ELSE jsonb_build_object(
      'job', to_jsonb(NEW)->'id', 'upload', to_jsonb(NEW)->'upload_id',
      'kind', to_jsonb(NEW)->'kind', 'state', to_jsonb(NEW)->'state',
      'attempt', to_jsonb(NEW)->'attempt', 'has_result', (to_jsonb(NEW)->>'result') IS NOT NULL)
    END);
  RETURN NULL;
END $$;
CREATE TRIGGER uploads_history AFTER INSERT OR UPDATE ON uploads
  FOR EACH ROW EXECUTE FUNCTION keep_history();
CREATE TRIGGER jobs_history AFTER INSERT OR UPDATE ON jobs
  FOR EACH ROW EXECUTE FUNCTION keep_history();
"""

_CHANGES: Final = """
SELECT change || jsonb_build_object('at', at) AS change FROM history WHERE what = %s ORDER BY seq
"""
_UPLOADS: Final = """
SELECT id::text, file_name, size_bytes, chunk_bytes, object_key, token, phase, reason, generation,
       attempt, multipart_id, encode(declared_sha256, 'hex') AS declared_sha256, declared_root
  FROM uploads ORDER BY created_at
"""
_JOBS: Final = """
SELECT id::text, upload_id::text AS upload, kind, state, result IS NOT NULL AS has_result FROM jobs
"""
_MANIFESTS: Final = """
SELECT upload_id::text AS upload, digests, root, encode(sha256, 'hex') AS sha256 FROM manifests
"""
_ARTIFACTS: Final = """
SELECT object_key AS key, size_bytes, encode(sha256, 'hex') AS sha256 FROM artifacts
"""
_AUDIT: Final = """
SELECT upload_id::text AS upload, action FROM audit WHERE upload_id IS NOT NULL ORDER BY id
"""
_QUEUE: Final = """
SELECT task_name || ' (' || status || ')' AS task FROM procrastinate_jobs
 WHERE status IN ('todo', 'doing')
"""


def gather(
    dsn: str,
    s3: Any,
    redis: Redis,
    *,
    bucket: str,
    prefix: str,
    files: Mapping[str, File],
    lines: Sequence[Line],
) -> Evidence:
    """Read everything that a run has left."""
    objects, documents = _objects(s3, bucket, prefix)
    with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as conn:

        def rows(query: Any, *values: object) -> list[dict[str, Any]]:
            return conn.execute(query, values).fetchall()

        def changes(what: str, kind: Any) -> Any:
            return tuple(msgspec.convert(row["change"], kind) for row in rows(_CHANGES, what))

        return Evidence(
            files=files,
            changes=changes("uploads", Change),
            job_changes=changes("jobs", JobChange),
            lines=tuple(lines),
            uploads=tuple(_upload(row) for row in rows(_UPLOADS)),
            jobs=tuple(msgspec.convert(row, JobRow) for row in rows(_JOBS)),
            manifests={row["upload"]: _manifest(row) for row in rows(_MANIFESTS)},
            artifacts=tuple(msgspec.convert(row, ArtifactRow) for row in rows(_ARTIFACTS)),
            audit=tuple((row["upload"], row["action"]) for row in rows(_AUDIT)),
            queue=tuple(row["task"] for row in rows(_QUEUE)),
            objects=objects,
            manifest_objects=documents,
            multiparts=multiparts(s3, bucket, prefix),
            redis_keys=tuple(str(key) for key in redis.keys("*")),
            kinds=tuple(each.kind for each in plan_jobs({})),
        )


def _upload(row: Mapping[str, Any]) -> UploadRow:
    public_id = ids.encode(ids.UPLOAD, UUID(row["id"]))
    return msgspec.convert({**row, "public_id": public_id}, UploadRow)


def _manifest(row: Mapping[str, Any]) -> ManifestRow:
    return ManifestRow(digests=_hex(bytes(row["digests"])), root=row["root"], sha256=row["sha256"])


def _hex(digests: bytes) -> tuple[str, ...]:
    return tuple(digests[at : at + 32].hex() for at in range(0, len(digests), 32))


def keys_of(s3: Any, bucket: str, prefix: str) -> list[str]:
    """List the objects under a prefix."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def multiparts(s3: Any, bucket: str, prefix: str) -> tuple[tuple[str, str], ...]:
    """List the multiparts under a prefix."""
    answer = s3.list_multipart_uploads(Bucket=bucket, Prefix=f"{prefix}/")
    return tuple((each["Key"], each["UploadId"]) for each in answer.get("Uploads", []))


def _objects(s3: Any, bucket: str, prefix: str) -> tuple[dict[str, Seen], dict[str, ManifestRow]]:
    found: dict[str, Seen] = {}
    documents: dict[str, ManifestRow] = {}
    for key in keys_of(s3, bucket, prefix):
        if key == marker_key(prefix):
            continue
        try:
            answer = s3.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError:
            continue
        body = answer["Body"].read()
        if key.endswith(MANIFEST_END):
            documents[key] = _document(body)
        else:
            found[key] = Seen(
                size_bytes=len(body),
                token=answer["Metadata"].get(TOKEN),
                root=answer.get("ChecksumSHA256"),
                sha256=hashlib.sha256(body).hexdigest(),
            )
    return found, documents


def _document(body: bytes) -> ManifestRow:
    manifest = manifests.parse(body)
    return ManifestRow(
        digests=_hex(manifest.digests),
        root=manifests.root(manifest.digests),
        sha256=None if manifest.sha256 is None else manifest.sha256.hex(),
    )


def clear(s3: Any, bucket: str, prefix: str) -> None:
    """Leave nothing under a prefix."""
    for key in keys_of(s3, bucket, prefix):
        s3.delete_object(Bucket=bucket, Key=key)
    for key, multipart_id in multiparts(s3, bucket, prefix):
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=multipart_id)
