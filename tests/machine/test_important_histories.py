"""Histories that the machine must not be left to find by luck, each told once, plainly."""

from typing import Final

import pytest

from coordinator.domain.checksums import Declared
from coordinator.domain.phases import Intent, Phase, Reason
from coordinator.domain.plan import Plan
from tests.machine.history import LEASE_S, Attempt, History, Step
from tests.machine.store import Store
from tests.machine.test_one_upload import chunks_of, declared_of, sum_of

PLAN: Final = Plan(25, 10)
NOTHING: Final = Declared()


@pytest.fixture(params=[True, False], ids=["strict", "doubling"])
def history(request: pytest.FixtureRequest) -> History:
    """An upload of a file of the letter a, with every chunk sent."""
    opened = History(
        Store(is_strict=request.param), size_bytes=PLAN.size_bytes, chunk_bytes=PLAN.chunk_bytes
    )
    send(opened)
    return opened


def send(history: History) -> None:
    """Sign and send the whole file."""
    for index, chunk in enumerate(chunks_of(PLAN, "a")):
        multipart_id = history.sign(index, sum_of(chunk))
        assert history.store.put(multipart_id, index, chunk, signed=sum_of(chunk))


def start(history: History, intent: Intent, declared: Declared = NOTHING) -> Attempt:
    """Take the lease."""
    attempt = history.seal(intent, declared)
    assert isinstance(attempt, Attempt)
    return attempt


def drive(history: History, attempt: Attempt) -> None:
    """Go on to the end; S3 answers at once."""
    while attempt.step is not Step.OVER:
        if attempt.step is Step.AWAIT:
            history.answer(attempt, reaches_s3=True, is_heard=True)
        else:
            history.advance(attempt)


def die_after_commit(history: History, declared: Declared = NOTHING) -> None:
    """Complete, but be killed before the answer is written down, and let the lease run out."""
    attempt = start(history, Intent.COMPLETE, declared)
    history.advance(attempt)
    history.advance(attempt)
    history.crash(attempt)
    history.answer(attempt, reaches_s3=True, is_heard=True)
    history.clock += LEASE_S


def outcome(history: History) -> tuple[Phase, str | None, int]:
    """Say phase, reason, and how often S3 made an object."""
    return history.row.phase, history.row.reason, history.store.commits


@pytest.mark.parametrize("intent", Intent)
def test_whoever_comes_after_a_crash_finds_the_object_and_completes(
    history: History, intent: Intent
) -> None:
    """Abort and expiry never destroy a completed object."""
    die_after_commit(history)

    drive(history, start(history, intent))

    assert outcome(history) == (Phase.COMPLETED, None, 1)


def test_a_holder_that_wakes_after_a_takeover_sends_nothing(history: History) -> None:
    """It looks at its lease immediately before sending."""
    paused = start(history, Intent.COMPLETE)
    history.advance(paused)
    history.clock += LEASE_S
    drive(history, start(history, Intent.COMPLETE))

    history.advance(paused)

    assert paused.step is Step.OVER
    assert outcome(history) == (Phase.COMPLETED, None, 1)


def test_a_lost_answer_is_settled_by_proof(history: History) -> None:
    """S3 had carried it out: that is success, whatever was heard."""
    attempt = start(history, Intent.COMPLETE)
    history.advance(attempt)
    history.advance(attempt)
    history.answer(attempt, reaches_s3=True, is_heard=False)

    drive(history, attempt)

    assert outcome(history) == (Phase.COMPLETED, None, 1)


@pytest.mark.parametrize(
    ("letter", "ended"),
    [
        ("a", (Phase.COMPLETED, None, 1)),
        ("b", (Phase.FAILED, Reason.CHECKSUM_MISMATCH, 1)),
    ],
)
def test_a_declared_sha256_is_hashed_before_it_is_believed(
    history: History, letter: str, ended: tuple[Phase, Reason | None, int]
) -> None:
    """The upload is ASSEMBLING meanwhile; a file that is not what was declared goes away."""
    drive(history, start(history, Intent.COMPLETE, declared_of(PLAN, f"sha256 {letter}")))
    assert outcome(history) == (Phase.ASSEMBLING, None, 1)

    hashing = history.take_for_hashing()
    assert hashing is not None
    drive(history, hashing)

    assert outcome(history) == ended
    assert (history.store.object is None) == (letter == "b")


def test_an_abort_after_a_crash_does_not_skip_the_hashing(history: History) -> None:
    """The object is there, but nobody has shown that its sha256 is the declared one."""
    die_after_commit(history, declared_of(PLAN, "sha256 b"))
    drive(history, start(history, Intent.ABORT))
    assert outcome(history) == (Phase.ASSEMBLING, None, 1)

    hashing = history.take_for_hashing()
    assert hashing is not None
    drive(history, hashing)

    assert outcome(history) == (Phase.FAILED, Reason.CHECKSUM_MISMATCH, 1)


def test_what_a_takeover_declares_is_compared_though_the_object_is_there(history: History) -> None:
    """It may be wrong where the crashed attempt had declared nothing: refused, then forgotten."""
    die_after_commit(history)

    drive(history, start(history, Intent.COMPLETE, declared_of(PLAN, "tree b")))
    assert outcome(history) == (Phase.UPLOADING, None, 1)

    drive(history, start(history, Intent.COMPLETE))
    assert outcome(history) == (Phase.COMPLETED, None, 1)


def test_a_lost_multipart_is_a_new_generation_and_the_digests_stay(history: History) -> None:
    """Everything is sent again, and only the same bytes are taken."""
    history.store.drop(history.row.multipart_id)
    drive(history, start(history, Intent.COMPLETE))
    assert (history.row.phase, history.row.generation) == (Phase.UPLOADING, 1)

    with pytest.raises(ValueError, match="0"):
        history.sign(0, sum_of(b"other"))
    send(history)
    drive(history, start(history, Intent.COMPLETE))

    assert outcome(history) == (Phase.COMPLETED, None, 1)


def test_a_part_sent_again_while_it_is_assembled_makes_no_wrong_object(history: History) -> None:
    """Its ETag is another one by then: S3 refuses, or takes the same bytes from before."""
    attempt = start(history, Intent.COMPLETE)
    history.advance(attempt)
    send_again = chunks_of(PLAN, "a")[0]
    assert history.row.multipart_id is not None
    history.store.put(history.row.multipart_id, 0, send_again, signed=sum_of(send_again))
    drive(history, attempt)

    if history.row.phase is Phase.UPLOADING:
        drive(history, start(history, Intent.COMPLETE))
    assert outcome(history) == (Phase.COMPLETED, None, 1)
