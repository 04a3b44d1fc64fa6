"""Searches and the catalogue: what the service has learned of the rows in uploads."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from coordinator.sdk.service import Service, segment


class Hit(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A row that means what was asked for; ``score`` is 1 where it says the same."""

    upload_id: str
    file_name: str
    row: int
    score: float
    text: str


class Dataset(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An upload in the catalogue; ``rows`` and ``columns`` are ``None`` where it is no table."""

    upload_id: str
    file_name: str
    rows: int | None = None
    columns: int | None = None
    description: str | None = None
    created_at: datetime | None = None


class _Hits(msgspec.Struct, frozen=True):
    rows: list[Hit]


class _Datasets(msgspec.Struct, frozen=True, rename="camel"):
    datasets: list[Dataset]
    next_cursor: str | None = None


def search(service: Service, query: str, *, upload_id: str | None, limit: int) -> list[Hit]:
    """Return the rows that are nearest to ``query``, the nearest first."""
    params = {"q": query, "limit": str(limit)} | ({"uploadId": upload_id} if upload_id else {})
    return service.read("GET", "/api/search", _Hits, params=params).rows


def datasets(service: Service) -> Iterator[Dataset]:
    """Yield data sets, newest first, page by page as they are needed."""
    cursor: str | None = None
    while True:
        params = {} if cursor is None else {"cursor": cursor}
        page = service.read("GET", "/api/datasets", _Datasets, params=params)
        yield from page.datasets
        cursor = page.next_cursor
        if cursor is None:
            return


def card(service: Service, upload_id: str) -> dict[str, Any]:
    """Return a data set's card, JSON-LD in the vocabulary of Croissant."""
    return service.read("GET", f"/api/datasets/{segment(upload_id)}/card", dict[str, Any])
