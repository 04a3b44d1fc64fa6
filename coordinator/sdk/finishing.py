"""From the last chunk to COMPLETED: declares the root, waits, sends again what S3 has lost."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from coordinator.sdk.answers import Completed, Status
from coordinator.sdk.errors import ProblemError, StoppedError, UploadFailedError
from coordinator.sdk.service import Service, indexes

# Chunks that S3 has lost are sent again so often.
_ROUNDS: Final = 5
# While it is assembled: asked at these intervals, and told to go on every half minute, in case
# that whoever was at it has died.
_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 2.0
_NUDGE_S: Final = 30.0


def complete(
    service: Service,
    upload_id: str,
    checksum: str | None,
    *,
    send_again: Callable[[Sequence[int]], object],
    stop: threading.Event,
) -> Completed:
    """Complete the upload and return the proven end of it.

    Raises:
        UploadFailedError: it has ended in FAILED.
        ProblemError: the service refuses, or S3 has lost chunks again and again.
        StoppedError: the caller ended it; the service goes on all the same.

    """
    rounds = 0
    while True:
        try:
            answer = service.complete(upload_id, checksum)
        except ProblemError as exc:
            rounds += 1
            if exc.code == "parts-missing" and rounds <= _ROUNDS:
                send_again(indexes(exc, "missingChunks"))
                continue
            if exc.code == "wrong-phase" and exc.fields.get("phase") == "FAILED":
                raise UploadFailedError(upload_id, exc.fields.get("reason")) from exc
            raise
        if isinstance(answer, Completed):
            return answer
        _await_settled(service, upload_id, stop)


def _await_settled(service: Service, upload_id: str, stop: threading.Event) -> None:
    """Return when it is assembled, has failed or was reopened, or after half a minute."""
    deadline = time.monotonic() + _NUDGE_S
    wait_s = _FIRST_WAIT_S
    while time.monotonic() < deadline:
        if stop.wait(wait_s):
            raise StoppedError
        if service.status(upload_id).status.upper() != "ASSEMBLING":
            return
        wait_s = min(_LONGEST_WAIT_S, wait_s * 1.5)


def await_jobs(
    service: Service, upload_id: str, *, timeout_s: float | None, stop: threading.Event
) -> Status:
    """Return the status once the upload and all its jobs have ended.

    Raises:
        UploadFailedError: it has ended in FAILED.
        TimeoutError: that took longer than ``timeout_s``.
        StoppedError: the caller ended the waiting.

    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    wait_s = _FIRST_WAIT_S
    while True:
        status = service.status(upload_id)
        if status.status.upper() == "FAILED":
            raise UploadFailedError(upload_id, status.reason)
        if status.status.upper() == "COMPLETED" and (
            status.ai_pipeline is None or status.ai_pipeline.has_ended
        ):
            return status
        if deadline is not None and time.monotonic() + wait_s > deadline:
            raise TimeoutError(f"{upload_id} was not through after {timeout_s} s.")
        if stop.wait(wait_s):
            raise StoppedError
        wait_s = min(_LONGEST_WAIT_S, wait_s * 1.5)
