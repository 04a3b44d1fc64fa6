"""An upload as it goes on: server-sent events, over as many connections as it takes."""

import threading
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from coordinator.sdk.answers import Pipeline, Progressed
from coordinator.sdk.errors import (
    ClientError,
    ProblemError,
    StoppedError,
    UnexpectedAnswerError,
    UnreachableError,
)
from coordinator.sdk.retries import Patience
from coordinator.sdk.service import CONNECTION_FAILURES, Service, is_passing


class PhaseChanged(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where the upload stands; ``reason`` says why it FAILED."""

    status: str
    reason: str | None = None
    generation: int = 1


Event = Progressed | PhaseChanged | Pipeline
_Kind = type[Progressed] | type[PhaseChanged] | type[Pipeline]

# Other kinds may come: the API only grows.
_KINDS: Final[Mapping[str, _Kind]] = {
    "progress": Progressed,
    "phase": PhaseChanged,
    "jobs": Pipeline,
}


def follow(service: Service, upload_id: str, stop: threading.Event) -> Iterator[Event]:
    """Yield how things stand now, then each change, until nothing will change any more.

    Raises:
        ProblemError: there is no such upload, or the key has ended.
        UnreachableError: the service cannot be reached, for as long as it made sense to try.
        StoppedError: ``stop`` was set.

    """
    last: str | None = None
    patience = Patience(service.patience_s, stop)
    while True:
        failure: ClientError = UnreachableError(f"{service.url} ends every stream at once.")
        try:
            with service.events(upload_id, last) as lines:
                if lines is None:
                    return
                for event_id, event in _events(lines, stop):
                    last = event_id
                    patience = Patience(service.patience_s, stop)
                    yield event
        except ProblemError as problem:
            if not is_passing(problem):
                raise
            failure = problem
        except CONNECTION_FAILURES as exc:
            name = type(exc).__name__
            failure = UnreachableError(f"{service.url} does not answer: {name}.")
        if not patience.pause():
            raise failure


def _events(lines: Iterator[str], stop: threading.Event) -> Iterator[tuple[str, Event]]:
    """Read events as HTML, section 9.2.6, has them; what is cut off in the middle is none."""
    fields: dict[str, str] = {}
    for line in lines:
        if stop.is_set():
            raise StoppedError
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        kind = _KINDS.get(fields.get("event", ""))
        if kind is not None:
            yield fields.get("id", ""), _read(fields.get("data", ""), kind)
        fields = {}


def _read(data: str, kind: _Kind) -> Event:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as exc:
        raise UnexpectedAnswerError(f"No event of an upload: {exc}") from None
