"""Log lines of one module, whoever set up the logs before in this process."""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs


@contextmanager
def captured(module: ModuleType) -> Iterator[list[MutableMapping[str, Any]]]:
    """Capture what ``module`` logs. Its own logger may be bound already, and would go around."""
    with capture_logs() as lines, pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_log", structlog.get_logger(module.__name__))
        yield lines
