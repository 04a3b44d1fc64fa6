"""Search and catalogue, as people type and program them, on what the pipeline has made."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from coordinator.embedded import Addresses
from coordinator.sdk import AsyncClient, Client, ProblemError
from tests.sdk.installation import Installation, prepared, process, runner, serving

Run = Callable[..., Result]

_ROWS = (
    '{"id": 1, "text": "The ship left the harbour at dawn."}\n'
    '{"id": 2, "text": "Bread is baked in a hot oven."}\n'
    '{"id": 3, "text": "The judge read the verdict\\u001b[2J aloud."}\n'
)


@pytest.fixture(scope="module")
def retrieval(
    servers: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """A service and a worker with a model."""
    folder = tmp_path_factory.mktemp("retrieval")
    environ, key = prepared(
        servers,
        database=f"search_{os.getpid()}",
        COORDINATOR_EMBEDDINGS='{"kind": "local", "model": "wordllama"}',
    )
    with serving(environ, folder) as url, process(environ, folder / "worker.log", "work"):
        yield Installation(url, key, environ)


@pytest.fixture(scope="module")
def upload_id(retrieval: Installation, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An upload whose pipeline has ended."""
    path: Path = tmp_path_factory.mktemp("data") / "stories.jsonl"
    path.write_text(_ROWS)
    with Client(retrieval.url, retrieval.key) as client:
        handle = client.upload(path, purpose="retrieval", file_type="application/jsonl")
        pipeline = handle.wait(120.0).ai_pipeline
    assert pipeline is not None
    assert pipeline.status == "succeeded", pipeline
    return handle.upload_id


@pytest.fixture
def run(retrieval: Installation) -> Run:
    """Return a function that runs a command."""
    return runner(retrieval, retrieval.key)


def test_a_question_is_answered_by_rows(run: Run, upload_id: str) -> None:
    """For people in two lines a row, for scripts in JSON."""
    shown = run("search", "a boat sails out of the port", "--limit", "1")
    told = run("search", "a boat sails out of the port", "--upload", upload_id, "--json")

    first, second = shown.stdout.splitlines()
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    assert (shown.exit_code, told.exit_code) == (0, 0)
    assert first.endswith(f"  {upload_id}  stories.jsonl, row 0")
    assert second == "  The ship left the harbour at dawn."
    assert rows[0]["row"] == 0
    assert sorted(row["row"] for row in rows) == [0, 1, 2]
    assert first.startswith(f"{rows[0]['score']:.4f}  ")


@pytest.mark.usefixtures("upload_id")
def test_what_stands_in_a_row_is_no_command_for_a_terminal(run: Run) -> None:
    """Whoever made the data did not make the screen."""
    shown = run("search", "the verdict of the judge", "--limit", "1")

    assert "The judge read the verdict" in shown.stdout
    assert "\x1b" not in shown.stdout


def test_nothing_found_is_no_failure(run: Run, upload_id: str) -> None:
    """And said on stderr only."""
    nobodys = upload_id[:-1] + ("0" if upload_id[-1] != "0" else "1")

    shown = run("search", "ships", "--upload", nobodys)

    assert (shown.exit_code, shown.stdout, shown.stderr) == (0, "", "nothing found\n")


def test_the_catalogue_is_listed(run: Run, upload_id: str) -> None:
    """By what people choose by."""
    shown = run("datasets")
    told = run("datasets", "--json")

    assert shown.stdout == f"{upload_id}  stories.jsonl  3 rows, 2 columns\n"
    assert json.loads(told.stdout)["uploadId"] == upload_id


def test_programs_search_and_read_cards(retrieval: Installation, upload_id: str) -> None:
    """Blocking and awaitable give the same."""
    with Client(retrieval.url, retrieval.key) as client:
        hits = client.search("a boat sails", limit=2)
        card = client.card(upload_id)
        listed = [each.upload_id for each in client.datasets()]
        with pytest.raises(ProblemError, match="upload-not-found"):
            client.card("../../etc")

    async def awaited() -> object:
        async with AsyncClient(retrieval.url, retrieval.key) as client:
            return (
                await client.search("a boat sails", limit=2),
                await client.card(upload_id),
                [each.upload_id async for each in client.datasets()],
            )

    assert (hits[0].row, len(hits), listed) == (0, 2, [upload_id])
    assert card["@type"] == "sc:Dataset"
    assert asyncio.run(awaited()) == (hits, card, listed)


def test_without_a_model_it_is_said_what_to_set(servers: Addresses, tmp_path: Path) -> None:
    """At once: asking again would not help."""
    environ, key = prepared(servers, database=f"nosearch_{os.getpid()}")
    with serving(environ, tmp_path) as url:
        run = runner(Installation(url, key, environ), key)

        refused = run("search", "ships")

    assert refused.exit_code == 1
    assert "COORDINATOR_EMBEDDINGS" in refused.stderr
