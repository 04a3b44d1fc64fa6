"""What all kinds of trainers have in common: what they are asked, and what comes of it.

What libraries say may repeat addresses and keys: it is never chained or shown.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final, Protocol

import httpx
import msgspec

from coordinator.adapters.outbound_http import AddressRefusedError, NameUnknownError, why_lost
from coordinator.domain.trainings import Handoff, Standing, shortened
from coordinator.redaction import HIDDEN, redact

# Of refusals, those that may be none in an hour.
_TEMPORARY: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)


class TrainerAwayError(Exception):
    """The trainer does not answer, or not as it should. ``code`` is stable, and all there is."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class TrainerRefusedError(Exception):
    """The trainer will not take it, however often it is asked. ``detail`` has no secret in it."""

    def __init__(self, detail: str) -> None:
        self.detail = shortened(redact(detail)) or ""
        super().__init__(self.detail)


class Material(Protocol):
    """What trainers need of the data set, made when it is asked for. May raise StoppedError."""

    def lines(self, split: str) -> Iterator[bytes]:
        """Yield the rows as JSON lines, the same bytes each time."""

    def listing(self, split: str) -> str:
        """Write a list of the split's files, as SageMaker reads one, and return its address."""

    def note(self) -> None:
        """Hear whether to go on."""


class TrainerClient(Protocol):
    """An opened trainer. It blocks, and belongs to one thread."""

    def submit(self, handoff: Handoff, material: Material) -> Standing:
        """Hand over, or find that an earlier try did.

        Raises:
            TrainerAwayError: later perhaps.
            TrainerRefusedError: never.

        """

    def look(self, external_id: str) -> Standing | None:
        """Ask where a training stands; ``None``: this kind cannot be asked.

        Raises:
            TrainerAwayError: later perhaps.
            TrainerRefusedError: it does not tell us.

        """

    def close(self) -> None:
        """Close connections."""


@contextmanager
def http_faults() -> Iterator[None]:
    """Name what went wrong below HTTP."""
    try:
        yield
    except AddressRefusedError:
        raise TrainerRefusedError("address-refused: it is none of the Internet") from None
    except NameUnknownError:
        raise TrainerAwayError("name-unknown") from None
    except httpx.TimeoutException:
        raise TrainerAwayError("timeout") from None
    except httpx.HTTPError as exc:
        raise TrainerAwayError(why_lost(exc)) from None


def judge(status: int, body: bytes, *, hide: Iterable[str]) -> None:
    """Return if all is well. ``hide``: what answers may repeat and nobody may see.

    Raises:
        TrainerAwayError: it may be well later.
        TrainerRefusedError: it will not.

    """
    if httpx.codes.is_success(status):
        return
    if httpx.codes.is_server_error(status) or status in _TEMPORARY:
        raise TrainerAwayError(f"http-{status}")
    if httpx.codes.is_redirect(status):
        raise TrainerRefusedError(f"http-{status}: redirects are not followed")
    said = _message(body)
    for secret in hide:
        said = said.replace(secret, HIDDEN)
    raise TrainerRefusedError(f"http-{status}: {said}" if said else f"http-{status}")


def _message(body: bytes) -> str:
    """Find what a refusal says in the places where APIs say it."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ""
    for name in ("error", "message", "detail"):
        if isinstance(answer, dict) and name in answer:
            answer = answer[name]
    return answer if isinstance(answer, str) else ""
