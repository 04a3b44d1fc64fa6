"""Abort a multipart that nobody needs, as a clean-up that hides nothing if it fails."""

import structlog

from coordinator.adapters.stores import Stores
from coordinator.domain.errors import CoordinatorError
from coordinator.operations.prove_object import NO_ANSWER

_log = structlog.get_logger(__name__)


async def drop_multipart(stores: Stores, key: str, multipart_id: str) -> None:
    """Abort it; what fails here, a sweep does."""
    try:
        await stores.bucket.abort(key, multipart_id)
    except (CoordinatorError, *NO_ANSWER) as exc:
        _log.warning("old multipart not aborted", error=type(exc).__name__)
