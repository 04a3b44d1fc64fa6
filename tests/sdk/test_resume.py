"""Finding an upload again, and what to do with it."""

import hashlib
from typing import Any

import msgspec
import pytest

from coordinator.sdk.errors import UnexpectedAnswerError
from coordinator.sdk.resume import Action, decide, fixed_digests, idempotency_key, wish
from manifests import Manifest, canonical

FACTS: dict[str, Any] = {
    "service_url": "http://127.0.0.1:3000",
    "path": "/data/a.jsonl",
    "mtime_ns": 1,
    "wish": b"{}",
    "attempt": 0,
}


def test_the_same_file_gets_the_same_key_in_every_process() -> None:
    """After kill -9 there is nothing but the file to remember by: the value is pinned."""
    assert idempotency_key(**FACTS) == idempotency_key(**FACTS)
    assert idempotency_key(**FACTS) == (
        "sdk-"
        + hashlib.sha256(b'[1,"http://127.0.0.1:3000","/data/a.jsonl",1,"7b7d",0]').hexdigest()
    )


@pytest.mark.parametrize(
    "change",
    [
        {"service_url": "http://127.0.0.1:3001"},
        {"path": "/data/b.jsonl"},
        {"mtime_ns": 2},
        {"wish": b"{ }"},
        {"attempt": 1},
    ],
)
def test_whatever_makes_another_upload_makes_another_key(change: dict[str, Any]) -> None:
    """A key that came back for another body would be refused, or resume the wrong file."""
    assert idempotency_key(**{**FACTS, **change}) != idempotency_key(**FACTS)


def test_the_wish_has_the_same_bytes_however_its_metadata_was_ordered() -> None:
    """The service compares bodies byte by byte when a key comes again."""

    def body(metadata: dict[str, Any]) -> bytes:
        return wish(
            file_name="ä.csv",
            file_size=3,
            file_type="text/csv",
            metadata=metadata,
            chunk_size=None,
            checksum=None,
        )

    assert body({"a": 1, "b": {"d": 1, "c": 2}}) == body({"b": {"c": 2, "d": 1}, "a": 1})
    assert msgspec.json.decode(body({})) == {
        "fileName": "ä.csv",
        "fileSize": 3,
        "fileType": "text/csv",
        "metadata": {},
    }


@pytest.mark.parametrize(
    ("status", "resumed", "again", "action"),
    [
        ("INIT", False, False, Action.SEND),
        ("INIT", True, False, Action.CONTINUE),
        ("uploading", True, True, Action.CONTINUE),
        ("ASSEMBLING", True, False, Action.SETTLE),
        ("ASSEMBLING", True, True, Action.SETTLE),
        ("COMPLETED", True, False, Action.SETTLE),
        ("COMPLETED", True, True, Action.PASS_OVER),
        ("FAILED", True, False, Action.PASS_OVER),
    ],
)
def test_open_uploads_are_continued_and_dead_ones_passed_over(
    *, status: str, resumed: bool, again: bool, action: Action
) -> None:
    """A second copy is made only of what is completed, and never of what is on its way."""
    assert decide(status, resumed=resumed, again=again) is action


def test_a_phase_of_a_newer_service_is_an_error_and_no_guess() -> None:
    """Sending into an upload of unknown state could do harm."""
    with pytest.raises(UnexpectedAnswerError):
        decide("PAUSED", resumed=True, again=False)


A, B = hashlib.sha256(b"12345").digest(), hashlib.sha256(b"678").digest()


def test_digests_are_read_of_open_and_of_completed_uploads() -> None:
    """The two answers have different shapes and mean the same."""
    partial = (
        b'{"uploadId":"upl_x","fileName":"f","fileSize":8,"chunkSize":5,"totalChunks":2,'
        b'"chunks":[{"chunkIndex":1,"sha256":"' + B.hex().encode() + b'"}]}'
    )
    whole = canonical(Manifest(file_name="f", file_size=8, chunk_size=5, digests=A + B))

    assert fixed_digests(partial, file_size=8, chunk_size=5) == {1: B}
    assert fixed_digests(whole, file_size=8, chunk_size=5) == {0: A, 1: B}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"format":"chunked-sha256"}',
        b'{"fileSize":9,"chunkSize":5,"chunks":[]}',
        b'{"fileSize":8,"chunkSize":5,"chunks":[{"chunkIndex":0,"sha256":"xyz"}]}',
    ],
)
def test_what_is_no_manifest_of_this_file_is_refused(answer: bytes) -> None:
    """Chunks must not be skipped on the word of a proxy's page."""
    with pytest.raises(UnexpectedAnswerError):
        fixed_digests(answer, file_size=8, chunk_size=5)
