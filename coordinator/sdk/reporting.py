"""Tells the service which chunks have arrived, beside the sending and never in its way.

Rule: a report that fails is sent again with the next one and fails nothing.
"""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTimeError
from typing import Final

from coordinator.sdk.errors import ClientError
from coordinator.sdk.service import Service

_FULL: Final = 50
_MAX: Final = 1_000
_EVERY_S: Final = 1.0
_LAST_S: Final = 5.0


class Reporter:
    """The reports of one upload: every second, or every fifty chunks."""

    def __init__(self, service: Service, upload_id: str) -> None:
        self._service = service
        self._upload_id = upload_id
        self._pending: dict[int, str] = {}
        self._on_way: dict[int, str] = {}
        self._future: Future[None] | None = None
        self._sent_at = time.monotonic()
        self._pool = ThreadPoolExecutor(1, f"upload-{upload_id[-6:]}-report")

    def add(self, index: int, etag: str) -> None:
        """Note a chunk that S3 has."""
        self._pending[index] = etag

    def flush(self) -> None:
        """Send what is due, unless a report is still on its way."""
        if self._future is not None and not self._future.done():
            return
        self._settle()
        due = time.monotonic() - self._sent_at >= _EVERY_S or len(self._pending) >= _FULL
        if self._pending and due:
            self._send()

    def finish(self) -> None:
        """Send the rest and wait a little, so that the count is whole before completion."""
        for _ in range(len(self._pending) // _MAX + 2):
            if self._future is not None:
                try:
                    self._future.exception(_LAST_S)
                except NotInTimeError:
                    return
                if self._settle():
                    return
            if not self._pending:
                return
            self._send()

    def shutdown(self, *, wait: bool, cancel_futures: bool) -> None:
        """End the thread."""
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)

    def _send(self) -> None:
        taken = list(self._pending)[:_MAX]
        self._on_way = {index: self._pending.pop(index) for index in taken}
        self._sent_at = time.monotonic()
        self._future = self._pool.submit(self._service.report, self._upload_id, dict(self._on_way))

    def _settle(self) -> bool:
        """Take back what was not delivered; True if that happened."""
        if self._future is None:
            return False
        failure, self._future = self._future.exception(), None
        if failure is None:
            return False
        if not isinstance(failure, ClientError):
            raise failure
        self._pending = self._on_way | self._pending
        return True
