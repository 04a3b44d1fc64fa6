"""Examine whose the prefix in the bucket is, without claiming it."""

from typing import Final
from uuid import UUID

from psycopg import AsyncConnection, OperationalError, ProgrammingError
from psycopg.rows import DictRow, dict_row

from coordinator.adapters import installation
from coordinator.adapters.bucket import Bucket
from coordinator.domain.errors import CoordinatorError
from coordinator.domain.examination import Group, Line, lacking, ok, unknown
from coordinator.operations.claim_prefix import PrefixTakenError, owner_of
from coordinator.operations.prove_object import NO_ANSWER
from coordinator.settings import Settings

_NAME: Final = "prefix"


async def examine_prefix(bucket: Bucket, settings: Settings) -> Line:
    """Compare the marker object with the database."""
    try:
        own = await _own_id(settings.database_url)
        owner = await owner_of(bucket, settings.s3_prefix)
    except PrefixTakenError:
        return _taken()
    except (OperationalError, ProgrammingError):
        why = "The database does not say which installation this is."
        return unknown(_NAME, Group.S3, why, do="Mend what the lines of PostgreSQL name.")
    except (CoordinatorError, *NO_ANSWER) as exc:
        why = f"The marker object could not be read ({type(exc).__name__})."
        return unknown(_NAME, Group.S3, why, do="Mend what the lines of permissions name.")
    if owner is None:
        means = "Nobody has claimed the prefix; the service does when it starts."
    elif owner == own:
        means = "The prefix is this installation's: nobody else sweeps here."
    else:
        return _taken()
    return ok(_NAME, Group.S3, means)


def _taken() -> Line:
    return lacking(
        _NAME,
        Group.S3,
        "The prefix is another installation's: the service does not start.",
        do="Set COORDINATOR_S3_PREFIX to a prefix that nobody else uses in this bucket.",
        stops=True,
    )


async def _own_id(database_url: str) -> UUID | None:
    connect = AsyncConnection[DictRow].connect
    async with await connect(database_url, connect_timeout=5, row_factory=dict_row) as conn:
        return await installation.known_id(conn)
