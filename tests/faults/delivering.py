"""A worker that delivers events, and is killed at a point: forked, as importing takes longer."""

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from coordinator import points
from coordinator import settings as settings_module
from coordinator.adapters.stores import open_stores
from coordinator.worker.deliveries import deliver_events
from tests.faults.warm import _WARM

_WARM.set_forkserver_preload(["pytest", "coordinator.cli.server", "tests.faults.delivering"])


def _work(environ: Mapping[str, str], point: str, log: Path) -> None:
    """Deliver until killed, in the forked process."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.environ.update(environ)
    points.install(lambda passed: os.kill(os.getpid(), signal.SIGKILL) if passed == point else None)
    asyncio.run(_deliver(environ))


async def _deliver(environ: Mapping[str, str]) -> None:
    names = {name: text for name, text in environ.items() if name.startswith("COORDINATOR_")}
    async with open_stores(settings_module.read(names)) as stores, asyncio.timeout(60):
        await deliver_events(stores, asyncio.Event())


async def deliver_until_killed(environ: Mapping[str, str], point: str, log: Path) -> int | None:
    """Let a worker deliver; return its exit code, -9 where it was killed at ``point``."""
    process = _WARM.Process(target=_work, args=(dict(environ), point, log))
    process.start()
    await asyncio.to_thread(process.join, 90)
    return process.exitcode
