"""An executor of the machines of a Dask cluster, for pieces that one machine would be too slow for.

What the scheduler is told of a task is its name and a random suffix: arguments hold credentials, so
they travel packed and have no repr. Whatever a worker computes twice has the same bytes.
"""

import importlib
import importlib.util
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future
from typing import Any, Final, ParamSpec, TypeVar
from uuid import uuid4

import structlog
from typing_extensions import override

from coordinator.jobs.child_processes import LostTaskError

_P = ParamSpec("_P")
_R = TypeVar("_R")

_log = structlog.get_logger(__name__)

_CONNECT_SECONDS: Final = 10

# How often Dask itself begins a task again that raised; a worker's death is no such failure.
_RETRIES: Final = 0


class DaskMissingError(RuntimeError):
    """A scheduler is named, but what could speak with it is not installed."""


class Cluster(Executor):
    """Runs tasks where the scheduler at ``address`` wants them, and connects when it has one.

    Raises:
        DaskMissingError: the extra ``dask`` is not installed.

    """

    def __init__(self, address: str) -> None:
        if importlib.util.find_spec("distributed") is None:
            raise DaskMissingError(
                f"DASK_SCHEDULER_ADDRESS is {address}, but Dask is not installed: "
                "pip install 'upload-coordinator[dask]', or unset it."
            )
        self._address = address
        self._client: Any = None  # distributed has hardly any types
        self._lock = threading.Lock()

    @override
    def submit(self, fn: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_R]:
        client = self._connected()
        name = getattr(fn, "name", "task")
        task = client.submit(
            _Packed(fn, args, kwargs), key=f"{name}-{uuid4().hex}", pure=False, retries=_RETRIES
        )
        future: Future[_R] = Future()

        def cancel_there(done: Future[_R]) -> None:
            if done.cancelled():
                task.cancel()

        def take(done: Any) -> None:
            _take(done, future)

        future.add_done_callback(cancel_there)
        task.add_done_callback(take)
        return future

    @override
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        del wait, cancel_futures  # tasks belong to this client, and end with it
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close(timeout=_CONNECT_SECONDS)

    def _connected(self) -> Any:
        """Return the client; a new one where the scheduler went away and the old one gave up."""
        distributed: Any = importlib.import_module("distributed")  # an extra, and slow to import
        with self._lock:
            if self._client is None or self._client.status not in {"running", "connecting"}:
                security = distributed.Security(
                    require_encryption=self._address.startswith("tls://")
                )
                self._client = distributed.Client(
                    self._address,
                    security=security,
                    timeout=_CONNECT_SECONDS,
                    set_as_default=False,
                    name="coordinator",
                )
                _log.info("connected to Dask", scheduler=self._address)
            return self._client


class _Packed:
    """A call whose arguments do not show: workers log the repr of what failed."""

    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._call = (function, args, kwargs)

    def __call__(self) -> Any:
        function, args, kwargs = self._call
        return function(*args, **kwargs)

    @override
    def __repr__(self) -> str:
        return "<a piece's work>"


def _take(done: Any, future: "Future[Any]") -> None:
    """Give ``future`` what came of Dask's own."""
    from distributed.scheduler import KilledWorker  # noqa: PLC0415

    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(done.result())
    except (KilledWorker, CancelledError) as exc:
        lost = LostTaskError("Dask lost this task: no scheduler, or its workers died of it.")
        lost.__cause__ = exc
        future.set_exception(lost)
    except BaseException as exc:  # noqa: BLE001 - whatever it is, the future has it
        future.set_exception(exc)
