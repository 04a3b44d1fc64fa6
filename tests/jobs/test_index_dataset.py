"""The index of vectors: exactly what the files say, whoever dies, and nobody writes out of turn."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import msgspec
import psycopg
import pytest
from psycopg import sql

from coordinator.adapters import indexing, uploads
from coordinator.adapters.embedders import numbers, open_embedder
from coordinator.adapters.migrations import migrate
from coordinator.adapters.postgres import Pool, new_pool, transaction
from coordinator.domain import ids
from coordinator.domain.embedders import LocalSetting
from coordinator.domain.job_parameters import GenerateEmbeddings, IndexDataset
from coordinator.domain.kinds import Kind
from coordinator.domain.uploads import Upload
from coordinator.jobs import generate_embeddings, index_dataset
from coordinator.jobs.stopping import StoppedError
from coordinator.jobs.workspace import Options, Workspace
from tests.builders import add_upload, rows
from tests.jobs.conftest import MakeWorkspace, Put

_JOB = """
INSERT INTO jobs (id, upload_id, kind, position, state, attempt)
VALUES (%(upload)s, %(upload)s, 'index_dataset', 0, 'running', 1)
"""
_ALL = """
SELECT upload_id, row_number, tenant, user_id, model, dimensions, text FROM embedded_rows
 ORDER BY upload_id, row_number
"""
Embed = Callable[[bytes], Workspace]


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """Connections to the test's own database."""
    async with new_pool(database_url, max_size=4) as opened:
        yield opened


@pytest.fixture
async def upload(pool: Pool) -> Upload:
    """An upload whose index is being written; the job has the upload's id."""
    added = await add_upload(pool)
    async with transaction(pool) as tx:
        await tx.execute(_JOB, {"upload": added.id})
    return added


@pytest.fixture
def embed(workspace: MakeWorkspace, put: Put, upload: Upload, database_url: str) -> Embed:
    """Embed the rows of an object, and return what the job that indexes them works with."""

    def embed(body: bytes) -> Workspace:
        options = Options(embedder=LocalSetting(model="wordllama"), database_url=database_url)
        before = workspace(put(body), Kind.GENERATE_EMBEDDINGS, options=options)
        made = generate_embeddings.run(before, GenerateEmbeddings()).result
        names = [file["path"] for file in made.get("artifacts", [])]
        work = workspace(
            before.source,
            Kind.INDEX_DATASET,
            earlier={Kind.GENERATE_EMBEDDINGS: made},
            artifacts={
                (Kind.GENERATE_EMBEDDINGS, name): (each.key, each.size_bytes)
                for name, each in zip(names, before.written, strict=True)
            },
            options=options,
        )
        work.upload_id = upload.public_id
        work.job_id = ids.encode(ids.JOB, upload.id)
        return work

    return embed


def lines(*texts: str) -> bytes:
    """JSON lines with these texts."""
    return "".join(f'{{"text": "{text}"}}\n' for text in texts).encode()


async def run(work: Workspace) -> dict[str, Any]:
    """Run the job as a worker does, in a thread."""
    outcome = await asyncio.to_thread(index_dataset.run, work, IndexDataset())
    return outcome.result


async def indexed(pool: Pool) -> list[tuple[int, str]]:
    """Return what is in the index."""
    return [(row["row_number"], row["text"]) for row in await rows(pool, sql.SQL(_ALL))]


async def test_every_vector_gets_into_the_index(embed: Embed, pool: Pool, upload: Upload) -> None:
    """Under the upload's owner, so that whoever searches sees their own."""
    work = await asyncio.to_thread(embed, lines("cats", "", "ships"))

    found = await run(work)

    assert found == {
        "status": "done",
        "reason": None,
        "detail": None,
        "model": "wordllama/l2_supercat",
        "dimensions": 256,
        "rows": 2,
    }
    known = {
        "upload_id": upload.id,
        "tenant": "default",
        "user_id": "alice",
        "model": "wordllama/l2_supercat",
        "dimensions": 256,
    }
    assert await rows(pool, sql.SQL(_ALL)) == [
        {**known, "row_number": 0, "text": "cats"},
        {**known, "row_number": 2, "text": "ships"},
    ]


async def test_the_vectors_are_those_of_the_files(embed: Embed, pool: Pool) -> None:
    """To the bit."""
    work = await asyncio.to_thread(embed, lines("cats"))
    await run(work)

    [row] = await rows(pool, "SELECT vector::text AS vector FROM embedded_rows")

    embedder = open_embedder(LocalSetting(model="wordllama"), patience_s=0.0)
    [vector] = embedder.embed(["cats"])
    kept = [float(each) for each in row["vector"][1:-1].split(",")]
    assert kept == pytest.approx(numbers(vector or b""), rel=1e-6)


async def test_again_changes_nothing(embed: Embed, pool: Pool) -> None:
    """The queue may run an entry twice."""
    work = await asyncio.to_thread(embed, lines("cats", "ships"))
    await run(work)
    before = await rows(pool, "SELECT xmin::text AS x, * FROM embedded_rows ORDER BY row_number")

    await run(work)

    after = await rows(pool, "SELECT xmin::text AS x, * FROM embedded_rows ORDER BY row_number")
    assert [row["x"] for row in before] == [row["x"] for row in after]


