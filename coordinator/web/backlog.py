"""``GET /api/health``: what waits and who works, for operators; ``/readyz`` is for machines."""

from typing import Final, Literal

import msgspec
from litestar import get
from litestar.datastructures import State
from litestar.di import NamedDependency

from coordinator.adapters import backlog
from coordinator.adapters.stores import Stores
from coordinator.domain.access import Action
from coordinator.domain.limits import RouteClass
from coordinator.domain.phases import OPEN_PHASES, Phase
from coordinator.domain.uploads import Owner
from coordinator.web.auth import guarded
from coordinator.web.documented import documented
from coordinator.web.pulse import Pulse
from coordinator.web.shapes import Answer, Timestamp, stamp


class WorkerAnswer(Answer):
    """A worker; it is alive if it was heard of within 30 s."""

    worker: int
    last_heartbeat_at: Timestamp
    is_alive: bool


class QueueAnswer(Answer):
    """The jobs of one kind; `oldestSeconds`: how long the first has waited, null if none does."""

    kind: str
    queued: int
    running: int
    oldest_seconds: float | None


class SinkAnswer(Answer):
    """What a sink has not heard of; `dead` was given up until somebody has it tried again."""

    sink: str
    waiting: int
    dead: int
    oldest_seconds: float | None


class HealthAnswer(Answer):
    """How things go. Workers are the installation's, all else is the tenant's.

    Each count ends at 10,000. Queues and sinks without anything in them are left out.
    """

    redis: Literal["ok", "away"]
    workers: list[WorkerAnswer]
    open_uploads: dict[Phase, int]
    queues: list[QueueAnswer]
    sinks: list[SinkAnswer]


@get(
    "/api/health",
    **guarded(Action.RETRY, RouteClass.ADMIN),
    operation_id="readHealth",
    summary="Read what waits and who works",
    tags=["operators"],
    responses=documented(),
)
async def read_health(
    owner: NamedDependency[Owner], stores: NamedDependency[Stores], state: State
) -> HealthAnswer:
    """Read workers with their last heartbeat, queues with their oldest job, and sinks behind."""
    pulse: Pulse = state.pulse
    async with stores.pool.connection() as conn:
        found = await backlog.workers(conn)
        queues = await backlog.lines(conn, owner.tenant)
        sinks = await backlog.posts(conn, owner.tenant)
        counted = await backlog.open_uploads(conn, owner.tenant)
    _, redis = await pulse.of_stores()
    return HealthAnswer(
        redis="ok" if redis else "away",
        workers=[
            WorkerAnswer(
                worker=each.id,
                last_heartbeat_at=stamp(each.last_heartbeat),
                is_alive=each.is_alive,
            )
            for each in found
        ],
        open_uploads={phase: counted.get(phase, 0) for phase in Phase if phase in OPEN_PHASES},
        queues=[QueueAnswer(**msgspec.structs.asdict(each)) for each in queues],
        sinks=[SinkAnswer(**msgspec.structs.asdict(each)) for each in sinks],
    )


ROUTES: Final = (read_health,)
