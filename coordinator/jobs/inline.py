"""An executor that has no processes: what is submitted is done at once, in the caller's thread."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

from typing_extensions import override

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Inline(Executor):
    """For small machines and for tests: the same results, one piece after the other."""

    @override
    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Call ``fn`` now."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as exc:  # noqa: BLE001 - whoever asks for the result gets it
            future.set_exception(exc)
        return future
