"""A worker that erases and retains, and is killed at a point: forked, as importing takes longer."""

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import botocore.loaders
import botocore.session

from coordinator import points
from coordinator import settings as settings_module
from coordinator.adapters.stores import open_stores
from coordinator.operations.erase import erase
from coordinator.operations.retain_uploads import retain_uploads
from tests.faults.warm import _WARM

_WARM.set_forkserver_preload(["pytest", "coordinator.cli.server", "tests.faults.erasing"])
# What botocore reads of S3, once for all that are forked: it takes longer than erasing.
_LOADER: Final = botocore.session.create_loader(None)
_LOADER.load_service_model("s3", "service-2")
_LOADER.load_service_model("s3", "endpoint-rule-set-1")


def _loaded(search_path_string: str | None = None) -> botocore.loaders.Loader:
    del search_path_string  # nobody here has files of their own
    return _LOADER


def _work(environ: Mapping[str, str], point: str, log: Path) -> None:
    """Go round once, in the forked process."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.environ.update(environ)
    botocore.session.create_loader = _loaded
    points.install(lambda passed: os.kill(os.getpid(), signal.SIGKILL) if passed == point else None)
    asyncio.run(_go_round(environ))


async def _go_round(environ: Mapping[str, str]) -> None:
    names = {name: text for name, text in environ.items() if name.startswith("COORDINATOR_")}
    async with open_stores(settings_module.read(names)) as stores:
        await retain_uploads(stores)
        await erase(stores)


async def work_until_killed(environ: Mapping[str, str], point: str, log: Path) -> int | None:
    """Let a worker go round; return its exit code, -9 where it was killed at ``point``."""
    process = _WARM.Process(target=_work, args=(dict(environ), point, log))
    process.start()
    await asyncio.to_thread(process.join, 60)
    return process.exitcode
