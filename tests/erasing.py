"""What tests of erasing share: a search through everything that is kept, versioned buckets."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from psycopg import sql
from redis.asyncio import Redis

from coordinator.adapters.entropy import new_uuid
from coordinator.adapters.erasures import NewErasure
from coordinator.adapters.stores import Stores
from coordinator.embedded import bucket as buckets
from tests.builders import rows, uuid_of
from tests.localstack import S3Address

_TABLES = """
SELECT table_schema, table_name FROM information_schema.tables
 WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
"""


def s3_client(s3_server: S3Address) -> Any:
    """A plain client of the server, for looking behind the service."""
    return buckets.client(
        s3_server.s3_endpoint, access_key=s3_server.access_key, secret_key=s3_server.secret_key
    )


@asynccontextmanager
async def versioned_bucket(s3_server: S3Address, *, locks: bool = False) -> AsyncIterator[str]:
    """A bucket that keeps every version; it stays, as the server ends with the run."""
    name = f"versions-{uuid4().hex[:12]}"

    def prepare() -> None:
        s3 = s3_client(s3_server)
        s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=locks)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        s3.close()

    await asyncio.to_thread(prepare)
    yield name


class Traces:
    """Where something can still be read: Postgres, Redis and S3, one word a place."""

    def __init__(self, stores: Stores, s3_server: S3Address, prefix: str) -> None:
        self._stores = stores
        self._s3_server = s3_server
        self._prefix = prefix

    async def of(self, needles: Mapping[str, str]) -> dict[str, list[str]]:
        """Return in which tables, keys and objects each needle stands, by the needle's name."""
        places = [
            *await self._in_postgres(),
            *await self._in_redis(),
            *await asyncio.to_thread(lambda: list(self._in_s3())),
        ]
        return {
            name: sorted({place for place, text in places if _holds(text, needle)})
            for name, needle in needles.items()
        }

    async def _in_postgres(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for table in await rows(self._stores.pool, _TABLES):
            name = sql.Identifier(table["table_schema"], table["table_name"])
            read = sql.SQL("SELECT each::text AS text FROM {} AS each").format(name)
            kept = await rows(self._stores.pool, read)
            found += [(table["table_name"], row["text"]) for row in kept]
        return found

    async def _in_redis(self) -> list[tuple[str, str]]:
        redis = self._stores.ledger._redis
        found = []
        async for key in redis.scan_iter():
            value = await _value_of(redis, key)
            found.append(("redis", f"{key.decode()} {value!r}"))
        return found

    def _in_s3(self) -> Iterable[tuple[str, str]]:
        s3, bucket = s3_client(self._s3_server), self._stores.bucket.name
        versions = s3.list_object_versions(Bucket=bucket, Prefix=f"{self._prefix}/")
        assert not versions["IsTruncated"]
        for each in versions.get("Versions", []):
            named = {"Bucket": bucket, "Key": each["Key"], "VersionId": each["VersionId"]}
            answer = s3.get_object(**named)
            body = answer["Body"].read().decode(errors="replace")
            yield "object", f"{each['Key']} {answer['Metadata']} {body}"
        for each in versions.get("DeleteMarkers", []):
            yield "marker", each["Key"]
        for each in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
            if each["Key"].startswith(f"{self._prefix}/"):
                yield "multipart", each["Key"]
        s3.close()


def _holds(text: str, needle: str) -> bool:
    """Bytes of tables are shown in hex."""
    return needle in text or needle.encode().hex() in text


async def _value_of(redis: Redis, key: bytes) -> object:
    match await redis.type(key):
        case b"string":
            return await redis.get(key)
        case b"hash":
            return await redis.hgetall(key)
        case b"zset":
            return await redis.zrange(key, 0, -1)
        case kind:
            raise AssertionError(f"a key of type {kind!r}: read it here")


def of_upload(upload_id: str, *, tenant: str = "default", **changes: Any) -> NewErasure:
    """Ask for an upload's erasure as an admin would."""
    return NewErasure(
        id=new_uuid(),
        tenant=tenant,
        upload_id=uuid_of(upload_id),
        requested_by="ck_admin",
        **changes,
    )


def of_user(user: str, *, tenant: str = "default", **changes: Any) -> NewErasure:
    """Ask for a user's erasure as an admin would."""
    return NewErasure(
        id=new_uuid(), tenant=tenant, user_id=user, requested_by="ck_admin", **changes
    )
