"""The ledger: which chunks the client says it has sent, in Redis.

Rule: advice for progress, never proof. Whatever is in here can be rebuilt from S3, and an upload
completes without it. All keys of an upload share a hash tag, so a report is one script on one node.
A session of 10,000 chunks costs at most 256 KiB: ETags lie packed in hashes of 100 fields, which
Redis keeps as one listpack each, and the rest are two bitmaps.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from coordinator.adapters.scripts import Script
from coordinator.domain import ids
from coordinator.domain.errors import InvalidFieldError, UploadNotFoundError, WrongPhaseError
from coordinator.domain.uploads import Owner, Upload

_BUCKET: Final = 100
_BATCH: Final = 1_000
_MD5_HEX: Final = 32
_HINT_SECONDS: Final = 0.5
_BURIED_MS: Final = 3_600_000  # longer than any request that has read the row may take


class Report(msgspec.Struct, frozen=True):
    """One chunk as a client reports it."""

    index: int
    etag: str | None = None
    failed: bool = False


class Reported(msgspec.Struct, frozen=True):
    """What came of a report: a word a chunk, in the order given, and the count after it.

    ``is_last``: the upload completes by itself, and nothing is missing any more.
    """

    words: list[str]
    uploaded: int
    total: int
    is_last: bool = False


class Chunks(msgspec.Struct, frozen=True):
    """What the ledger holds of one upload."""

    uploaded: frozenset[int]
    failed: frozenset[int]


def _key(upload_id: UUID, part: str) -> str:
    return "{" + ids.encode(ids.UPLOAD, upload_id) + "}:" + part


def channel(upload_id: UUID) -> str:
    """Return where hints are published that something of an upload has changed."""
    return _key(upload_id, "changes")


def _etags_key(upload_id: UUID, bucket: int) -> str:
    return _key(upload_id, f"etags:{bucket}")


def _main_keys(upload_id: UUID) -> list[str]:
    return [_key(upload_id, part) for part in ("head", "uploaded", "failed")]


def _all_keys(upload: Upload) -> list[str]:
    buckets = range(upload.plan.chunk_count // _BUCKET + 1)
    return _main_keys(upload.id) + [_etags_key(upload.id, bucket) for bucket in buckets]


def _tombstone(upload_id: UUID) -> str:
    return _key(upload_id, "erased")


def _pack(etag: str) -> bytes:
    """Pack an ETag of 32 hex digits into 16 bytes; mark others with a quote.

    Bytes that begin with the mark themselves stay text, so that no two ETags look alike.
    """
    bare = etag.strip('"')
    try:
        packed = bytes.fromhex(bare) if len(bare) == _MD5_HEX else b""
    except ValueError:
        packed = b""
    is_plain = packed.hex() == bare and not packed.startswith(b'"')
    return packed if packed and is_plain else b'"' + bare.encode()


def _members(bitmap: bytes) -> frozenset[int]:
    return frozenset(
        at * 8 + bit
        for at, byte in enumerate(bitmap)
        if byte
        for bit in range(8)
        if byte & (0x80 >> bit)
    )


class Ledger:
    """The ledgers of all uploads. ``redis`` is opened and closed by the composition root."""

    def __init__(self, redis: Redis, *, lifetime: timedelta) -> None:
        self._redis = redis
        self._lifetime_ms = int(lifetime.total_seconds() * 1000)
        self._report = Script(redis, "report")
        self._read = Script(redis, "read")
        self._reset = Script(redis, "reset")
        self._clear = Script(redis, "clear")
        self._count = Script(redis, "count")
        self._forget = Script(redis, "forget")
        self._bury = Script(redis, "bury")

    async def report(
        self, upload_id: UUID, owner: Owner, reports: Sequence[Report], *, total: int | None = None
    ) -> Reported | None:
        """Note reports, all or none, in one round trip; ``None`` when the head must be rebuilt.

        Raises:
            UploadNotFoundError: the upload is somebody else's.
            WrongPhaseError: its chunk list is frozen or it is over.
            InvalidFieldError: an index is out of range or ``total`` is wrong; nothing was noted.

        """
        keys = _main_keys(upload_id)
        numbers: dict[int, int] = {}
        flat: list[Any] = []
        for each in reports:
            number = 0
            if each.etag and not each.failed:
                bucket = each.index // _BUCKET
                if bucket not in numbers:
                    keys.append(_etags_key(upload_id, bucket))
                    numbers[bucket] = len(keys)
                number = numbers[bucket]
            state = "failed" if each.failed else "uploaded"
            flat += [each.index, state, number, _pack(each.etag or "") if number else b""]
        head = [owner.tenant, owner.user or "", "" if total is None else total, self._lifetime_ms]
        return _read_answer(await self._report(keys, [*head, *flat]))

    async def read(self, upload_id: UUID) -> Chunks | None:
        """Read what is known, in one round trip; ``None`` when Redis has forgotten the upload."""
        answer = await self._read(_main_keys(upload_id))
        if not answer[0]:
            return None
        return Chunks(_members(answer[1]), _members(answer[2]))

    async def count(self, upload_id: UUID) -> int | None:
        """Count the uploaded chunks; ``None`` when Redis has forgotten the upload."""
        head, uploaded, _failed = _main_keys(upload_id)
        is_known, found = await self._count([head, uploaded])
        return int(found) if is_known else None

    async def notify(self, upload_id: UUID) -> None:
        """Hint to watchers that phase or jobs have changed. A lost hint costs them seconds."""
        try:
            async with asyncio.timeout(_HINT_SECONDS):
                await self._redis.publish(channel(upload_id), "state")
        except (RedisConnectionError, RedisTimeoutError, TimeoutError):
            return

    async def open(self, upload: Upload) -> None:
        """Start an empty ledger, for an upload that has no chunks in S3 yet."""
        await self.rebuild(upload, {})

    async def rebuild(self, upload: Upload, held: Mapping[int, str]) -> None:
        """Replace what is known by what S3 holds: chunk index to ETag."""
        head: dict[str, str | int] = {
            "tenant": upload.tenant,
            "user": upload.user_id,
            "phase": upload.phase,
            "total": upload.plan.chunk_count,
            "generation": upload.generation,
            "automatic": int(upload.auto_complete),
        }
        fields = [text for field in head.items() for text in field]
        keys = [_tombstone(upload.id), *_all_keys(upload)]
        await self._reset(keys, [self._lifetime_ms, *fields])
        if upload.is_open:
            owner = Owner(upload.tenant, upload.user_id)
            reports = [Report(index, etag) for index, etag in sorted(held.items())]
            for at in range(0, len(reports), _BATCH):
                await self.report(upload.id, owner, reports[at : at + _BATCH])

    async def clear(self, upload_id: UUID, chunks: Sequence[int]) -> None:
        """Forget chunks that S3 turned out not to hold; what else is known stays."""
        await self._clear(_main_keys(upload_id)[:2], list(chunks))

    async def answers(self) -> bool:
        """Say whether Redis answers now."""
        try:
            return bool(await self._redis.ping())
        except (RedisConnectionError, RedisTimeoutError):
            return False

    async def forget(self, upload: Upload) -> None:
        """Drop all keys of an upload that has moved on, and hint at that to watchers.

        The next report rebuilds the head.
        """
        await self._forget(_all_keys(upload))

    async def bury(self, upload: Upload) -> None:
        """Drop all keys of an upload that is being erased, and let none of them come back.

        Whoever read the row before may be about to rebuild the ledger.
        """
        await self._bury([_tombstone(upload.id), *_all_keys(upload)], [_BURIED_MS])


def _read_answer(answer: Sequence[Any]) -> Reported | None:
    kind, rest = answer[0].decode(), answer[1:]
    match kind:
        case "done":
            uploaded, total, automatic, *words = rest
            is_last = automatic == b"1" and uploaded == total
            return Reported([word.decode() for word in words], uploaded, total, is_last)
        case "miss":
            return None
        case "denied":
            raise UploadNotFoundError
        case "closed":
            raise WrongPhaseError(phase=rest[0].decode(), event="report chunks")
        case "total":
            raise InvalidFieldError("totalChunks", f"This upload has {int(rest[0])} chunks.")
        case _:
            raise InvalidFieldError("chunkIndex", f"There is no chunk {int(rest[0])}.")
