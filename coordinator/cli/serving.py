"""The service's process: how it listens, and how it ends without failing anybody's request.

SIGTERM: ``/readyz`` turns 503 at once, the listener stays open for a while so that load balancers
notice, then what is under way is finished. Another signal ends each of these waits. The exit code
is 0 then; only a service that could not start has another.
"""

import asyncio
import resource
import signal
import socket
import sys
from types import FrameType
from typing import Final

import structlog
import uvicorn
from litestar import Litestar
from typing_extensions import override

from coordinator.adapters import clock
from coordinator.cli.patience import Patience, patient
from coordinator.settings import Settings

_log = structlog.get_logger(__name__)

_FINISH_SECONDS: Final = 60
_CLOSE_SECONDS: Final = 5  # of these 60, kept for closing the stores
_OWN_FILES: Final = 512  # what a process needs beside its clients' connections
# Longer than load balancers keep theirs (AWS's 60 s): a server that hangs up first may do so while
# a request is on its way.
_KEEP_ALIVE_SECONDS: Final = 75


def serve(app: Litestar, settings: Settings) -> None:
    """Serve until a signal ends it."""
    patience = Patience.of(settings)
    _allow_files(patience.max_connections)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        http=patient(patience),
        ws="none",  # an upgrade is a request as any other
        proxy_headers=False,  # whom to believe is a setting of ours, COORDINATOR_TRUSTED_PROXIES
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_FINISH_SECONDS - _CLOSE_SECONDS,
    )
    server = _Server(config, app, drain_seconds=settings.drain_seconds)
    server.run()
    if not server.started and not server.should_exit:
        sys.exit(uvicorn.config.STARTUP_FAILURE)


def _allow_files(connections: int) -> None:
    """Let the process have so many connections open, beside its own, where the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OWN_FILES
    possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < possible:
        resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    if possible < wanted:
        _log.warning("the system allows fewer connections", wanted=wanted, allowed=possible)


class _Server(uvicorn.Server):
    """uvicorn's server, but that SIGTERM is first told to the load balancer and then obeyed."""

    def __init__(self, config: uvicorn.Config, app: Litestar, *, drain_seconds: float) -> None:
        super().__init__(config)
        self._app = app
        self._drain_seconds = drain_seconds
        self._signals = 0
        self._drained_at: float | None = None

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Hear of a signal; ``on_tick`` obeys. Captured is none, so that the process exits 0."""
        self._signals += 1
        if self.should_exit:
            self.force_exit = True
        elif sig != signal.SIGTERM or self._signals > 1 or not self.started:
            self.should_exit = True

    @override
    async def on_tick(self, counter: int) -> bool:
        """Begin to drain when a signal has come, and stop when the time is over."""
        if self._signals and self._drained_at is None:
            self._drained_at = clock.elapsed() + self._drain_seconds
            self._app.state.draining.set()
            self.config.encoded_headers.append((b"connection", b"close"))
            _log.info("draining", seconds=0 if self.should_exit else self._drain_seconds)
            counter = 0  # uvicorn renews its headers then, and not in every tick
        if self._drained_at is not None and clock.elapsed() >= self._drained_at:
            self.should_exit = True
        return await super().on_tick(counter)

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish requests and background completions, for a minute at most."""
        try:
            async with asyncio.timeout(_FINISH_SECONDS):
                await super().shutdown(sockets)
        except TimeoutError:
            # Their leases end, and a worker takes them over.
            _log.warning("left unfinished", background=len(self._app.state.background))
