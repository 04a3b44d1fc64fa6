"""How a worker ends: it takes nothing new, finishes what it has at hand, and hands on the rest.

What is not finished in time goes back into the queue at once. It counts as an attempt, and whatever
a body that nobody waits for any more still finds is fenced off by the next one.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import structlog
from procrastinate import App, BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job
from procrastinate.worker import Worker
from typing_extensions import override

from coordinator.adapters import queue
from coordinator.adapters.queue_connector import PatientConnector

_log = structlog.get_logger(__name__)

FINISH_SECONDS: Final = 30.0

_HEARTBEAT_SECONDS: Final = 5.0
_THREADS_SECONDS: Final = 1.0
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class HandedOn(BaseRetryStrategy):
    """An attempt that was cut short by the worker's end is made again, by another worker."""

    @override
    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Return when; ``None`` for a failure that is the job's own."""
        cut_short = isinstance(exception, asyncio.CancelledError)
        return RetryDecision(retry_at=queue.AT_ONCE) if cut_short else None


async def work_until_told(
    app: App,
    go_round: Callable[[asyncio.Event], Coroutine[Any, Any, None]],
    *,
    concurrency: int,
    queues: Sequence[str] | None = None,
    finish_seconds: float = FINISH_SECONDS,
) -> None:
    """Work and go round until SIGTERM or SIGINT, then finish for ``finish_seconds`` at most.

    A second signal hands on at once what is at hand.
    """
    at_hand: set[asyncio.Task[Any]] = set()

    async def noted(call: Callable[[], Awaitable[Any]], *_: object) -> Any:
        task = asyncio.current_task()
        assert task is not None, "procrastinate runs each job in a task"
        at_hand.add(task)
        try:
            return await call()
        finally:
            at_hand.discard(task)

    worker = Worker(
        app,
        queues=queues,
        concurrency=concurrency,
        fetch_job_polling_interval=2.0,
        install_signal_handlers=False,
        worker_middleware=[noted],
    )
    # procrastinate gives them no types.
    run: Callable[[], Coroutine[Any, Any, None]] = worker.run
    stop: Callable[[], None] = worker.stop
    told, hurry = asyncio.Event(), asyncio.Event()

    def hear() -> None:
        (hurry if told.is_set() else told).set()

    rounds = asyncio.create_task(go_round(told))
    working = asyncio.create_task(run())
    with _heard(hear):
        listening = asyncio.create_task(told.wait())
        await asyncio.wait({working, listening}, return_when=asyncio.FIRST_COMPLETED)
        told.set()
        await listening
        if isinstance(app.connector, PatientConnector):
            app.connector.leave()
        stop()
        _log.info("stopping", at_hand=len(at_hand))
        await _finish({working, rounds}, app, worker, hurry, finish_seconds)
        if at_hand:
            _log.info("handing on", jobs=len(at_hand))
        for task in {*at_hand, rounds}:
            task.cancel()
        await asyncio.gather(rounds, return_exceptions=True)
        await working


@contextmanager
def _heard(hear: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, hear)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def _finish(
    what: set[asyncio.Task[None]], app: App, worker: Worker, hurry: asyncio.Event, seconds: float
) -> None:
    """Wait for ``what``, the worker looking alive meanwhile, or until there is no more time."""
    finished = asyncio.create_task(asyncio.wait(what))
    hurried = asyncio.create_task(hurry.wait())
    alive = asyncio.create_task(_look_alive(app, worker))
    try:
        await asyncio.wait(
            {finished, hurried}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        for task in (finished, hurried, alive):
            task.cancel()
        await asyncio.gather(finished, hurried, alive, return_exceptions=True)


async def _look_alive(app: App, worker: Worker) -> None:
    """Say that the worker lives: procrastinate's stops as soon as it is told to stop itself.

    Else others would take its jobs for stalled while it finishes them.
    """
    while worker.worker_id is not None:
        await app.job_manager.update_heartbeat(worker.worker_id)
        await asyncio.sleep(_HEARTBEAT_SECONDS)


async def leave() -> None:
    """End the process now if a thread is still busy with a job that was handed on.

    Python waits for its threads, however long they take. To be called last, all stores closed.
    """
    threads = asyncio.ensure_future(asyncio.get_running_loop().shutdown_default_executor())
    await asyncio.wait({threads}, timeout=_THREADS_SECONDS)
    if not threads.done():
        _log.warning("left a job running")
        logging.shutdown()
        os._exit(0)
