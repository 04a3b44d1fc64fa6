"""``/api/datasets``: the catalogue, and the card of each data set."""

from typing import Annotated, Any, Final

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from coordinator.adapters import catalogue
from coordinator.adapters.stores import Stores
from coordinator.domain import cursors, ids
from coordinator.domain.access import Action
from coordinator.domain.errors import InvalidFieldError, NoCardError, UploadNotFoundError
from coordinator.domain.limits import RouteClass
from coordinator.domain.uploads import Owner
from coordinator.operations.read_card import read_card
from coordinator.web.auth import guarded
from coordinator.web.documented import also, documented
from coordinator.web.shapes import Answer, Timestamp, known_upload, stamp

_PAGE: Final = 100
_JSON_LD: Final = "application/ld+json"


class DatasetAnswer(Answer):
    """A data set; `rows` and `columns` are null where the file is no table."""

    upload_id: str
    file_name: str
    rows: int | None
    columns: int | None
    description: str | None
    created_at: Timestamp


class DatasetsAnswer(Answer):
    """A page, newest first; `nextCursor` is null on the last."""

    datasets: list[DatasetAnswer]
    next_cursor: str | None


@get(
    "/api/datasets",
    **guarded(Action.READ, RouteClass.READ),
    operation_id="listDatasets",
    summary="List data sets",
    tags=["datasets"],
    responses=documented(InvalidFieldError),
)
async def datasets(
    *,
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
    limit: Annotated[int, QueryParameter(ge=1, le=_PAGE)] = _PAGE,
    cursor: Annotated[str | None, QueryParameter(max_length=100)] = None,
) -> DatasetsAnswer:
    """List the uploads that have a card: the caller's, or with a wider reach the tenant's."""
    after = None if cursor is None else cursors.decode(cursor)
    async with stores.pool.connection() as conn:
        rows = await catalogue.newest(conn, owner, after=after, limit=limit + 1)
    page = rows[:limit]
    more = len(rows) > limit
    return DatasetsAnswer(
        datasets=[_dataset(each) for each in page],
        next_cursor=cursors.encode(page[-1].created_at, page[-1].upload_id) if more else None,
    )


def _dataset(row: catalogue.Dataset) -> DatasetAnswer:
    return DatasetAnswer(
        upload_id=ids.encode(ids.UPLOAD, row.upload_id),
        file_name=row.file_name,
        rows=row.rows,
        columns=row.columns,
        description=row.description,
        created_at=stamp(row.created_at),
    )


@get(
    "/api/datasets/{upload_id:str}/card",
    **guarded(Action.READ, RouteClass.READ),
    operation_id="getCard",
    summary="Read a data set's card",
    tags=["datasets"],
    responses={
        **documented(UploadNotFoundError, NoCardError),
        200: also(dict[str, Any], "Croissant 1.0.", media_type=_JSON_LD),
    },
)
async def card(
    upload_id: FromPath[str],
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
) -> Response[bytes]:
    """Read the card, JSON-LD in the vocabulary of Croissant."""
    body = await read_card(stores, known_upload(upload_id, owner), owner)
    return Response(body, media_type=_JSON_LD)


ROUTES: Final = (datasets, card)
