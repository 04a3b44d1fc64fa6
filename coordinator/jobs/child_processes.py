"""An executor of child processes: each has a pipe, and a thread here that feeds it.

Python's own pool (3.11) fails every task when one child dies, hangs when a cancelled task is among
these, and deadlocks when it replaces children. Here a child that dies fails the one task that it
had, and the next task gets a new child.
"""

import logging
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor, Executor, Future
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from queue import Empty, SimpleQueue
from typing import Any, Final, ParamSpec, TypeVar

import msgspec
from typing_extensions import override

from coordinator import redaction
from coordinator.telemetry import configure_logs

_P = ParamSpec("_P")
_R = TypeVar("_R")

# Libraries keep some memory of whatever they have seen: a child is replaced after so many tasks.
_TASKS_EACH: Final = 200

# What one kind of job has loaded is no use to the next, and takes its memory.
_IDLE_SECONDS: Final = 3.0

# A terminal and systemd send these to every process; a worker that is told so finishes its tasks.
_NOT_FOR_CHILDREN: Final = (signal.SIGINT, signal.SIGTERM)

_starting = threading.Lock()


class LostTaskError(BrokenExecutor):
    """Whoever computed a task died or went away. Trying again helps."""


class _Task(msgspec.Struct, frozen=True):
    future: Future[Any]
    call: Callable[[], Any]


class _Call(msgspec.Struct, frozen=True):
    """A function with its arguments, as it goes through a pipe."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __call__(self) -> Any:
        return self.function(*self.args, **self.kwargs)


class Children(Executor):
    """Runs tasks in ``count`` processes of this machine, which are started when they are needed.

    Children end with this process, however it ends. They log as it does, and hide
    ``secrets`` beside what it hides.
    """

    def __init__(
        self,
        count: int,
        *,
        log_level: str = "info",
        secrets: Iterable[str] = (),
        tasks_each: int = _TASKS_EACH,
    ) -> None:
        self._start = (log_level, frozenset(secrets))
        self._tasks_each = tasks_each
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._children: set[_Child] = set()
        self._lock = threading.Lock()
        self._is_closed = self._is_ending = False
        self._feeders = [
            threading.Thread(target=self._feed, name=f"feeder-{number}", daemon=True)
            for number in range(count)
        ]
        for feeder in self._feeders:
            feeder.start()

    @override
    def submit(self, fn: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_R]:
        future: Future[_R] = Future()
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the executor is closed")
            self._tasks.put(_Task(future, _Call(fn, args, kwargs)))
        return future

    @override
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                if cancel_futures:
                    self._cancel()
                for _ in self._feeders:
                    self._tasks.put(None)
        if wait:
            for feeder in self._feeders:
                feeder.join()

    def end(self) -> None:
        """Kill what is running, and wait for it to be gone."""
        self.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            self._is_ending = True
            for child in self._children:
                child.kill()
        self.shutdown(wait=True)

    def _cancel(self) -> None:
        while True:
            try:
                task = self._tasks.get_nowait()
            except Empty:
                return
            if task is not None and task.future.cancel():
                task.future.set_running_or_notify_cancel()  # wakes whoever waits for it

    def _feed(self) -> None:
        """Give one child task after task. A new one comes when it died, or has had enough."""
        child: _Child | None = None
        try:
            while True:
                try:
                    task = self._tasks.get(timeout=None if child is None else _IDLE_SECONDS)
                except Empty:
                    assert child is not None, "there is no haste without one"
                    self._drop(child)
                    child = None
                    continue
                if task is None:
                    return
                if task.future.set_running_or_notify_cancel():
                    child = self._run(task, child)
                del task  # its result may be large
        finally:
            if child is not None:
                self._drop(child)

    def _run(self, task: _Task, child: "_Child | None") -> "_Child | None":
        """Return the child that the next task is for, if there is one."""
        try:
            if child is None:
                child = self._new_child()
            result = child.ask(task.call)
        except BaseException as exc:  # noqa: BLE001 - whatever it is, the future has it
            if child is not None and isinstance(exc, LostTaskError):
                self._drop(child)
                child = None
            task.future.set_exception(exc)
        else:
            task.future.set_result(result)
        if child is not None and child.asked >= self._tasks_each:
            self._drop(child)
            return None
        return child

    def _new_child(self) -> "_Child":
        log_level, secrets = self._start
        child = _Child(log_level, secrets | redaction.remembered())
        with self._lock:
            self._children.add(child)
            if self._is_ending:
                child.kill()
        return child

    def _drop(self, child: "_Child") -> None:
        with self._lock:
            self._children.discard(child)
        child.end()


class _Child:
    """One process, as its feeder sees it."""

    def __init__(self, log_level: str, secrets: frozenset[str]) -> None:
        self.asked = 0
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, log_level, secrets), name="pieces", daemon=True
        )
        with _starting:
            resource_tracker.ensure_running()  # else it is started now, and unblocks signals
            # Inherited: there is no moment at which a signal to the group could end the child.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, _NOT_FOR_CHILDREN)
            try:
                self._process.start()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
                theirs.close()  # else its end would not show here

    def ask(self, call: Callable[[], Any]) -> Any:
        """Run ``call`` in the child, and return or raise what it returns or raises."""
        self.asked += 1
        message = pickle.dumps(call)
        try:
            self._pipe.send_bytes(message)
            answer = self._pipe.recv_bytes()
        except (EOFError, OSError) as exc:
            raise LostTaskError("The process that computed this died.") from exc
        result, failure = pickle.loads(answer)  # noqa: S301 - our own child wrote it
        if failure is not None:
            raise failure
        return result

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        """Let an idle child go; kill one that is not idle."""
        self._pipe.close()
        self._process.join(timeout=1)
        self._process.kill()
        self._process.join()
        self._process.close()


def _serve(pipe: Connection, log_level: str, secrets: frozenset[str]) -> None:
    """Answer calls until the pipe ends. This runs in the child."""
    for number in _NOT_FOR_CHILDREN:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    redaction.remember(secrets)
    configure_logs(log_level)
    while True:
        try:
            message = pipe.recv_bytes()
        except EOFError:
            return
        pipe.send_bytes(_answer(message))


def _end_with_parent() -> None:
    """Whatever this process is at, end it with its parent: nobody would take the result."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "this runs in children only"
    wait([parent.sentinel])
    os._exit(1)


def _answer(message: bytes) -> bytes:
    try:
        call = pickle.loads(message)  # noqa: S301 - our own parent wrote it
        return pickle.dumps((call(), None))
    except BaseException as exc:  # noqa: BLE001 - the parent raises it
        where = "".join(traceback.format_tb(exc.__traceback__))
        return pickle.dumps((None, sendable(exc, where)))


def sendable(exc: BaseException, where: str) -> BaseException:
    """Return ``exc`` with a note of where it was raised, or what is left of it after a pipe."""
    exc.add_note(where)
    try:
        pickle.loads(pickle.dumps(exc))  # noqa: S301 - the next line but two does the same
    except Exception:
        # A class with arguments of its own raises anything.
        logging.getLogger(__name__).warning("an error went through no pipe", exc_info=exc)
        lost = RuntimeError(f"{type(exc).__name__} in a piece's work")
        lost.add_note(where)
        return lost
    return exc
