"""The client for asyncio: the blocking one on threads, because hashing would block a loop anyway.

Rule: nothing is decided here. A cancelled call stops its thread; the upload can be resumed.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from coordinator.sdk.answers import HandedOut, Listed, Status, UploadToken
from coordinator.sdk.client import Client
from coordinator.sdk.events import Event
from coordinator.sdk.handle import Handle
from coordinator.sdk.searching import Dataset, Hit
from manifests import Manifest, Verdict

T = TypeVar("T")


class AsyncHandle:
    """A completed upload: S3 holds the file, proven. Its jobs may still be running."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self.upload_id = handle.upload_id
        self.result = handle.result

    async def status(self) -> Status:
        """Return what the service knows of it now."""
        return await asyncio.to_thread(self._handle.status)

    async def wait(self, timeout: float | None = None) -> Status:  # noqa: ASYNC109 - as Handle.wait
        """Return the status once all jobs have ended; see ``Handle.wait``."""
        stop = threading.Event()
        return await _stoppable(stop, lambda: self._handle.wait(timeout, stop=stop))


class AsyncClient:
    """The same as ``Client``, awaitable; arguments and exceptions are described there.

    ``progress`` is called from another thread than the loop's.
    """

    def __init__(self, url: str | None = None, key: str | None = None) -> None:
        self._client = Client(url, key)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await asyncio.to_thread(self._client.close)

    async def upload(
        self, path: str | os.PathLike[str], purpose: str | None = None, **options: Any
    ) -> AsyncHandle:
        """Upload a file and return when S3 has been proven to hold it; see ``Client.upload``."""
        stop = threading.Event()
        return AsyncHandle(
            await _stoppable(stop, lambda: self._client.upload(path, purpose, stop=stop, **options))
        )

    async def hand_out(self, *, file_name: str, size: int, **options: Any) -> HandedOut:
        """Open an upload for somebody else to send; see ``Client.hand_out``."""
        return await asyncio.to_thread(
            lambda: self._client.hand_out(file_name=file_name, size=size, **options)
        )

    async def renew_token(self, upload_id: str) -> UploadToken:
        """Return another token for an upload that is open."""
        return await asyncio.to_thread(self._client.renew_token, upload_id)

    async def status(self, upload_id: str, *, verify: bool = False) -> Status:
        """Return what the service knows of an upload."""
        return await asyncio.to_thread(self._client.status, upload_id, verify=verify)

    async def events(self, upload_id: str) -> AsyncIterator[Event]:
        """Yield how an upload stands, then each change; see ``Client.events``.

        Cancelled, its thread ends with the next event or heartbeat, within 15 seconds.
        """
        stop = threading.Event()
        events = self._client.events(upload_id, stop=stop)
        while (each := await _stoppable(stop, lambda: next(events, None))) is not None:
            yield each

    async def list(self, *, phase: str | None = None) -> AsyncIterator[Listed]:
        """Yield the caller's uploads, newest first."""
        uploads = self._client.list(phase=phase)
        while (each := await asyncio.to_thread(next, uploads, None)) is not None:
            yield each

    async def search(
        self, query: str, *, upload_id: str | None = None, limit: int = 10
    ) -> Sequence[Hit]:
        """Return the rows that mean what ``query`` says; see ``Client.search``."""
        return await asyncio.to_thread(self._client.search, query, upload_id=upload_id, limit=limit)

    async def datasets(self) -> AsyncIterator[Dataset]:
        """Yield the uploads that have a card, newest first."""
        found = self._client.datasets()
        while (each := await asyncio.to_thread(next, found, None)) is not None:
            yield each

    async def card(self, upload_id: str) -> dict[str, Any]:
        """Return a data set's card; see ``Client.card``."""
        return await asyncio.to_thread(self._client.card, upload_id)

    async def manifest(self, upload_id: str) -> Manifest:
        """Return the manifest of a completed upload."""
        return await asyncio.to_thread(self._client.manifest, upload_id)

    async def download(
        self, upload_id: str, path: str | os.PathLike[str] | None = None, **options: Any
    ) -> Path:
        """Write a completed upload to ``path``; see ``Client.download``."""
        stop = threading.Event()
        return await _stoppable(
            stop, lambda: self._client.download(upload_id, path, stop=stop, **options)
        )

    async def verify(
        self, path: str | os.PathLike[str], upload: str | Manifest, **options: Any
    ) -> Verdict:
        """Compare a local file with a completed upload, or with a manifest at hand."""
        stop = threading.Event()
        return await _stoppable(
            stop, lambda: self._client.verify(path, upload, stop=stop, **options)
        )

    async def abort(self, upload_id: str) -> bool:
        """Give an upload up; see ``Client.abort``."""
        return await asyncio.to_thread(self._client.abort, upload_id)


async def _stoppable(stop: threading.Event, work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except asyncio.CancelledError:
        stop.set()
        raise
