"""``GET /api/search``: rows by what they mean."""

from typing import Annotated, Any, Final

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from coordinator.adapters.query_embedder import QueryEmbedder
from coordinator.adapters.stores import Stores
from coordinator.adapters.vectors import Hit
from coordinator.domain import ids
from coordinator.domain.access import Action
from coordinator.domain.errors import (
    InvalidFieldError,
    SearchNotAvailableError,
    UploadNotFoundError,
)
from coordinator.domain.limits import RouteClass
from coordinator.domain.uploads import Owner
from coordinator.operations.search_rows import search_rows
from coordinator.web.auth import guarded
from coordinator.web.documented import documented
from coordinator.web.shapes import Answer, known_upload

_PAGE: Final = 100


class HitAnswer(Answer):
    """A row; `score` is the cosine similarity of its text and the question, 0 to 1."""

    upload_id: str
    file_name: str
    row: int
    score: float
    text: str


class SearchAnswer(Answer):
    """The nearest rows first; `text` has the first 2,000 characters."""

    rows: list[HitAnswer]


@get(
    "/api/search",
    **guarded(Action.READ, RouteClass.READ),
    operation_id="searchRows",
    summary="Search rows by meaning",
    tags=["datasets"],
    responses=documented(InvalidFieldError, UploadNotFoundError, SearchNotAvailableError),
)
async def search(
    *,
    request: Request[Any, Any, Any],
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
    q: Annotated[str, QueryParameter(min_length=1, max_length=2_000, description="The question.")],
    limit: Annotated[int, QueryParameter(ge=1, le=_PAGE)] = 10,
    upload_id: Annotated[
        str | None,
        QueryParameter(name="uploadId", max_length=100, description="Only rows of this upload."),
    ] = None,
) -> SearchAnswer:
    """Find rows in the caller's indexed uploads, or with a wider reach in the tenant's.

    What is being erased, or blocked by a scan, is not found.
    """
    embedder: QueryEmbedder = request.app.state.query_embedder
    only = None if upload_id is None else known_upload(upload_id, owner)
    hits = await search_rows(stores, embedder, owner, q, upload_id=only, limit=limit)
    return SearchAnswer(rows=[_hit(each) for each in hits])


def _hit(hit: Hit) -> HitAnswer:
    return HitAnswer(
        upload_id=ids.encode(ids.UPLOAD, hit.upload_id),
        file_name=hit.file_name,
        row=hit.row,
        score=round(min(1.0, max(0.0, hit.score)), 4),
        text=hit.text,
    )


ROUTES: Final = (search,)
