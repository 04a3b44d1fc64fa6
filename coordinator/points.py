"""Named points between a commit and a call of S3, where a process may die and nothing be lost.

Rule: every operation that spans the two passes one on either side. They do nothing, but for the
tests that end or stop the process there: `make soak` goes through all of them.
"""

from collections.abc import Callable
from typing import Any, Final, Literal, get_args

Point = Literal[
    "opened",  # the row is committed, S3 has no multipart of it
    "multipart-created",  # S3 has a multipart that no row names
    "multipart-stored",  # the row names it
    "multipart-lost-race",  # another one was stored; ours is not aborted yet
    "signed",  # digests are fixed, the client has no URLs
    "sealed",  # ASSEMBLING under our lease, nothing compared yet
    "compared",  # S3 holds what it should; the lease is not renewed yet
    "before-complete",  # the lease is renewed, CompleteMultipartUpload is not sent
    "after-complete",  # S3 has answered, Postgres knows nothing of it
    "proven",  # HeadObject has shown the object
    "awaiting-hash",  # handed to a worker, the ledger not yet dropped
    "hashing",  # a worker has the lease and has read nothing
    "hashed",  # the whole sha256 is known to this process only
    "manifest-put",  # the manifest lies beside the object, Postgres is not COMPLETED
    "completed",  # COMPLETED is committed, the ledger not yet dropped
    "reopened",  # UPLOADING again, the ledger still has the wrong chunks
    "multipart-aborted",  # S3 has dropped the parts, Postgres is not FAILED
    "failed",  # FAILED is committed, the ledger not yet dropped
    "object-deleted",  # a wrong object is gone, Postgres does not know
    "auto-sealed",  # the last report committed the intent, nobody drives it yet
    "prefix-named",  # our id is committed, the bucket's marker does not have it yet
    "leftovers-gone",  # S3 holds nothing of a FAILED upload, its row does not say so
    "orphan-aborted",  # in the middle of a sweep
    "job-started",  # an attempt of a job is counted, its body has not run
    "job-done",  # its result is known to this process only
]

# Of erasing and archiving, which end what the others began: tests/faults/test_erasing_crashes.py.
ErasingPoint = Literal[
    "erasure-hidden",  # uploads are gone for everybody, the ledger still has them
    "erasure-buried",  # the ledger is dropped, S3 has not been asked
    "erasure-sealed",  # an open upload is ours to end, S3 has not been asked
    "erasure-counted",  # what is there is written down, nothing is removed
    "erasure-parts-gone",  # S3 has no multipart of it, Postgres is not FAILED
    "erasure-ended",  # FAILED is committed
    "erasure-version-gone",  # one version is gone, others may be there
    "erasure-versions-gone",  # S3 holds nothing of it, Postgres still has the row
    "erasure-rows-gone",  # nothing is left but the erasure, which is not finished
    "erasure-finished",
    "object-tagged",  # S3 has the tag, Postgres does not say so
]

# Of telling others: tests/faults/test_delivering_crashes.py.
TellingPoint = Literal[
    "event-claimed",  # an attempt to deliver is counted, nothing is sent
    "event-sent",  # the sink has it, Postgres does not know
]

ALL: Final[tuple[Point, ...]] = get_args(Point)
ERASING: Final[tuple[ErasingPoint, ...]] = get_args(ErasingPoint)
TELLING: Final[tuple[TellingPoint, ...]] = get_args(TellingPoint)


def _go_on(_point: Point | ErasingPoint | TellingPoint) -> None:
    """Do nothing, as everywhere but in tests."""


_hook: Callable[[Any], None] = _go_on


def passed(point: Point | ErasingPoint | TellingPoint) -> None:
    """Say that ``point`` was passed."""
    _hook(point)


def install(hook: Callable[[Any], None] | None) -> None:
    """Let tests hear of every point; ``None`` takes the hook away again."""
    global _hook  # noqa: PLW0603 - one hook a process, so that production pays one call
    _hook = hook or _go_on
