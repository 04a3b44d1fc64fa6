"""Postgres connections on which nothing waits without a bound.

Postgres may be away in three ways: its connections are cut (a restart), it refuses new ones (it
recovers), or it is silent (frozen, or the network is). All three end as ``OperationalError``.
"""

import time
import traceback
from typing import Any, Final, Self, TypeVar

from psycopg import AsyncConnection, OperationalError
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import Row
from psycopg_pool import AsyncConnectionPool
from typing_extensions import override

T = TypeVar("T")

# A request waits for a connection, then for its statement: 12 s at most when Postgres is silent.
WAIT_SECONDS: Final = 4.0
STATEMENT_SECONDS: Final = 8.0
CONNECT_SECONDS: Final = 3
MAX_WAITING: Final = 500
# So long a pool tries again by itself, ever more slowly; after it, whoever asks makes it try.
RECONNECT_SECONDS: Final = 2.0

# How soon a peer that vanished is noticed; a server that is only frozen still acknowledges.
KEEPALIVES: Final = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}

_IDLE_IN_TRANSACTION_SECONDS: Final = 15

# Not by connection options, which poolers such as PgBouncer refuse.
_BOUND_SERVER: Final = """
SELECT set_config('statement_timeout', %(statement)s, false),
       set_config('idle_in_transaction_session_timeout', %(idle)s, false)
"""


class BoundedConnection(AsyncConnection[Row]):
    """A connection that is closed when the server stays silent on it."""

    @override
    @classmethod
    async def connect(cls, *args: Any, **kwargs: Any) -> Self:
        """Connect; what failed is closed at once.

        The traceback of a timeout holds psycopg's half-made connection until the next garbage
        collection, and with it a socket for each attempt.
        """
        try:
            return await super().connect(*args, **kwargs)
        except OperationalError as exc:
            traceback.clear_frames(exc.__traceback__)
            raise

    @override
    async def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Run one step of the protocol, for 8 s at most."""
        try:
            return await super().wait(gen, interval, timeout or STATEMENT_SECONDS)
        except OperationalError as exc:
            if timeout or self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            # The answer may still come, so nothing else can be asked here any more.
            await self.close()
            raise OperationalError("Postgres did not answer in time.") from exc


class BoundedPool(AsyncConnectionPool[AsyncConnection[Row]]):
    """A pool that hands out no connection which it could know to be dead."""

    @override
    async def getconn(self, timeout: float | None = None) -> AsyncConnection[Row]:
        """Wait for a connection; those that a restart of Postgres has cut are thrown away."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            conn = await super().getconn(deadline - time.monotonic())
            if _stands(conn):
                return conn
            await conn.close()
            await self.putconn(conn)


def _stands(conn: AsyncConnection[Row]) -> bool:
    """Say whether a connection stands, as far as is known here; the server is not asked."""
    try:
        conn.pgconn.consume_input()
        conn.pgconn.is_busy()  # looks at what came, such as "terminated by administrator"
        conn.pgconn.consume_input()
    except OperationalError:
        return False
    return not conn.closed


async def bound_server(conn: AsyncConnection[Row]) -> None:
    """Give the server bounds too: nobody holds a row who has stopped waiting, or is gone."""
    bounds = {
        "statement": f"{STATEMENT_SECONDS:.0f}s",
        "idle": f"{_IDLE_IN_TRANSACTION_SECONDS}s",
    }
    await conn.execute(_BOUND_SERVER, bounds)
