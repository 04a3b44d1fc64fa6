"""What tests of erasing over the API share: asking for it, and a worker's round."""

from datetime import timedelta
from typing import Any, Final

import httpx

from coordinator.adapters.stores import Stores
from coordinator.operations.erase import erase

AT_ONCE: Final = timedelta(0)
NOTHING: Final = {
    **dict.fromkeys(("uploads", "objects", "versions", "bytes", "multiparts"), 0),
    **dict.fromkeys(("manifests", "jobs", "queueEntries", "remaining", "refused"), 0),
    "held": [],
}


async def ask(admin: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    """Ask for an erasure and expect one."""
    answer = await admin.post("/api/erasures", json=body)
    assert answer.status_code == 202, answer.text
    erasure: dict[str, Any] = answer.json()
    return erasure


async def finished(
    admin: httpx.AsyncClient, stores: Stores, erasure: dict[str, Any]
) -> dict[str, Any]:
    """Let a worker go round once and return the erasure, which must be finished by then."""
    await erase(stores, pause=AT_ONCE)
    now: dict[str, Any] = (await admin.get(f"/api/erasures/{erasure['erasureId']}")).json()
    assert now["status"] == "finished", now
    return now
