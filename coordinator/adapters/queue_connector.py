"""How a worker talks to the queue: it outlives every absence of Postgres.

procrastinate's worker ends when a fetch, a heartbeat or its listener fails once. Here they are
repeated until Postgres answers. A statement that Postgres has not answered yet is waited for: a
server that was frozen answers it after all, and nobody else would know what became of it.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final, LiteralString

import structlog
from procrastinate import PsycopgConnector
from procrastinate.connector import Notify
from procrastinate.exceptions import ConnectorException
from procrastinate.sql import queries
from psycopg import OperationalError
from psycopg.errors import ForeignKeyViolation, RaiseException
from typing_extensions import override

from coordinator.adapters import bounded_pool
from coordinator.adapters.bounded_pool import BoundedPool

_log = structlog.get_logger(__name__)

_CONNECTIONS: Final = 4
_PAUSE_SECONDS: Final = 1.0
_ENDINGS: Final = frozenset({queries["finish_job"], queries["retry_job"]})

# Fetched by us, but the answer was lost: nobody runs it, and our heartbeat would keep it for ever.
_GIVE_BACK: Final = """
SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL) FROM procrastinate_jobs
 WHERE worker_id = %(worker_id)s AND status = 'doing' AND NOT id = ANY (%(at_hand)s::bigint[])
"""

# Another worker took us for dead while we, or Postgres, were frozen.
_COME_BACK: Final = """
INSERT INTO procrastinate_workers (id) OVERRIDING SYSTEM VALUE VALUES (%(worker_id)s)
ON CONFLICT (id) DO NOTHING
"""


class PatientConnector(PsycopgConnector):
    """Repeats until Postgres answers, or until the worker leaves."""

    def __init__(self, database_url: str) -> None:
        super().__init__(
            pool_factory=BoundedPool,
            conninfo=database_url,
            max_size=_CONNECTIONS,
            timeout=bounded_pool.WAIT_SECONDS,
            reconnect_timeout=bounded_pool.RECONNECT_SECONDS,
            kwargs={"connect_timeout": bounded_pool.CONNECT_SECONDS, **bounded_pool.KEEPALIVES},
        )
        self._at_hand: set[int] = set()
        self._is_leaving = False

    def leave(self) -> None:
        """Repeat nothing from now on: whoever ends must not wait for Postgres."""
        self._is_leaving = True

    @override
    async def execute_query_async(self, query: LiteralString, **arguments: Any) -> None:
        """Run a statement."""
        if query == queries["update_heartbeat"]:
            await self._run(_COME_BACK, worker_id=arguments["worker_id"])
        try:
            await self._run(query, **arguments)
        finally:
            if query in _ENDINGS:
                self._at_hand.discard(arguments["job_id"])

    async def _run(self, query: LiteralString, **arguments: Any) -> None:
        is_repeated = False
        while True:
            try:
                await super().execute_query_async(query, **arguments)
            except ConnectorException as exc:
                if is_repeated and query in _ENDINGS and isinstance(exc.__cause__, RaiseException):
                    return  # it was written the first time, and the answer lost
                await self._pause(exc)
                is_repeated = True
            else:
                return

    @override
    async def execute_query_one_async(
        self, query: LiteralString, **arguments: Any
    ) -> dict[str, Any]:
        """Run a statement that answers one row."""
        while True:
            try:
                row: dict[str, Any] = await super().execute_query_one_async(query, **arguments)
            except ConnectorException as exc:
                await self._pause(exc)
                if query == queries["fetch_job"]:
                    await self._recover(arguments["worker_id"])
            else:
                if query == queries["fetch_job"] and row["id"] is not None:
                    self._at_hand.add(row["id"])
                return row

    async def _recover(self, worker_id: int) -> None:
        await self._run(_COME_BACK, worker_id=worker_id)
        await self._run(_GIVE_BACK, worker_id=worker_id, at_hand=list(self._at_hand))

    @override
    async def execute_query_all_async(
        self, query: LiteralString, **arguments: Any
    ) -> list[dict[str, Any]]:
        """Run a statement that answers rows."""
        while True:
            try:
                rows: list[dict[str, Any]] = await super().execute_query_all_async(
                    query, **arguments
                )
            except ConnectorException as exc:
                await self._pause(exc)
            else:
                return rows

    @override
    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        """Listen until cancelled. A lost connection loses hints only: the worker polls, too."""
        while True:
            try:
                await super().listen_notify(on_notification, channels)
            except ConnectorException as exc:
                await self._pause(exc)

    async def _pause(self, exc: ConnectorException) -> None:
        """Wait a moment, or raise what will not pass, or not be waited for."""
        if self._is_leaving or not isinstance(
            exc.__cause__, OperationalError | ForeignKeyViolation
        ):
            raise exc
        _log.warning("queue away", error=type(exc.__cause__).__name__)
        await asyncio.sleep(_PAUSE_SECONDS)
