"""Uploads through a real service into a real S3."""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from coordinator.sdk import (
    AsyncClient,
    Client,
    MismatchError,
    ProblemError,
    Progress,
    check_file,
)
from tests.sdk.histories import CHUNK, interrupt
from tests.sdk.installation import Installation, serving
from tests.sdk.meddler import Harm, Meddler

MakeFile = Callable[[int], Path]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7])
def test_files_of_every_kind_of_size_come_back_as_they_went(
    client: Client, make_file: MakeFile, tmp_path: Path, meddler: Meddler, size: int
) -> None:
    """Nothing, one byte, and the borders of chunks are where sizes go wrong."""
    path = make_file(size)

    handle = client.upload(path, "training", chunk_size=CHUNK)
    back = client.download(handle.upload_id, tmp_path / "back")

    assert back.read_bytes() == path.read_bytes()
    assert sorted(meddler.stored) == list(range(max(1, -(-size // CHUNK))))
    assert check_file(path, client.manifest(handle.upload_id)).is_match
    assert handle.result.manifest.root == client.manifest(handle.upload_id).root
    assert back.stat().st_mode & 0o777 == 0o666 & ~_umask()


def test_waiting_ends_when_the_jobs_have_ended(client: Client, tmp_path: Path) -> None:
    """The handle follows what the worker does."""
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}\n')

    status = client.upload(path, "archive").wait(timeout=60)

    assert status.status == "COMPLETED"
    assert status.ai_pipeline is not None
    assert [(job.kind, job.status) for job in status.ai_pipeline.jobs] == [
        ("generate_metadata", "succeeded")
    ]


def test_the_same_file_is_not_sent_again_unless_asked_for(
    client: Client, make_file: MakeFile, meddler: Meddler
) -> None:
    """A completed upload is compared with the file, and answers for it."""
    path = make_file(CHUNK + 1)
    first = client.upload(path, chunk_size=CHUNK)
    second = client.upload(path, chunk_size=CHUNK)
    assert (second.upload_id, len(meddler.stored)) == (first.upload_id, 2)

    third = client.upload(path, chunk_size=CHUNK, again=True)

    assert third.upload_id != first.upload_id
    assert len(meddler.stored) == 4


def test_after_an_abort_the_file_gets_a_new_upload(
    client: Client, meddler: Meddler, make_file: MakeFile
) -> None:
    """A dead upload that the key still names must not stand in the way for a day."""
    path = make_file(4 * CHUNK)
    aborted = interrupt(client, meddler, path, after=1)
    assert client.abort(aborted)

    handle = client.upload(path, chunk_size=CHUNK)

    assert handle.upload_id != aborted
    assert client.status(aborted).status == "FAILED"
    assert client.status(handle.upload_id).status == "COMPLETED"


@pytest.mark.parametrize("harm", [Harm.CORRUPT, Harm.CUT, Harm.BUSY])
def test_a_chunk_that_was_harmed_on_the_way_is_sent_again(
    client: Client, make_file: MakeFile, meddler: Meddler, harm: Harm
) -> None:
    """S3 refuses wrong bytes by itself; networks and servers have bad moments."""
    meddler.reset(lambda chunk, attempt: harm if (chunk, attempt) == (1, 0) else Harm.NONE)

    handle = client.upload(make_file(3 * CHUNK), chunk_size=CHUNK)

    assert client.status(handle.upload_id).status == "COMPLETED"
    assert meddler.attempts == {0: 1, 1: 2, 2: 1}
    if harm is Harm.CORRUPT:
        assert (1, 400) in meddler.answers


def test_chunks_that_s3_lost_are_sent_again_before_completion(
    client: Client, make_file: MakeFile, meddler: Meddler
) -> None:
    """A success that was none is found out by completion, which asks S3."""
    meddler.reset(
        lambda chunk, attempt: Harm.FORGET if chunk in {0, 2} and not attempt else Harm.NONE
    )
    looks: list[Progress] = []

    handle = client.upload(make_file(3 * CHUNK), chunk_size=CHUNK, progress=looks.append)

    assert client.status(handle.upload_id).status == "COMPLETED"
    assert meddler.attempts == {0: 2, 1: 1, 2: 2}
    assert max(look.fraction for look in looks) == 1.0
    assert (looks[-1].bytes_done, looks[-1].chunks_done) == (3 * CHUNK, 3)


def test_an_expired_url_is_signed_again(
    installation: Installation, make_file: MakeFile, meddler: Meddler, tmp_path: Path
) -> None:
    """S3 answers 403 to a URL that has ended while its chunk was on the way."""
    meddler.reset(lambda chunk, attempt: Harm.LATE if not (chunk or attempt) else Harm.NONE)

    with (
        serving(installation.environ, tmp_path, COORDINATOR_URL_LIFETIME_SECONDS="2") as url,
        Client(url, installation.key) as client,
    ):
        handle = client.upload(make_file(2 * CHUNK), chunk_size=CHUNK)
        assert client.status(handle.upload_id).status == "COMPLETED"

    assert meddler.attempts == {0: 2, 1: 1}
    assert (0, 403) in meddler.answers


def test_an_interrupted_upload_goes_on_with_what_is_missing(
    client: Client, make_file: MakeFile, meddler: Meddler
) -> None:
    """What S3 has is not sent twice, whether the ledger knew of it or not."""
    path = make_file(6 * CHUNK)
    upload_id = interrupt(client, meddler, path, after=3)
    before = set(meddler.stored)

    handle = client.upload(path, chunk_size=CHUNK)

    assert handle.upload_id == upload_id
    assert before
    assert sorted(meddler.stored) == list(range(6))


def test_refusals_of_the_service_carry_code_and_field(client: Client, make_file: MakeFile) -> None:
    """A program decides by the code, a person reads the detail."""
    with pytest.raises(ProblemError) as refusal:
        client.upload(make_file(10), chunk_size=1)

    assert (refusal.value.code, refusal.value.status) == ("chunk-size-not-possible", 422)
    assert refusal.value.fields["field"] == "chunkSize"


async def test_a_cancelled_call_stops_and_can_be_resumed(
    installation: Installation, make_file: MakeFile, meddler: Meddler
) -> None:
    """The async client leaves no thread sending behind a task that is gone."""
    meddler.reset(pause_s=0.3)
    path = make_file(4 * CHUNK)
    async with AsyncClient(installation.url, installation.key) as client:
        task = asyncio.create_task(client.upload(path, chunk_size=CHUNK, concurrency=1))
        await asyncio.to_thread(meddler.await_stored, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        meddler.pause_s = 0

        handle = await client.upload(path, chunk_size=CHUNK)

        assert (await handle.wait(60)).status == "COMPLETED"
        assert handle.upload_id in [each.upload_id async for each in client.list()]
        assert max(meddler.attempts.values()) <= 2


def test_no_log_shows_an_address_that_lets_anyone_write(
    client: Client, make_file: MakeFile, caplog: pytest.LogCaptureFixture
) -> None:
    """Httpx prints every address at INFO; ours hold signatures."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, logger=name)

    handle = client.upload(make_file(CHUNK + 1), chunk_size=CHUNK)
    client.download(handle.upload_id, make_file(1))

    assert "signature-hidden" in caplog.text
    assert "X-Amz-Signature" not in caplog.text
    assert "Bearer" not in caplog.text


def test_a_download_of_other_bytes_leaves_nothing(
    client: Client, make_file: MakeFile, meddler: Meddler, tmp_path: Path
) -> None:
    """Under the wished name lies the proven file or what lay there before."""
    handle = client.upload(make_file(100))
    target = tmp_path / "target"
    target.write_text("before")
    meddler.corrupts_reading = True

    with pytest.raises(MismatchError) as refusal:
        client.download(handle.upload_id, target)

    assert refusal.value.verdict.wrong_chunks == (0,)
    assert target.read_text() == "before"
    assert list(tmp_path.glob(".*")) == []


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
