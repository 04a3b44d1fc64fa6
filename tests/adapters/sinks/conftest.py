"""An event as it comes out of its row, and a check of what a sink has got."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import pytest
from cloudevents.core.base import BaseCloudEvent

from coordinator.domain.events import Recorded

DATA: Final = {"uploadId": "upl_00000000000000000000000009", "size": 3, "fileName": "späße.csv"}


def an_event(number: int = 1) -> Recorded:
    """Make a row of ``events``."""
    return Recorded(
        id=UUID(int=number),
        type="upload.completed",
        source="/tests",
        upload_id=UUID(int=9),
        body=DATA,
        created_at=datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC),
    )


def expected(event: Recorded) -> dict[str, Any]:
    """Say by hand what a receiver must read of it."""
    return {
        "specversion": "1.0",
        "id": event.public_id,
        "source": "/tests",
        "type": "coordinator.upload.completed",
        "subject": "upl_00000000000000000000000009",
        "time": event.created_at,
        "datacontenttype": "application/json",
        "data": DATA,
    }


def told(event: BaseCloudEvent) -> dict[str, Any]:
    """Return all that the library of CloudEvents has read."""
    return event.get_attributes() | {"data": event.get_data()}


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Clients of sinks run on asyncio."""
    return "asyncio"
