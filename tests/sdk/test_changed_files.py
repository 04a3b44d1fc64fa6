"""Files that change between, or under, uploads of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from coordinator.sdk import Client, FileChangedError
from tests.sdk.histories import CHUNK, change, interrupt
from tests.sdk.meddler import Harm, Meddler

MakeFile = Callable[[int], Path]


@pytest.mark.parametrize("keep_time", [True, False])
def test_a_changed_file_does_not_continue_an_upload_by_its_id(
    client: Client, meddler: Meddler, make_file: MakeFile, *, keep_time: bool
) -> None:
    """Its chunks would be of two files. By content, whatever the times say."""
    path = make_file(4 * CHUNK)
    upload_id = interrupt(client, meddler, path, after=2)
    change(path, at=3, keep_time=keep_time)

    with pytest.raises(FileChangedError) as refusal:
        client.upload(path, resume=upload_id)

    assert refusal.value.chunks == (0,)
    assert client.status(upload_id).status == "UPLOADING"


def test_a_changed_file_of_the_same_time_is_found_out_without_its_id(
    client: Client, meddler: Meddler, make_file: MakeFile
) -> None:
    """The key finds the old upload, and the digests say no."""
    path = make_file(4 * CHUNK)
    interrupt(client, meddler, path, after=2)
    change(path, at=3, keep_time=True)

    with pytest.raises(FileChangedError, match="Start a new upload"):
        client.upload(path, chunk_size=CHUNK)


def test_a_changed_file_of_the_same_time_gets_an_upload_beside_the_completed_one(
    client: Client, make_file: MakeFile
) -> None:
    """Nothing is lost by it: the first object stays what it is."""
    path = make_file(CHUNK)
    first = client.upload(path)
    change(path, at=3, keep_time=True)

    second = client.upload(path)

    assert second.upload_id != first.upload_id
    assert second.result.manifest.root != first.result.manifest.root


def test_a_file_that_changes_under_the_upload_is_refused(
    client: Client, make_file: MakeFile, meddler: Meddler
) -> None:
    """The bytes sent are no longer those that were signed: S3 says so, the file explains it."""
    path = make_file(3 * CHUNK)

    def plan(chunk: int, attempt: int) -> Harm:
        if (chunk, attempt) == (2, 0):
            change(path, at=2 * CHUNK + 1, keep_time=True)
            return Harm.CORRUPT
        return Harm.NONE

    meddler.reset(plan)

    with pytest.raises(FileChangedError) as refusal:
        client.upload(path, chunk_size=CHUNK, concurrency=1)

    assert refusal.value.chunks == (2,)
