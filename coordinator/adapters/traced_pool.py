"""One span for each use of a Postgres connection: the wait for it, its statements, the commit.

Rule: of a statement its first word and its first table are told, never its text or its values.
"""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import lru_cache
from itertools import groupby
from typing import Any, Final, Self

import psycopg
from opentelemetry.trace import Span
from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import Row
from typing_extensions import override

from coordinator import tracing
from coordinator.adapters.bounded_pool import BoundedConnection, BoundedPool

_VERB: Final = re.compile(r"\s*(?:--[^\n]*\n\s*)*([A-Z]+)")
# What comes after these words is a table, or a function that answers rows: not so in
# `extract(epoch FROM sum(…))`, and where nothing does, the first function is what is called.
_TABLE: Final = r"([a-z][a-z0-9_.]*)\b(?!\s*\(\s*[a-z]+[.(])"
_TARGETS: Final = {
    "INSERT": (re.compile(rf"\bINTO\s+{_TABLE}"),),
    "UPDATE": (re.compile(rf"\bUPDATE\s+{_TABLE}"),),
}
_USUAL: Final = (
    re.compile(rf"\bFROM\s+{_TABLE}"),
    re.compile(r"\bSELECT\s+(?:unnest\(\s*)?([a-z][a-z0-9_]*)\("),
)
_LONGEST: Final = 255  # what the semantic conventions ask of a summary


@lru_cache(maxsize=512)
def summary(statement: str) -> str:
    """Name what a statement does, in few words from few.

    >>> summary("UPDATE uploads SET phase = 'FAILED' WHERE id = %s")
    'UPDATE uploads'
    >>> summary("SELECT held.* FROM (SELECT * FROM uploads FOR UPDATE) AS held")
    'SELECT uploads'
    >>> summary("SELECT signed.* FROM sign_chunks(%(id)s, %(tenant)s) AS signed")
    'SELECT sign_chunks'
    >>> summary("SELECT extract(epoch FROM sum(j.seconds)) FROM (SELECT * FROM jobs) AS j")
    'SELECT jobs'
    """
    found = _VERB.match(statement)
    if found is None:
        return "other"
    verb = found.group(1)
    matches = (each.search(statement) for each in _TARGETS.get(verb, _USUAL))
    target = next(filter(None, matches), None)
    return f"{verb} {target.group(1)}" if target else verb


class _NotingCursor(AsyncCursor[Row]):
    @override
    async def execute(self, query: Any, *args: Any, **kwargs: Any) -> Self:
        noted = getattr(self.connection, "noted", None)
        if noted is not None:
            noted.append(summary(query) if isinstance(query, str) else "other")
        return await super().execute(query, *args, **kwargs)


class TracedConnection(BoundedConnection[Row]):
    """A connection that notes what is done with it while somebody wants to know."""

    noted: list[str] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cursor_factory = _NotingCursor


class TracedPool(BoundedPool[Row]):
    """A pool whose every use is a span of the trace it is part of."""

    @override
    @asynccontextmanager
    async def connection(
        self, timeout: float | None = None
    ) -> AsyncGenerator[AsyncConnection[Row]]:
        """Lend a connection until the block ends."""
        opened = tracing.start_call("postgresql", {tracing.DB_SYSTEM: "postgresql"})
        if not opened.is_recording():
            async with super().connection(timeout) as conn:
                yield conn
            return
        noted: list[str] = []
        try:
            async with super().connection(timeout) as conn:
                assert isinstance(conn, TracedConnection)
                conn.noted = noted
                try:
                    yield conn
                finally:
                    conn.noted = None
        except psycopg.Error as exc:
            # A refusal of ours rolls back as well, but is no failure of Postgres.
            tracing.fail(opened, exc)
            raise
        finally:
            _tell(opened, noted)
            opened.end()


def _tell(opened: Span, noted: list[str]) -> None:
    """Name the span by its statements, those that were repeated once."""
    if noted:
        told = ", ".join(name for name, _ in groupby(noted))[:_LONGEST]
        opened.update_name(told)
        opened.set_attribute(tracing.DB_SUMMARY, told)
