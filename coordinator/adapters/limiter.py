"""Rate limits in Redis, all buckets of a request in one round trip; in memory while it is away.

Rule: no address, user or tenant stands in Redis. A bucket's key is a keyed hash, so installations
that share a Redis do not meet. All keys share one hash tag: a request's buckets are of different
owners, and a cluster runs a script on one node only.
"""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, cast

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from coordinator.adapters import clock
from coordinator.adapters.scripts import Script
from coordinator.domain.limits import Admission, Charge, RouteClass, admit

_TAG: Final = "{limits}:"
_KEY_BYTES: Final = 16
_MOST_IN_MEMORY: Final = 10_000


class By(StrEnum):
    """Whose bucket it is."""

    ADDRESS = "address"
    USER = "user"
    TENANT = "tenant"


class Where(StrEnum):
    """Who decided."""

    REDIS = "redis"  # for all processes
    MEMORY = "memory"  # this process for itself


class Bucket(msgspec.Struct, frozen=True):
    """One bucket, and what a request asks of it."""

    by: By
    route_class: RouteClass
    owner: tuple[str, ...]
    charge: Charge


class Decision(msgspec.Struct, frozen=True):
    """What came of a request, and who decided it."""

    admission: Admission
    where: Where


class Limiter:
    """The buckets of all clients. ``redis`` is opened and closed by the composition root."""

    def __init__(self, redis: Redis, *, secret: str) -> None:
        self._script = Script(redis, "admit")
        self._memory = _Memory()
        self._secret = hmac.digest(secret.encode(), b"rate limits", hashlib.sha256)

    async def admit(self, buckets: Sequence[Bucket]) -> Decision:
        """Charge all of these buckets, or none if one is too full.

        While Redis is away each process does so by itself, at the same rates.
        """
        keys = [self._key(bucket) for bucket in buckets]
        charges = [bucket.charge for bucket in buckets]
        args: list[int | str] = []
        for charge in charges:
            args += [charge.rate.tolerance_us, charge.cost_us, charge.mode.value]
        try:
            _word, *numbers = await self._script(keys, args)
        except (RedisConnectionError, RedisTimeoutError):
            return Decision(self._memory.admit(keys, charges), Where.MEMORY)
        found = cast("list[int]", numbers)
        return Decision(Admission(tuple(found[::2]), tuple(found[1::2])), Where.REDIS)

    def _key(self, bucket: Bucket) -> str:
        words = msgspec.msgpack.encode((bucket.by, bucket.route_class, bucket.owner))
        return _TAG + hmac.digest(self._secret, words, hashlib.sha256)[:_KEY_BYTES].hex()


class _Memory:
    """Buckets of this process, a bounded number: who has not come for longest is forgotten."""

    def __init__(self) -> None:
        self._arrivals_us: OrderedDict[str, int] = OrderedDict()

    def admit(self, keys: Sequence[str], charges: Sequence[Charge]) -> Admission:
        now_us = int(clock.elapsed() * 1_000_000)
        known = [self._arrivals_us.get(key, 0) for key in keys]
        admission = admit(known, charges, now_us)
        # Nothing was charged to what a refusal leaves as it was, but whoever asks is not forgotten.
        for key, backlog in zip(keys, admission.backlogs_us, strict=True):
            if backlog:
                self._arrivals_us[key] = now_us + backlog
                self._arrivals_us.move_to_end(key)
        while len(self._arrivals_us) > _MOST_IN_MEMORY:
            self._arrivals_us.popitem(last=False)
        return admission
