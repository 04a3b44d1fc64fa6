"""Who may sign, and who drives an upload to its end: every case of the decision, in one table."""

from collections.abc import Mapping
from itertools import product
from typing import Any, Final

import pytest

from coordinator.domain.checksums import Declared
from coordinator.domain.errors import (
    ChecksumConflictError,
    ChecksumMismatchError,
    CoordinatorError,
    TypeNotAllowedError,
    UploadExpiredError,
    WrongPhaseError,
)
from coordinator.domain.phases import Intent, Phase, Reason
from coordinator.domain.plan import Plan
from coordinator.domain.uploads import (
    Busy,
    Ended,
    Seal,
    Upload,
    check_signable,
    seal,
    take_for_hashing,
)
from tests.domain.builders import DEADLINE_S, an_upload, at

NOW: Final = 100
SUM, OTHER_SUM = b"\x01" * 32, b"\x02" * 32

# What an upload can be, and its row. The attempt before was the fourth.
STANDS: Final[Mapping[str, dict[str, Any]]] = {
    "init": {"phase": Phase.INIT},
    "uploading": {"phase": Phase.UPLOADING},
    **{
        f"{lease} {intent}": {
            "phase": Phase.ASSEMBLING,
            "intent": intent,
            "lease_until": at(NOW + (1 if lease == "leased" else 0)),
        }
        for lease, intent in product(("leased", "abandoned"), Intent)
    },
    "unhashed": {
        "phase": Phase.ASSEMBLING,
        "intent": Intent.COMPLETE,
        "assembled_at": at(50),
    },
    "hashing": {
        "phase": Phase.ASSEMBLING,
        "intent": Intent.COMPLETE,
        "assembled_at": at(50),
        "lease_until": at(NOW + 1),
    },
    "hashing abandoned": {
        "phase": Phase.ASSEMBLING,
        "intent": Intent.COMPLETE,
        "assembled_at": at(50),
        "lease_until": at(NOW),
    },
    "completed": {"phase": Phase.COMPLETED, "assembled_at": at(50)},
    **{f"failed {why}": {"phase": Phase.FAILED, "reason": why} for why in Reason},
}

BUSY, ENDED, LATE, WRONG, MISMATCH = "busy", "ended", "too late", "wrong phase", "mismatch"
WRONG_TYPE = "wrong type"

# What is decided for each intent: complete and complete after the deadline, abort, expire and
# expire after the deadline.
DECISIONS: Final = {
    "init": ("complete", LATE, "abort", BUSY, "expire"),
    "uploading": ("complete", LATE, "abort", BUSY, "expire"),
    "leased complete": (BUSY, BUSY, BUSY, BUSY, BUSY),
    "leased abort": (BUSY, BUSY, BUSY, BUSY, BUSY),
    "leased expire": (BUSY, BUSY, BUSY, BUSY, BUSY),
    "abandoned complete": ("complete", "complete", "abort", "complete", "complete"),
    "abandoned abort": ("abort", "abort", "abort", "abort", "abort"),
    "abandoned expire": ("expire", "expire", "expire", "expire", "expire"),
    "unhashed": (BUSY, BUSY, BUSY, BUSY, BUSY),
    "hashing": (BUSY, BUSY, BUSY, BUSY, BUSY),
    "hashing abandoned": (BUSY, BUSY, BUSY, BUSY, BUSY),
    "completed": (ENDED, ENDED, WRONG, WRONG, WRONG),
    "failed aborted": (WRONG, WRONG, ENDED, ENDED, ENDED),
    "failed expired": (WRONG, WRONG, ENDED, ENDED, ENDED),
    "failed checksum-mismatch": (MISMATCH, MISMATCH, ENDED, ENDED, ENDED),
    "failed type-mismatch": (WRONG_TYPE, WRONG_TYPE, ENDED, ENDED, ENDED),
}
CASES: Final = [
    (stands, intent, is_late, DECISIONS[stands][column])
    for stands in STANDS
    for column, intent, is_late in (
        (0, Intent.COMPLETE, False),
        (1, Intent.COMPLETE, True),
        (2, Intent.ABORT, False),
        (2, Intent.ABORT, True),
        (3, Intent.EXPIRE, False),
        (4, Intent.EXPIRE, True),
    )
]


def standing(stands: str, *, is_late: bool = False) -> Upload:
    """Make an upload that stands so, read at ``NOW``."""
    deadline = at(NOW if is_late else DEADLINE_S)
    return an_upload(as_of=at(NOW), deadline=deadline, attempt=4, **STANDS[stands])