async def test_new_vectors_take_the_place_of_the_old_ones(embed: Embed, pool: Pool) -> None:
    """Also where there are fewer of them."""
    await run(await asyncio.to_thread(embed, lines("cats", "ships", "trees")))

    await run(await asyncio.to_thread(embed, lines("", "boats")))

    assert await indexed(pool) == [(1, "boats")]


async def test_a_text_that_postgres_cannot_hold_is_indexed_all_the_same(
    embed: Embed, pool: Pool
) -> None:
    """There is one character of that kind."""
    await run(await asyncio.to_thread(embed, lines(r"a\u0000b")))

    assert await indexed(pool) == [(0, "a\N{REPLACEMENT CHARACTER}b")]


async def test_whoever_died_is_gone_on_from(
    embed: Embed, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole batches stand; those that are there are not written again."""
    work = await asyncio.to_thread(embed, lines(*(f"text {number}" for number in range(400))))
    written: list[int] = []
    real = indexing.write

    def dying(conn: Any, edition: Any, batch: Any) -> None:
        if written:
            raise psycopg.OperationalError("killed")
        real(conn, edition, batch)
        written.append(len(batch))

    monkeypatch.setattr(indexing, "write", dying)
    with pytest.raises(psycopg.OperationalError):
        await run(work)
    half = await indexed(pool)

    def counting(conn: Any, edition: Any, batch: Any) -> None:
        real(conn, edition, batch)
        written.append(len(batch))

    monkeypatch.setattr(indexing, "write", counting)

    found = await run(work)

    assert (len(half), half[-1]) == (128, (127, "text 127"))
    assert (sum(written), found["rows"]) == (400, 400)
    assert await indexed(pool) == [(number, f"text {number}") for number in range(400)]


async def test_an_attempt_that_is_over_writes_nothing(embed: Embed, pool: Pool) -> None:
    """A worker that was paused wakes up, and another has begun."""
    work = await asyncio.to_thread(embed, lines("cats"))
    async with transaction(pool) as tx:
        await tx.execute("UPDATE jobs SET attempt = 2")

    with pytest.raises(StoppedError):
        await run(work)

    assert await indexed(pool) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE jobs SET state = 'succeeded', finished_at = now()",
        "DELETE FROM jobs",
        "UPDATE uploads SET erasing_since = now()",
    ],
)
async def test_what_is_over_or_being_erased_gets_no_rows(
    embed: Embed, pool: Pool, statement: Any
) -> None:
    """Nothing comes back of what somebody wanted gone."""
    work = await asyncio.to_thread(embed, lines("cats"))
    async with transaction(pool) as tx:
        await tx.execute(statement)

    with pytest.raises(StoppedError):
        await run(work)

    assert await indexed(pool) == []


async def test_a_newer_attempt_waits_for_the_batch_at_hand(
    embed: Embed, pool: Pool, upload: Upload, database_url: str
) -> None:
    """So that none is written after it has begun; the upload's row is only looked at."""
    del embed
    edition = indexing.Edition(upload.id, upload.id, upload.id, 1, "m", 2)

    def hold(conn: Any) -> None:
        indexing._held(conn, edition)

    with indexing.connected(database_url) as conn:
        assert conn is not None
        with conn.transaction():
            await asyncio.to_thread(hold, conn)
            async with transaction(pool) as tx:
                await uploads.read_any(tx, upload.id)
                await tx.execute("SET LOCAL lock_timeout = '100ms'")
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    await tx.execute("UPDATE jobs SET attempt = attempt + 1")


@pytest.mark.parametrize("body", [b'{"n": 1}\n', b""])
async def test_without_vectors_nothing_is_indexed(embed: Embed, pool: Pool, body: bytes) -> None:
    """The job before says why there are none."""
    work = await asyncio.to_thread(embed, body)

    found = await run(work)

    assert (found["status"], found["reason"]) == ("skipped", "no-vectors")
    assert await indexed(pool) == []


async def test_a_database_without_pgvector_is_no_failure(embed: Embed, pool: Pool) -> None:
    """All else of the pipeline works."""
    work = await asyncio.to_thread(embed, lines("cats"))
    async with transaction(pool) as tx:
        await tx.execute("DROP TABLE embedded_rows")

    found = await run(work)

    assert (found["status"], found["reason"]) == ("skipped", "no-index")


async def test_the_role_of_the_service_can_write_the_index(
    embed: Embed, pool: Pool, database_url: str
) -> None:
    """It owns nothing, so all indexes come with the migration."""
    role = f"service_{uuid4().hex}"
    await migrate(database_url, service_role=role, password="a password of the tests")
    work = await asyncio.to_thread(embed, lines("cats", "ships"))
    parts = urlsplit(database_url)
    place = f"{role}:a%20password%20of%20the%20tests@{parts.netloc.rpartition('@')[2]}"
    url = urlunsplit(parts._replace(netloc=place))
    work.options = msgspec.structs.replace(work.options, database_url=url)

    found = await run(work)

    assert found["rows"] == 2
    assert await indexed(pool) == [(0, "cats"), (1, "ships")]
    async with transaction(pool) as tx:
        await tx.execute(sql.SQL("DROP OWNED BY {r}; DROP ROLE {r}").format(r=sql.Identifier(role)))
