"""What time it is at S3, by the Date of its answers: it refuses signatures that are 15 minutes off.

Rule: a date is kept with the moment at which it came, so that whatever happens to the host's clock
later changes nothing. Signing asks S3 for the time only where nothing is known, or before it
refuses.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from coordinator.adapters import clock
from coordinator.domain.errors import ClockOffError
from coordinator.telemetry import timed_s3

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_log = structlog.get_logger(__name__)

TOLERANCE: Final = timedelta(seconds=60)

_GOOD_SECONDS: Final = 3_600.0  # a date is trusted for so long: no machine drifts that fast
_PAUSE_SECONDS: Final = 5.0  # between two questions
_PATIENCE_SECONDS: Final = 3.0

Ask = Callable[[], Awaitable[Any]]


class _Heard(NamedTuple):
    date: datetime
    at: float


def read_date(text: str) -> datetime:
    """Read the Date of an answer, which is UTC whatever it calls it (RFC 9110, section 5.6.7).

    Raises:
        ValueError: it is no date.

    """
    date = parsedate_to_datetime(text)
    return date.replace(tzinfo=date.tzinfo or UTC)


class S3Clock:
    """S3's time as its last answer told it."""

    def __init__(self) -> None:
        self._heard: _Heard | None = None
        self._asked_at: float | None = None
        self._one_question = asyncio.Lock()

    def listen(self, client: "S3Client") -> None:
        """Hear the dates of all answers that ``client`` gets from now on, refusals too."""
        client.meta.events.register("response-received.s3", self._hear)

    def _hear(
        self, event_name: str, parsed_response: dict[str, Any] | None = None, **_: object
    ) -> None:
        # The head of a long completion comes minutes before its end, where we stand.
        if parsed_response is None or event_name.endswith(".CompleteMultipartUpload"):
            return
        headers = parsed_response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        with suppress(KeyError, ValueError):
            self._heard = _Heard(read_date(headers["date"]), clock.elapsed())

    async def agreed(self, ask: Ask) -> datetime:
        """Return the host's time, to sign with, if S3 agrees. ``ask`` makes S3 answer anything.

        While S3's time is not known, since it does not answer, the host's is taken for right.

        Raises:
            ClockOffError: they differ by more than a minute.

        """
        off = self._off()
        if off is None or abs(off) > TOLERANCE:
            await self._ask(ask)
            off = self._off() or timedelta()
        if abs(off) > TOLERANCE:
            raise ClockOffError(
                f"The service's clock is {_words(off)} S3's, which would refuse what it signs.",
                seconds_off=round(off.total_seconds()),
            )
        return clock.now()

    def _off(self) -> timedelta | None:
        """Return how far the host's clock is ahead; ``None`` where that is not known any more."""
        if self._heard is None:
            return None
        since = clock.elapsed() - self._heard.at
        if since > _GOOD_SECONDS:
            return None
        return clock.now() - (self._heard.date + timedelta(seconds=since))

    async def _ask(self, ask: Ask) -> None:
        async with self._one_question:
            now = clock.elapsed()
            if self._asked_at is not None and now - self._asked_at < _PAUSE_SECONDS:
                return
            self._asked_at = now
            # A refusal tells the time as well as any answer.
            with suppress(BotoCoreError, ClientError, TimeoutError), timed_s3("HeadBucket"):
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await ask()


def _words(off: timedelta) -> str:
    side = "ahead of" if off > timedelta() else "behind"
    return f"{abs(round(off.total_seconds()))} s {side}"
