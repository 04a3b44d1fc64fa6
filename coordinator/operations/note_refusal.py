"""Note refused access in the audit: a row for the first, and how many more came within a minute.

So nobody fills the table by being refused. A refusal of somebody unknown gets no row: it is counted
and logged.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import structlog
from psycopg import OperationalError

from coordinator.adapters import audit, clock
from coordinator.adapters.postgres import Pool
from coordinator.telemetry import REFUSED_REQUESTS

_log = structlog.get_logger(__name__)

_EVERY_SECONDS: Final = 60.0
_MOST: Final = 10_000  # kept in mind; beyond it refusals are counted and logged only


class Bearer(NamedTuple):
    """Whose credential was refused; ``user`` where the key's own user is known."""

    actor: str
    tenant: str
    user: str | None = None


class _Noted:
    """When the last row was written, and how many refusals came since."""

    def __init__(self, at: float) -> None:
        self.at = at
        self.left_out = 0


class Refusals:
    """Notes refusals. One a process."""

    def __init__(self, pool: Pool, *, elapsed: Callable[[], float] = clock.elapsed) -> None:
        self._pool = pool
        self._elapsed = elapsed
        self._noted: dict[tuple[str, str, str], _Noted] = {}

    async def note(self, bearer: Bearer | None, *, route: str, code: str) -> None:
        """Count one refusal, and write it down unless the same was within the last minute.

        Never fails: the refusal is answered whether or not Postgres takes the row.
        """
        REFUSED_REQUESTS.labels(code).inc()
        _log.info("refused", route=route, code=code)
        if bearer is None:
            return
        left_out = self._due((bearer.actor, route, code))
        if left_out is None:
            return
        facts: dict[str, Any] = {"left_out": left_out} if left_out else {}
        try:
            async with self._pool.connection() as conn:
                await audit.append(
                    conn,
                    "access.refused",
                    tenant=bearer.tenant,
                    actor=bearer.actor,
                    user=bearer.user,
                    route=route,
                    code=code,
                    **facts,
                )
        except OperationalError as exc:
            _log.warning("refusal not noted", error=type(exc).__name__)

    def _due(self, what: tuple[str, str, str]) -> int | None:
        """Return how many were left out before, or ``None`` where this one is left out, too."""
        now = self._elapsed()
        noted = self._noted.get(what)
        if noted is not None and now - noted.at < _EVERY_SECONDS:
            noted.left_out += 1
            return None
        if noted is None and len(self._noted) >= _MOST:
            self._forget(now)
            if len(self._noted) >= _MOST:
                return None
        self._noted[what] = _Noted(now)
        return 0 if noted is None else noted.left_out

    def _forget(self, now: float) -> None:
        self._noted = {
            what: noted
            for what, noted in self._noted.items()
            if now - noted.at < _EVERY_SECONDS or noted.left_out
        }
