"""An attempt goes on where the one before it ended: what an endpoint was paid for is kept."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from coordinator.adapters.stores import Stores
from coordinator.domain import ids
from coordinator.domain.embedders import EndpointSetting
from coordinator.domain.kinds import Kind
from coordinator.domain.names import artifact_folder
from coordinator.domain.uploads import Owner
from coordinator.jobs import generate_embeddings
from coordinator.jobs.workspace import Options
from coordinator.operations.add_job import add_job
from coordinator.settings import Settings
from coordinator.worker.bodies import Tools
from coordinator.worker.run_job import run_job
from tests.builders import complete, rows, send_all, uuid_of
from tests.embedding_server import KEY, Asked, answer, embedding_server, vectors

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_LINES = [b"line %d of a file of texts\n" % number for number in range(3_000)]
_TEXTS = [line.decode().strip() for line in _LINES]
_FILES = (
    "SELECT path, encode(sha256, 'hex') AS sha256 FROM artifacts WHERE job_id = %s ORDER BY path"
)


@pytest.fixture
def asked() -> Iterator[Asked]:
    """An endpoint on loopback."""
    with embedding_server() as opened:
        yield opened


@pytest.fixture
def tools(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> Tools:
    """What a worker has; a file of vectors is made of 20 kB of text."""
    monkeypatch.setattr(generate_embeddings, "_FILE_BYTES", 20_000)
    endpoint = EndpointSetting(url=asked.url, model="small", api_key=KEY)
    return Tools(options=Options(embedder=endpoint))


async def _uploaded(client: httpx.AsyncClient, s3: httpx.AsyncClient) -> str:
    file = {"fileName": "lines.txt", "fileType": "text/plain"}
    upload_id = await send_all(client, s3, [b"".join(_LINES)], **file)
    assert (await complete(client, upload_id)).status_code == 200
    return upload_id


async def _job(stores: Stores, upload_id: str) -> Any:
    kind = Kind.GENERATE_EMBEDDINGS
    owner = Owner("default", None)
    job, _ = await add_job(stores, uuid_of(upload_id), owner, kind, {}, actor="tests")
    return job.id


async def _state(stores: Stores, job_id: Any) -> tuple[str, int]:
    [row] = await rows(stores.pool, "SELECT state, attempt FROM jobs WHERE id = %s", [job_id])
    return row["state"], row["attempt"]


def _breaking_after(asked: Asked, requests: int) -> None:
    """Let the endpoint answer so many requests, and then say that it is away for an hour."""
    for _ in range(requests):
        asked.next.append(lambda handler, body: answer(handler, 200, vectors(body)))
    asked.next.append(lambda handler, _: answer(handler, 503, {}, {"Retry-After": "3600"}))


async def test_files_that_are_written_are_not_paid_for_again(
    *,
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    settings: Settings,
    tools: Tools,
    asked: Asked,
) -> None:
    """The second attempt asks for the rest, and makes what one attempt would have made."""
    broken, whole = [await _uploaded(client, s3_http) for _ in range(2)]
    first, other = [await _job(stores, upload_id) for upload_id in (broken, whole)]
    await run_job(stores, settings, other, tools)
    half = len(asked.texts) // 2
    asked.bodies.clear()
    _breaking_after(asked, half)

    await run_job(stores, settings, first, tools)
    after_first = await _state(stores, first)
    asked.bodies.clear()
    await run_job(stores, settings, first, tools)

    again = [text for request in asked.texts[1:] for text in request]
    assert after_first == ("queued", 1)
    assert await _state(stores, first) == ("succeeded", 2)
    assert 0 < len(again) < len(_LINES)
    assert sorted(again) == sorted(_TEXTS[-len(again) :])
    made = [await rows(stores.pool, _FILES, [job_id]) for job_id in (first, other)]
    assert len(made[0]) > 3
    assert made[0] == made[1]


async def test_a_file_that_is_gone_is_made_again(
    *,
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    settings: Settings,
    tools: Tools,
    asked: Asked,
) -> None:
    """Whoever empties the bucket between two attempts gets a whole data set all the same."""
    job = await _job(stores, await _uploaded(client, s3_http))
    _breaking_after(asked, 4)
    await run_job(stores, settings, job, tools)
    [kept] = await rows(stores.pool, "SELECT count(*) FROM job_pieces WHERE job_id = %s", [job])
    [upload] = await rows(stores.pool, "SELECT object_key FROM uploads")
    folder = artifact_folder(upload["object_key"], ids.encode(ids.JOB, job))
    keys = [each.key async for page in stores.bucket.list_objects(folder) for each in page]
    for key in keys:
        await stores.bucket.delete(key)

    asked.bodies.clear()
    await run_job(stores, settings, job, tools)

    assert kept["count"] > 0
    assert keys
    assert await _state(stores, job) == ("succeeded", 2)
    assert sum(map(len, asked.texts[1:])) == len(_LINES)
