"""Watch uploads for their followers: each upload once in a process, however many follow it.

Rule: followers get what there is to see and no history, so nothing can be lost on the way. An idle
watch holds no connection: hints come over the one that all share, and Postgres is asked when a hint
says so, or now and then, because hints may be lost.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context
from typing import Final
from uuid import UUID

import structlog

from coordinator.adapters.hints import Hint, Hints
from coordinator.adapters.standings import Standing
from coordinator.adapters.stores import Stores
from coordinator.adapters.tasks import end
from coordinator.domain.errors import UploadNotFoundError
from coordinator.domain.phases import Phase
from coordinator.domain.uploads import Owner
from coordinator.operations.look_at_upload import (
    Sight,
    ask_for_progress,
    look,
    look_at_progress,
)
from coordinator.telemetry import EVENT_STREAMS

_log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 2.0  # without Redis: so late an event may be
SAFETY_SECONDS: Final = 15.0  # with Redis: so late it may be when a hint was lost
_SHORTEST_SECONDS: Final = 0.25  # between two looks at one upload: four progress events a second
_ASK_SECONDS: Final = 5.0
_AT_ONCE: Final = 2  # of the pool's connections, for all watches together


class Watch:
    """One upload, as it was seen last."""

    def __init__(self, upload_id: UUID, owner: Owner, sight: Sight) -> None:
        self.upload_id = upload_id
        self.owner = owner
        self.sight = sight
        self.is_lost = False  # nobody looks any more: the upload is gone, or we have failed
        self.followers: set[asyncio.Event] = set()
        self._hinted = asyncio.Event()
        self._is_state_due = True
        self._looked_at = _now()
        self._asked_for: Standing | None = None

    def wake(self, hint: Hint) -> None:
        """Hear a hint. The first report changes the phase, too."""
        self._is_state_due |= hint == "state" or self.sight.standing.phase is Phase.INIT
        self._hinted.set()

    async def look_on(self, stores: Stores, hints: Hints, places: asyncio.Semaphore) -> None:
        """Look at the upload again and again, until cancelled or the upload is gone."""
        while True:
            is_seen = True
            try:
                await self._take(self._look(stores, places))
                if self._must_ask():
                    async with asyncio.timeout(_ASK_SECONDS):
                        await self._take(
                            ask_for_progress(stores, self.upload_id, self.owner, self.sight)
                        )
            except UploadNotFoundError:
                return
            except Exception as exc:  # noqa: BLE001 - the loop outlives every failure, and says so
                _log.warning("not seen", error=type(exc).__name__)
                is_seen = False
            await asyncio.sleep(_SHORTEST_SECONDS)
            await self._until_due(SAFETY_SECONDS if is_seen and hints.are_live else POLL_SECONDS)

    async def _look(self, stores: Stores, places: asyncio.Semaphore) -> Sight:
        self._hinted.clear()
        if not self._is_state_due:
            return await look_at_progress(stores, self.upload_id, self.sight)
        self._is_state_due = False
        self._looked_at = _now()
        async with places:
            return await look(stores, self.upload_id, self.owner, before=self.sight)

    async def _take(self, looking: Awaitable[Sight]) -> None:
        before = self.sight
        seen = await looking
        if self.sight is before:
            self._see(seen)
        else:
            self.wake("state")  # who joined meanwhile has looked later than we: look once more

    def join(self, sight: Sight, looked_at: float) -> None:
        """See what somebody saw who looked for himself, if that was later than our last look."""
        if looked_at >= self._looked_at:
            known = self.sight.uploaded if sight.uploaded is None else sight.uploaded
            self._see(Sight(sight.standing, known))

    def _see(self, sight: Sight) -> None:
        if sight != self.sight:
            self.sight = sight
            self._tell()

    def _must_ask(self) -> bool:
        """Whether S3 is asked how many chunks there are: nobody else knows, once a standing."""
        standing = self.sight.standing
        if self.sight.uploaded is not None or standing == self._asked_for:
            return False
        self._asked_for = standing
        return standing.phase in {Phase.INIT, Phase.UPLOADING}

    async def _until_due(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(self._looked_at + seconds - _now()):
                await self._hinted.wait()
        except TimeoutError:
            self._is_state_due = True

    def _tell(self) -> None:
        for follower in self.followers:
            follower.set()

    def lose(self, _task: asyncio.Task[None]) -> None:
        """Tell the followers that there is nothing more to see."""
        self.is_lost = True
        self._tell()


class Watches:
    """All watches of this process. Opened and closed by :func:`open_watches`."""

    def __init__(self, stores: Stores, hints: Hints, *, most: int) -> None:
        self._stores = stores
        self._hints = hints
        self._most = most
        self._watches: dict[UUID, Watch] = {}
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._count = 0

    @property
    def are_full(self) -> bool:
        """Whether there are as many followers as this process serves."""
        return self._count >= self._most

    @contextmanager
    def following(
        self, upload_id: UUID, owner: Owner, sight: Sight, *, looked_at: float
    ) -> Iterator[tuple[Watch, asyncio.Event]]:
        """Follow an upload that was just seen; the event is set whenever there is more to see.

        ``looked_at`` is the loop's time at which looking began.
        """
        watch = self._watches.get(upload_id)
        if watch is None or watch.is_lost:
            watch = self._begin(Watch(upload_id, owner, sight))
        else:
            watch.join(sight, looked_at)
        news = asyncio.Event()
        watch.followers.add(news)
        self._counted(1)
        try:
            yield watch, news
        finally:
            self._counted(-1)
            watch.followers.discard(news)
            if not watch.followers and self._watches.get(upload_id) is watch:
                self._end(upload_id)

    def _counted(self, change: int) -> None:
        self._count += change
        EVENT_STREAMS.set(self._count)

    def _begin(self, watch: Watch) -> Watch:
        self._watches[watch.upload_id] = watch
        self._hints.add(watch.upload_id, watch.wake)
        # What the request has bound (its id, its span) is not the watch's: others follow it, too.
        task = asyncio.create_task(
            watch.look_on(self._stores, self._hints, self._places), context=Context()
        )
        task.add_done_callback(watch.lose)
        self._tasks[watch.upload_id] = task
        return watch

    def _end(self, upload_id: UUID) -> None:
        self._hints.remove(upload_id)
        del self._watches[upload_id]
        ending = asyncio.create_task(end([self._tasks.pop(upload_id)]), context=Context())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """End what is still watched, before the stores close."""
        for upload_id in list(self._watches):
            self._end(upload_id)
        await asyncio.gather(*self._ending, return_exceptions=True)


@asynccontextmanager
async def open_watches(stores: Stores, hints: Hints, *, most: int) -> AsyncGenerator[Watches]:
    """Open the process' watches for at most ``most`` followers at once."""
    watches = Watches(stores, hints, most=most)
    try:
        yield watches
    finally:
        await watches.close()


def _now() -> float:
    return asyncio.get_running_loop().time()
