"""The host's clock, for the one thing that it may decide: the date that S3 reads in a signature.

Deadlines and leases are the database's business (``as_of``, ``clock_timestamp()``).
"""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the host's time, UTC."""
    return datetime.now(UTC)