def decision_of(upload: Upload, intent: Intent) -> str:
    """Say in a word what is decided; a seal is the intent that it is for."""
    try:
        decision = seal(upload, intent, Declared(), None)
    except CoordinatorError as refusal:
        return {
            UploadExpiredError: LATE,
            WrongPhaseError: WRONG,
            ChecksumMismatchError: MISMATCH,
            TypeNotAllowedError: WRONG_TYPE,
        }[type(refusal)]
    match decision:
        case Busy():
            return BUSY
        case Ended(phase):
            assert phase is upload.phase
            return ENDED
        case Seal():
            assert (decision.phase, decision.attempt) == (Phase.ASSEMBLING, 5)
            return decision.intent.value


@pytest.mark.parametrize(("stands", "intent", "is_late", "decided"), CASES)
def test_sealing_is_decided_as_the_table_says(
    *, stands: str, intent: Intent, is_late: bool, decided: str
) -> None:
    """Phase before deadline; a live lease before all; the intent that was committed first stays."""
    assert decision_of(standing(stands, is_late=is_late), intent) == decided


@pytest.mark.parametrize("stands", STANDS)
def test_signing_is_possible_exactly_until_somebody_seals(stands: str) -> None:
    """Once frozen the list of chunks does not move under who assembles it."""
    if stands in {"init", "uploading"}:
        assert check_signable(standing(stands)) is Phase.UPLOADING
        with pytest.raises(UploadExpiredError):
            check_signable(standing(stands, is_late=True))
    else:
        for is_late in (False, True):
            upload = standing(stands, is_late=is_late)
            with pytest.raises(WrongPhaseError) as refusal:
                check_signable(upload)
            assert refusal.value.facts == {"phase": upload.phase, "reason": upload.reason}


@pytest.mark.parametrize("stands", STANDS)
def test_a_worker_hashes_only_what_is_assembled_and_nobody_else_hashes(stands: str) -> None:
    """The queue may ask twice, and for uploads that are long over."""
    upload = standing(stands)

    decision = take_for_hashing(upload)

    if stands in {"unhashed", "hashing abandoned"}:
        assert decision == Seal(
            phase=Phase.ASSEMBLING,
            intent=Intent.COMPLETE,
            attempt=5,
            checksum=None,
            declared=Declared(),
        )
    else:
        assert decision is None


def test_hashing_keeps_what_was_declared() -> None:
    """The worker compares with it."""
    upload = standing("unhashed")
    declared = an_upload(
        phase=upload.phase,
        assembled_at=upload.assembled_at,
        checksum="sha256:…",
        declared_sha256=SUM,
        declared_root="root-1",
    )

    decision = take_for_hashing(declared)

    assert decision is not None
    assert (decision.checksum, decision.declared) == ("sha256:…", Declared(SUM, "root-1"))


@pytest.mark.parametrize(
    ("before", "now", "together"),
    [
        (Declared(), Declared(), Declared()),
        (Declared(), Declared(sha256=SUM), Declared(sha256=SUM)),
        (Declared(sha256=SUM), Declared(), Declared(sha256=SUM)),
        (Declared(sha256=SUM), Declared(sha256=SUM), Declared(sha256=SUM)),
        (Declared(sha256=SUM), Declared(root="r-1"), Declared(SUM, "r-1")),
        (Declared(root="r-1"), Declared(root="r-1"), Declared(root="r-1")),
        (Declared(sha256=SUM), Declared(sha256=OTHER_SUM), None),
        (Declared(root="r-1"), Declared(root="r-2"), None),
        (Declared(SUM, "r-1"), Declared(root="r-2"), None),
        (Declared(SUM, "r-1"), Declared(sha256=OTHER_SUM), None),
    ],
)
def test_what_complete_declares_is_added_and_never_changes_what_init_declared(
    before: Declared, now: Declared, together: Declared | None
) -> None:
    """Both kinds may stand side by side; ``None`` is a conflict."""
    upload = an_upload(declared_sha256=before.sha256, declared_root=before.root)

    if together is None:
        with pytest.raises(ChecksumConflictError):
            seal(upload, Intent.COMPLETE, now, "spelled")
    else:
        decision = seal(upload, Intent.COMPLETE, now, "spelled")
        assert isinstance(decision, Seal)
        assert (decision.declared, decision.checksum) == (together, "spelled")


def test_the_spelling_of_the_first_declaration_stays() -> None:
    """It finds the open upload again when the same file is opened again."""
    decision = seal(an_upload(checksum="first"), Intent.COMPLETE, Declared(), "second")

    assert isinstance(decision, Seal)
    assert decision.checksum == "first"


def test_the_snapshot_says_what_callers_ask_of_it() -> None:
    """Id, plan and openness follow from the row."""
    upload = an_upload(phase=Phase.ASSEMBLING, lease_until=at(2), as_of=at(1))

    assert upload.public_id == "upl_00000000000000000000000007"
    assert upload.plan == Plan(25, 10)
    assert (upload.is_open, upload.is_leased, upload.awaits_hashing) == (True, True, False)
