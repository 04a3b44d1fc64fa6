"""Where uploads stand: what events show of a row and its jobs, in one statement."""

from typing import Final
from uuid import UUID

import msgspec

from coordinator.adapters.postgres import Tx
from coordinator.domain.errors import UploadNotFoundError
from coordinator.domain.jobs import ENDED, State
from coordinator.domain.kinds import Kind
from coordinator.domain.phases import OPEN_PHASES, Phase
from coordinator.domain.plan import Plan
from coordinator.domain.uploads import Owner


class JobStanding(msgspec.Struct, frozen=True):
    """Where one job stands."""

    id: UUID
    kind: Kind
    state: State


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """An upload and its jobs at one moment."""

    phase: Phase
    reason: str | None
    generation: int
    size_bytes: int
    chunk_bytes: int
    is_assembled: bool
    jobs: tuple[JobStanding, ...]

    @property
    def total(self) -> int:
        """How many chunks there are."""
        return Plan(self.size_bytes, self.chunk_bytes).chunk_count

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self.phase not in OPEN_PHASES and all(job.state in ENDED for job in self.jobs)


_READ: Final = """
SELECT phase, reason, generation, size_bytes, chunk_bytes, assembled_at IS NOT NULL AS is_assembled,
       (SELECT coalesce(json_agg(json_build_object('id', j.id, 'kind', j.kind, 'state', j.state)
                                 ORDER BY j.position, j.id), '[]')
          FROM jobs AS j WHERE j.upload_id = u.id) AS jobs
  FROM uploads AS u
 WHERE id = %(id)s AND tenant = %(tenant)s
   AND (%(user)s::text IS NULL OR user_id = %(user)s) AND erasing_since IS NULL
"""


async def read(tx: Tx, upload_id: UUID, owner: Owner) -> Standing:
    """Read where an upload stands, phase and jobs of the same moment.

    Raises:
        UploadNotFoundError: there is none, or it is somebody else's.

    """
    values = {"id": upload_id, "tenant": owner.tenant, "user": owner.user}
    row = await (await tx.execute(_READ, values)).fetchone()
    if row is None:
        raise UploadNotFoundError
    return msgspec.convert(row, Standing, strict=False)
