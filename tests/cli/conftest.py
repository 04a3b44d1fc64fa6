"""Commands with the settings of a test's own database."""

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from anyio import to_thread
from click.testing import CliRunner, Result

from coordinator.cli import main

Run = Callable[..., Awaitable[Result]]


@pytest.fixture
def run(environ: dict[str, str]) -> Run:
    """Return a function that runs a command with the test's settings, changed or not."""

    async def run(*arguments: str, **changes: str) -> Result:
        invoke = partial(CliRunner().invoke, main, arguments, env={**environ, **changes})
        return await to_thread.run_sync(invoke)  # the commands have event loops of their own

    return run
