"""Find the rows whose texts mean what is asked for."""

from collections.abc import Sequence
from uuid import UUID

from coordinator.adapters import vectors
from coordinator.adapters.embedders import numbers
from coordinator.adapters.query_embedder import QueryEmbedder
from coordinator.adapters.stores import Stores
from coordinator.adapters.vectors import Hit, Wanted
from coordinator.domain.uploads import Owner


async def search_rows(
    stores: Stores,
    embedder: QueryEmbedder,
    owner: Owner,
    text: str,
    *,
    upload_id: UUID | None,
    limit: int,
) -> Sequence[Hit]:
    """Return the nearest rows of the owner's uploads, the nearest first.

    Raises:
        SearchNotAvailableError: no model is set, or the database has no index.
        UnavailableError: what makes vectors does not answer.

    """
    query = await embedder.embed(text)
    if query.vector is None:
        return []
    wanted = Wanted(
        vector=numbers(query.vector),
        model=query.model,
        owner=owner,
        upload_id=upload_id,
        limit=limit,
    )
    return await vectors.nearest(stores.pool, wanted)
