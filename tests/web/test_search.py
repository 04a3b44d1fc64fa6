"""Search: the nearest rows, of those that the caller may read, and of no others."""

import random
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from litestar import Litestar
from psycopg import sql

from coordinator.adapters import vectors
from coordinator.adapters.embedders import numbers, open_embedder
from coordinator.adapters.entropy import new_uuid
from coordinator.adapters.postgres import transaction
from coordinator.adapters.query_embedder import QueryEmbedder
from coordinator.adapters.stores import Stores
from coordinator.domain.access import Role
from coordinator.domain.embedders import EndpointSetting, LocalSetting
from coordinator.domain.errors import (
    InvalidFieldError,
    SearchNotAvailableError,
    UnavailableError,
    UploadNotFoundError,
)
from coordinator.domain.uploads import Owner, Upload
from coordinator.operations.erase import erase
from coordinator.operations.request_erasure import request_erasure
from coordinator.settings import Settings
from tests.builders import add_upload, uuid_of
from tests.conftest import MakeKey, client_of
from tests.embedding_server import KEY, answer, embedding_server
from tests.erasing import of_upload
from tests.web.driving import NO_UPLOAD, TEXT, opened, problem

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_SETTING = LocalSetting(model="wordllama")
_MODEL = "wordllama/l2_supercat"
_WORDS = [
    *("harbour", "ship", "sailor", "anchor", "storm", "wave", "coast", "island", "bread", "oven"),
    *("flour", "baker", "salt", "yeast", "recipe", "court", "judge", "lawyer", "trial", "witness"),
    *("tree", "forest", "leaf", "root", "bark", "moss", "winter", "snow", "ice", "frost"),
]
_ERASING = "UPDATE uploads SET erasing_since = now() WHERE id = %(id)s"
_BLOCKING = """
INSERT INTO jobs (id, upload_id, kind, position, state, finished_at, blocks)
VALUES (%(id)s, %(id)s, 'scan_pii', 0, 'succeeded', now(), 'pii-found')
"""
_INSERT = """
INSERT INTO embedded_rows
       (upload_id, row_number, tenant, user_id, model, dimensions, edition, text, vector)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    """A service with a model that needs nobody."""
    return msgspec.structs.replace(settings, embeddings=msgspec.json.encode(_SETTING).decode())


async def indexed(
    stores: Stores, tenant: str, texts: list[str], *, model: str = _MODEL, **changes: Any
) -> Upload:
    """An upload whose rows have been indexed."""
    upload = await add_upload(stores.pool, tenant=tenant, **changes)
    found = open_embedder(_SETTING, patience_s=0.0).embed(texts)
    values = [
        (
            *(upload.id, row, upload.tenant, upload.user_id, model, 256, new_uuid(), text),
            str(list(numbers(vector or b""))),
        )
        for row, (text, vector) in enumerate(zip(texts, found, strict=True))
    ]
    # An index takes its time, and a connection of the service waits for 8 s.
    for start in range(0, len(values), 200):
        async with transaction(stores.pool) as tx, tx.cursor() as cursor:
            await cursor.executemany(_INSERT, values[start : start + 200])
    return upload


async def found(client: httpx.AsyncClient, q: str, **params: Any) -> list[dict[str, Any]]:
    """Search, and expect an answer."""
    answer = await client.get("/api/search", params={"q": q, **params})
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["rows"]
    return rows


async def test_the_nearest_rows_come_first(
    client: httpx.AsyncClient, stores: Stores, tenant: str
) -> None:
    """With where they are from, and how near they are."""
    texts = ["The ship left the harbour.", "Bread is baked in an oven.", "The judge was late."]
    upload = await indexed(stores, tenant, texts, file_name="stories.jsonl")

    rows = await found(client, "a boat sails out of the port")

    assert rows[0].pop("score") == pytest.approx(0.45, abs=0.2)
    assert rows[0] == {
        "uploadId": upload.public_id,
        "fileName": "stories.jsonl",
        "row": 0,
        "text": "The ship left the harbour.",
    }
    assert [row["score"] for row in rows[1:]] == sorted(
        (row["score"] for row in rows[1:]), reverse=True
    )
    assert {row["row"] for row in rows} == {0, 1, 2}


async def test_a_text_finds_itself_with_score_one(
    client: httpx.AsyncClient, stores: Stores, tenant: str
) -> None:
    """Nothing is nearer; four digits, never more than one."""
    await indexed(stores, tenant, ["The ship left the harbour.", "Something else."])

    [row] = await found(client, "The ship left the harbour.", limit=1)

    assert row["score"] == pytest.approx(1.0, abs=1e-3)
    assert row["score"] <= 1.0
    assert round(row["score"], 4) == row["score"]


async def test_foreign_rows_never_come(
    app: Litestar, client: httpx.AsyncClient, stores: Stores, tenant: str, make_key: MakeKey
) -> None:
    """A viewer sees the tenant's, an uploader their own, nobody another tenant's."""
    text = "The ship left the harbour."
    mine = await indexed(stores, tenant, [text])
    bobs = await indexed(stores, tenant, [text], user_id="bob")
    theirs = await indexed(stores, f"not-{tenant}", [text])
    async with client_of(app, await make_key(user="eve", roles=(Role.VIEWER,))) as viewer:
        seen = {row["uploadId"] for row in await found(viewer, text, limit=100)}
        named = await found(viewer, text, uploadId=theirs.public_id)

    rows = await found(client, text, limit=100)

    assert [row["uploadId"] for row in rows] == [mine.public_id]
    assert seen == {mine.public_id, bobs.public_id}
    assert named == await found(client, text, uploadId=bobs.public_id) == []
    assert await found(client, text, uploadId=NO_UPLOAD) == []


async def test_few_rows_among_many_foreign_ones_are_found(
    client: httpx.AsyncClient, stores: Stores, tenant: str
) -> None:
    """The index gives those that are nearest, whosever they are: they must not be all there is."""
    near = [f"The ship left the harbour {number}." for number in range(2_000)]
    await indexed(stores, f"not-{tenant}", near)
    mine = await indexed(stores, tenant, ["Bread is baked in an oven.", "The judge was late."])

    rows = await found(client, "The ship left the harbour.")

    assert {(row["uploadId"], row["row"]) for row in rows} == {
        (mine.public_id, 0),
        (mine.public_id, 1),
    }


async def test_one_upload_can_be_searched(
    client: httpx.AsyncClient, stores: Stores, tenant: str
) -> None:
    """Alone."""
    await indexed(stores, tenant, ["The ship left the harbour."])
    upload = await indexed(stores, tenant, ["Bread is baked in an oven."])

    rows = await found(client, "a ship", uploadId=upload.public_id)

    assert [row["uploadId"] for row in rows] == [upload.public_id]


async def test_vectors_of_another_model_are_not_compared(
    client: httpx.AsyncClient, stores: Stores, tenant: str
) -> None:
    """Their numbers mean something else."""
    await indexed(stores, tenant, ["The ship left the harbour."], model="another")

    assert await found(client, "The ship left the harbour.") == []


@pytest.mark.parametrize("statement", [_ERASING, _BLOCKING], ids=["erasing", "blocked"])
async def test_what_is_being_erased_or_blocked_is_not_found(
    client: httpx.AsyncClient, stores: Stores, tenant: str, statement: Any
) -> None:
    """From the moment on in which that is known."""
    upload = await indexed(stores, tenant, ["The ship left the harbour."])
    before = await found(client, "a ship")
    async with transaction(stores.pool) as tx:
        await tx.execute(statement, {"id": upload.id})

    assert len(before) == 1
    assert await found(client, "a ship") == []


async def test_after_erasure_no_row_is_left(
    client: httpx.AsyncClient, stores: Stores, tenant: str
) -> None:
    """Not only hidden: gone."""
    gone = await opened(client, 3)
    kept = await indexed(stores, tenant, ["Bread is baked.", "The ship left."])
    async with transaction(stores.pool) as tx:
        await tx.execute(
            "UPDATE embedded_rows SET upload_id = %s WHERE tenant = %s AND row_number = 1",
            [uuid_of(gone), tenant],
        )

    await request_erasure(stores, of_upload(gone, tenant=tenant))
    await erase(stores)

    async with stores.pool.connection() as conn:
        cursor = await conn.execute(
            "SELECT DISTINCT upload_id FROM embedded_rows WHERE tenant = %s", [tenant]
        )
        left = [row["upload_id"] for row in await cursor.fetchall()]
    assert left == [kept.id]


async def test_the_index_finds_what_comparing_all_finds(
    client: httpx.AsyncClient, stores: Stores, tenant: str
) -> None:
    """Of the nearest ten, more than nine of ten, by the index and not by reading everything."""
    choose = random.Random(4)
    texts = [" ".join(choose.choices(_WORDS, k=8)) for _ in range(3_000)]
    await indexed(stores, tenant, texts)
    embedder = open_embedder(_SETTING, patience_s=0.0)
    table = np.array([numbers(each or b"") for each in embedder.embed(texts)])
    hits = 0
    for _ in range(30):
        question = " ".join(choose.choices(_WORDS, k=5))
        [vector] = embedder.embed([question])
        scores = table @ np.array(numbers(vector or b""))
        tenth = np.sort(scores)[-10]

        rows = await found(client, question)

        assert len(rows) == 10
        hits += sum(scores[row["row"]] >= tenth - 1e-6 for row in rows)
    assert hits / 300 > 0.9


async def test_a_search_goes_through_the_index(stores: Stores, tenant: str) -> None:
    """Where that is cheaper: what it asks for is what the index has, to the letter."""
    await indexed(stores, tenant, [f"ship {number}" for number in range(100)])
    values = {
        "vector": str([0.1] * 256),
        "model": _MODEL,
        "tenant": tenant,
        "user": None,
        "upload": None,
        "limit": 10,
    }
    query = vectors._NEAREST.format(seen=vectors._SEEN, n=sql.Literal(256))
    async with transaction(stores.pool) as tx:
        await tx.execute("SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off")
        cursor = await tx.execute(sql.SQL("EXPLAIN (ANALYZE, COSTS OFF) {}").format(query), values)
        plan = "\n".join(row["QUERY PLAN"] for row in await cursor.fetchall())

    assert "Index Scan using embedded_rows_256" in plan
    assert "never executed" in plan


async def test_an_unusual_number_of_dimensions_is_searched_all_the_same(
    stores: Stores, tenant: str
) -> None:
    """Row by row, for there is no index of it."""
    upload = await add_upload(stores.pool, tenant=tenant)
    async with transaction(stores.pool) as tx:
        await tx.execute(
            _INSERT,
            (upload.id, 7, tenant, "alice", "m", 3, new_uuid(), "seven", "[1,0,0]"),
        )
    wanted = vectors.Wanted(
        vector=(1.0, 1.0, 0.0), model="m", owner=Owner(tenant, None), upload_id=None, limit=5
    )

    [hit] = await vectors.nearest(stores.pool, wanted)

    assert (hit.row, hit.text) == (7, "seven")
    assert hit.score == pytest.approx(0.7071, abs=1e-3)


@pytest.mark.parametrize("q", ["", "x" * 2_001])
async def test_a_question_has_a_length(client: httpx.AsyncClient, q: str) -> None:
    """Nothing is no question, and a book is none."""
    answer = await client.get("/api/search", params={"q": q})

    assert (answer.status_code, answer.json()["code"]) == (422, InvalidFieldError.code)


async def test_what_is_no_id_of_an_upload_is_told(client: httpx.AsyncClient) -> None:
    """As everywhere."""
    answer = await client.get("/api/search", params={"q": "x", "uploadId": "upl_x"})

    assert answer.status_code == 404
    assert answer.json() == problem(UploadNotFoundError, field="uploadId")


async def test_a_question_in_which_the_model_knows_nothing_finds_nothing(
    app: Litestar, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no direction, so nothing is near it."""
    with embedding_server() as asked:
        embedder = QueryEmbedder(EndpointSetting(url=asked.url, model="m"))
        monkeypatch.setattr(app.state, "query_embedder", embedder)

        assert await found(client, "  ") == []

        embedder.close()


