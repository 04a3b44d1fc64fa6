"""The process that runs a job, as the threads of bodies see it: calls wait for the event loop."""

import asyncio
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

from coordinator.adapters import artifacts
from coordinator.adapters.bucket import Bucket
from coordinator.adapters.object_writing import ObjectWriting, Stored
from coordinator.adapters.postgres import Pool
from coordinator.domain import sigv4
from coordinator.domain.jobs import Job
from coordinator.jobs.object_reader import ObjectSource

_T = TypeVar("_T")


class S3Place(NamedTuple):
    """How objects are read past the service's own client."""

    endpoint: str  # empty: AWS's
    region: str
    path_addressing: bool


class Host:
    """One job's way to the event loop. Called from any thread but the loop's own."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        bucket: Bucket,
        place: S3Place,
        *,
        pool: Pool | None = None,
        job: Job | None = None,
    ) -> None:
        self._loop = loop
        self._bucket = bucket
        self._place = place
        self._pool = pool
        self._job = job

    def begin(self, work: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Let the loop do ``work``."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Let the loop do ``work``, and wait for it."""
        return self.begin(work).result()

    def source(self, key: str, size_bytes: int) -> ObjectSource:
        """Say how to read an object, with credentials that are good for a while."""
        keys = self.wait(self._bucket.credentials())
        return ObjectSource(
            bucket=self._bucket.name,
            key=key,
            size=size_bytes,
            endpoint=self._place.endpoint or sigv4.aws_endpoint(self._place.region),
            region=self._place.region,
            path_addressing=self._place.path_addressing,
            access_key=keys.access_key,
            secret_key=keys.secret_key,
            session_token=keys.session_token,
        )

    def writing(self, key: str, *, media_type: str, token: str, part_bytes: int) -> ObjectWriting:
        """Make what writes an object."""
        return ObjectWriting(
            self._bucket, key, media_type=media_type, token=token, part_bytes=part_bytes
        )

    def holds(self, stored: Stored) -> bool:
        """Say whether S3 holds such an object."""
        facts = self.wait(self._bucket.facts(stored.key))
        return facts is not None and facts.may_be(stored.size_bytes, stored.root)

    def kept(self, task: bytes) -> Mapping[int, bytes]:
        """Return what pieces of the job were kept for ``task``."""
        if self._pool is None or self._job is None:
            return {}
        return self.wait(self._kept(self._pool, self._job, task))

    def keep(self, task: bytes, position: int, result: bytes) -> None:
        """Keep what a piece gave."""
        if self._pool is not None and self._job is not None:
            self.wait(self._keep(self._pool, self._job, task, position, result))

    async def _kept(self, pool: Pool, job: Job, task: bytes) -> Mapping[int, bytes]:
        async with pool.connection() as conn:
            return await artifacts.kept_pieces(conn, job.id, task)

    async def _keep(self, pool: Pool, job: Job, task: bytes, position: int, result: bytes) -> None:
        async with pool.connection() as conn:
            await artifacts.keep_piece(conn, job, task, position, result)
