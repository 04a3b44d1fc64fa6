"""Learn what the bucket enforces, before the service or a worker starts on it."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog
from botocore.exceptions import ClientError

from coordinator.adapters import clock, kept_capabilities
from coordinator.adapters.postgres import Tx
from coordinator.adapters.probe_checks import Found, probe_briefly
from coordinator.adapters.probing import NO_ANSWER, open_probe
from coordinator.adapters.s3_clients import BucketOptions
from coordinator.domain.capabilities import ESSENTIAL, Capabilities
from coordinator.domain.examination import Result

_log = structlog.get_logger(__name__)

_PAUSE_SECONDS: Final = 0.5


class NoAnswerError(Exception):
    """S3 says nothing that would tell what it enforces, and never did."""


async def learn_capabilities(
    tx: Tx, options: BucketOptions, *, prefix: str, patience: timedelta
) -> Capabilities:
    """Probe the bucket and keep the result; while S3 is away, take what was kept before.

    Raises:
        ProbeRefusedError: S3 does not let the service do what every upload needs.
        NoAnswerError: S3 was silent for as long as ``patience``, and nothing was kept.

    """
    give_up = clock.elapsed() + patience.total_seconds()
    while True:
        try:
            return await _probe(tx, options, prefix)
        except (ClientError, NoAnswerError, *NO_ANSWER) as exc:
            why = _words(exc)
        kept = await kept_capabilities.read(tx, endpoint=options.endpoint, bucket=options.name)
        if kept is not None:
            _log.warning("S3 not probed, earlier result taken", error=why)
            return kept
        if clock.elapsed() > give_up:
            raise NoAnswerError(why)
        await asyncio.sleep(_PAUSE_SECONDS)


async def _probe(tx: Tx, options: BucketOptions, prefix: str) -> Capabilities:
    async with open_probe(options, prefix=prefix) as probe:
        found = await probe_briefly(probe)
    learned = _capabilities(found)
    await kept_capabilities.keep(tx, learned, endpoint=options.endpoint, bucket=options.name)
    if learned.lacking:
        _log.warning("S3 does not enforce everything", lacking=sorted(learned.lacking))
    return learned


def _capabilities(found: Found) -> Capabilities:
    """Take what is unknown for lacking, which costs only time, but for what would stop us."""
    for check in sorted(ESSENTIAL):
        if found[check].result is Result.UNKNOWN:
            raise NoAnswerError(found[check].why)
    return Capabilities(
        frozenset(check for check, seen in found.items() if seen.result is not Result.OK)
    )


def _words(exc: Exception) -> str:
    if isinstance(exc, ClientError):
        return str(exc.response["Error"]["Code"])
    return str(exc) if isinstance(exc, NoAnswerError) else type(exc).__name__
