"""Runs the pieces of a job many at a time: in processes of this machine, or on a Dask cluster.

Results come back in the order of the pieces, as they would from a plain loop: the same bytes,
wherever they were computed.
"""

import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final, Generic, TypeVar

import msgspec
from typing_extensions import override

from coordinator.jobs.child_processes import Children, LostTaskError
from coordinator.jobs.dask_cluster import Cluster
from coordinator.jobs.stopping import StoppedError

_R = TypeVar("_R")

# How long it may take to notice that nobody waits for the job any more.
_LOOK_SECONDS: Final = 0.2


@contextmanager
def open_executor(
    processes: int,
    dask_address: str | None,
    *,
    log_level: str = "info",
    secrets: Iterable[str] = (),
) -> Iterator[Executor]:
    """Open what runs pieces, until the block ends: what still runs then is killed, or let go.

    Children of this machine log as this process does, by ``log_level`` and hiding what it hides
    and ``secrets``; a Dask worker is somebody else's process, and logs as its operator told it.

    Raises:
        DaskMissingError: a scheduler is named, and the extra ``dask`` is not installed.

    """
    if dask_address:
        cluster = Cluster(dask_address)
        try:
            yield cluster
        finally:
            cluster.shutdown()
        return
    children = Children(processes, log_level=log_level, secrets=secrets)
    try:
        yield children
    finally:
        children.end()


def mapped(
    executor: Executor,
    function: Callable[..., _R],
    pieces: Iterable[Any],
    arguments: Sequence[Any] = (),
    *,
    kept: Mapping[int, bytes],
    on_result: Callable[[int, bytes | None, int], None],
    is_stopped: Callable[[], bool],
    keep: bool,
    ahead: int,
    name: str = "piece",
) -> Iterator[_R]:
    """Yield ``function(piece, *arguments)`` of each piece, in order, computing ``ahead`` at once.

    ``on_result`` is told each piece that is done, in whatever order they are: its position, the
    result as JSON if it is to be kept and is not yet, and how many are done. What is ``kept`` is
    not computed again, unless it is no result of this function any more. ``name`` is what a
    cluster's dashboard shows; it has the position behind it.

    Raises:
        StoppedError: ``is_stopped`` says so.
        LostTaskError: a process that computed a piece died. Trying again helps.

    """
    returns = typing.get_type_hints(function)["return"]
    work = _Pieces(executor, function, arguments, _Format(returns, as_json=keep), name)
    todo = enumerate(pieces)
    kept_format: _Format[_R] = _Format(returns, as_json=True)
    position = done = 0
    try:
        while True:
            if is_stopped():
                raise StoppedError
            for at, piece in islice(todo, ahead - work.count):
                if at in kept and work.keep(at, kept[at], kept_format):
                    done += 1
                    on_result(at, None, done)
                else:
                    work.begin(at, piece)
            if not work.count:
                return
            for at, body in work.finished(0 if position in work.ready else _LOOK_SECONDS):
                done += 1
                on_result(at, body if keep else None, done)
            if position in work.ready:
                yield work.ready.pop(position)
                position += 1
    finally:
        work.cancel()


class _Format(Generic[_R]):
    """How results travel: as what can be kept, else as what is smaller and takes bytes."""

    def __init__(self, returns: Any, *, as_json: bool) -> None:
        module = msgspec.json if as_json else msgspec.msgpack
        self.encode: Callable[[Any], bytes] = module.encode
        self.decode: Callable[[bytes], _R] = module.Decoder(returns).decode


class _Pieces(Generic[_R]):
    """What was begun and not yet given out."""

    def __init__(
        self,
        executor: Executor,
        function: Callable[..., _R],
        arguments: Sequence[Any],
        travel: _Format[_R],
        name: str,
    ) -> None:
        self.ready: dict[int, _R] = {}
        self._executor = executor
        self._function = function
        self._arguments = tuple(arguments)
        self._format = travel
        self._name = name
        self._running: dict[Future[bytes], int] = {}

    @property
    def count(self) -> int:
        return len(self._running) + len(self.ready)

    def begin(self, at: int, piece: Any) -> None:
        work = _Work(
            name=f"{self._name}-{at}",
            function=self._function,
            arguments=(piece, *self._arguments),
            encode=self._format.encode,
        )
        self._running[self._executor.submit(work)] = at

    def keep(self, at: int, body: bytes, kept_format: _Format[_R]) -> bool:
        """Take an earlier attempt's result, if it still is one."""
        try:
            self.ready[at] = kept_format.decode(body)
        except msgspec.DecodeError:
            return False
        return True

    def finished(self, seconds: float) -> Iterator[tuple[int, bytes]]:
        """Wait for a result, but not longer than this, and give all that are there."""
        for future in wait(self._running, seconds, FIRST_COMPLETED).done:
            at = self._running.pop(future)
            try:
                body = future.result()
            except CancelledError as exc:  # nobody here has cancelled it
                raise LostTaskError("The task was dropped by whoever should run it.") from exc
            self.ready[at] = self._format.decode(body)
            yield at, body

    def cancel(self) -> None:
        for future in self._running:
            future.cancel()


class _Work(msgspec.Struct, frozen=True):
    """One piece's work as it travels. Its arguments hold credentials: its repr has none."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    encode: Callable[[Any], bytes]

    def __call__(self) -> bytes:
        return self.encode(self.function(*self.arguments))

    @override
    def __repr__(self) -> str:
        return f"<{self.name}>"