async def test_without_a_model_it_is_said_what_to_set(
    app: Litestar, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the service works."""
    monkeypatch.setattr(app.state, "query_embedder", QueryEmbedder(None))

    answer = await client.get("/api/search", params={"q": "ship"})

    assert answer.status_code == 409
    assert answer.json() == problem(SearchNotAvailableError)
    assert "COORDINATOR_EMBEDDINGS" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("status", "refusal"), [(401, SearchNotAvailableError), (503, UnavailableError)]
)
async def test_an_endpoint_that_fails_is_told_from_one_that_refuses(
    app: Litestar,
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    refusal: Any,
) -> None:
    """One passes, the other needs the operator; neither shows the key."""
    with embedding_server() as asked:
        asked.next.append(lambda handler, _: answer(handler, status, KEY, {"Retry-After": "60"}))
        embedder = QueryEmbedder(EndpointSetting(url=asked.url, model="m", api_key=KEY))
        monkeypatch.setattr(app.state, "query_embedder", embedder)

        told = await client.get("/api/search", params={"q": "ship"})

        embedder.close()
    assert told.json() == problem(refusal, detail=TEXT)
    assert KEY not in told.text


async def test_without_pgvector_it_is_said_what_to_install(
    client: httpx.AsyncClient, stores: Stores
) -> None:
    """And nothing else is missing."""
    async with transaction(stores.pool) as tx:
        await tx.execute("ALTER TABLE embedded_rows RENAME TO elsewhere")
    try:
        told = await client.get("/api/search", params={"q": "ship"})
    finally:
        async with transaction(stores.pool) as tx:
            await tx.execute("ALTER TABLE elsewhere RENAME TO embedded_rows")

    assert told.json() == problem(SearchNotAvailableError)
    assert "pgvector" in told.json()["detail"]
