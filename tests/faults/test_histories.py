"""The checker finds each kind of broken history: a check that cannot fail proves nothing."""

from typing import Any, Final

import msgspec
import pytest

from tests.faults.evidence import (
    ArtifactRow,
    Change,
    Evidence,
    File,
    JobChange,
    JobRow,
    Line,
    ManifestRow,
    Seen,
    UploadRow,
)
from tests.faults.histories import RULES, check

_FILE: Final = File(size_bytes=3, chunk_bytes=3, digests=("ab",), sha256="ab", root="r-1")
_ROW: Final = UploadRow(
    id="1",
    public_id="upl_1",
    file_name="f",
    size_bytes=3,
    chunk_bytes=3,
    object_key="p/f",
    token="ours",
    phase="COMPLETED",
    attempt=1,
    multipart_id="m",
    declared_sha256="ab",
)
_SEEN: Final = Seen(size_bytes=3, token="ours", root="r-1", sha256="ab")
_KEPT: Final = ManifestRow(digests=("ab",), root="r-1", sha256="ab")


def _change(at: float, phase: str, **fields: Any) -> Change:
    return Change(at=at, upload="1", phase=phase, **fields)


def _job(at: float, state: str, **fields: Any) -> JobChange:
    fields = {"attempt": 1, "has_result": state == "succeeded", **fields}
    return JobChange(at=at, job="j", upload="1", kind="k", state=state, **fields)


def _line(at: float, word: Any, call: str = "", **fields: Any) -> Line:
    return Line(at=at, stage=0, word=word, call=call, **fields)


_COMPLETED: Final = Evidence(
    files={"f": _FILE},
    kinds=("k",),
    changes=(
        _change(1, "INIT"),
        _change(2, "UPLOADING"),
        _change(3, "ASSEMBLING", attempt=1, lease_until=9.0, intent="complete"),
        _change(4, "ASSEMBLING", attempt=1, lease_until=12.0, intent="complete"),
        _change(6, "COMPLETED", attempt=1),
    ),
    job_changes=(
        _job(6, "queued", attempt=0),
        _job(7, "running"),
        _job(8, "succeeded"),
    ),
    lines=(
        _line(1.5, "hear", "init", upload="upl_1", status=201, phase="INIT"),
        _line(5, "send", key="p/f"),
        _line(6.5, "hear", "complete", upload="upl_1", status=200),
        _line(9, "over"),
    ),
    uploads=(_ROW,),
    jobs=(JobRow(id="j", upload="1", kind="k", state="succeeded", has_result=True),),
    manifests={"1": _KEPT},
    audit=(("1", "upload.opened"), ("1", "upload.completed")),
    objects={"p/f": _SEEN},
    manifest_objects={"p/f.manifest.json": _KEPT},
)

_FAILED: Final = Evidence(
    files={"f": _FILE},
    kinds=("k",),
    changes=(
        _change(1, "INIT"),
        _change(3, "ASSEMBLING", attempt=1, lease_until=9.0, intent="abort"),
        _change(6, "FAILED", reason="aborted", attempt=1),
    ),
    lines=(
        _line(2, "ask", "abort", upload="upl_1"),
        _line(6.5, "hear", "abort", upload="upl_1", status=204),
    ),
    uploads=(msgspec.structs.replace(_ROW, phase="FAILED", reason="aborted"),),
    audit=(("1", "upload.opened"), ("1", "upload.aborted")),
)


def _with(whole: Evidence, **changes: Any) -> Evidence:
    return msgspec.structs.replace(whole, **changes)


def _row(whole: Evidence = _COMPLETED, **changes: Any) -> tuple[UploadRow, ...]:
    return (msgspec.structs.replace(whole.uploads[0], **changes),)


def _seen(**changes: Any) -> dict[str, Seen]:
    return {"p/f": msgspec.structs.replace(_SEEN, **changes)}


def _made(**changes: Any) -> tuple[ArtifactRow, ...]:
    made = ArtifactRow(key="p/a", size_bytes=_SEEN.size_bytes, sha256=_SEEN.sha256)
    return (msgspec.structs.replace(made, **changes),)


_MADE: Final = _with(
    _COMPLETED,
    artifacts=_made(),
    objects={**_COMPLETED.objects, "p/a": _SEEN},
    manifest_objects={**_COMPLETED.manifest_objects, "p/a.manifest.json": _KEPT},
)


def _broken(rule: str, whole: Evidence, **changes: Any) -> Any:
    return pytest.param(_with(whole, **changes), rule, id=f"{rule}-{'-'.join(changes)}")


_HEAR: Final = {"upload": "upl_1", "status": 200}
_OTHER: Final = msgspec.structs.replace(_KEPT, root="other-1")
_JOB: Final = _COMPLETED.jobs[0]

_BROKEN: Final = [
    _broken("phases", _COMPLETED, changes=_COMPLETED.changes[1:]),
    _broken("phases", _COMPLETED, changes=(*_COMPLETED.changes[:2], _change(6, "COMPLETED"))),
    _broken("final", _COMPLETED, changes=(*_COMPLETED.changes, _change(7, "ASSEMBLING"))),
    _broken("final", _FAILED, changes=(*_FAILED.changes, _change(7, "FAILED", reason="expired"))),
    _broken("growing", _COMPLETED, changes=(*_COMPLETED.changes, _change(7, "COMPLETED"))),
    _broken(
        "growing",
        _COMPLETED,
        changes=(*_COMPLETED.changes, _change(7, "COMPLETED", attempt=1, generation=3)),
    ),
    _broken("promises", _COMPLETED, uploads=()),
    _broken("promises", _COMPLETED, lines=(_line(5, "hear", "complete", **_HEAR),)),
    _broken("promises", _COMPLETED, lines=(_line(7, "hear", "status", phase="FAILED", **_HEAR),)),
    _broken("promises", _FAILED, lines=(_line(7, "hear", "complete", **_HEAR),)),
    _broken("answers", _COMPLETED, lines=(_line(7, "hear", "urls", upload="upl_1", status=500),)),
    _broken("object", _COMPLETED, objects={}),
    _broken("object", _COMPLETED, objects=_seen(token="theirs")),
    _broken("object", _COMPLETED, objects=_seen(size_bytes=4)),
    _broken("object", _COMPLETED, objects=_seen(root=None)),
    _broken("object", _COMPLETED, objects=_seen(sha256="cd")),
    _broken("manifest", _COMPLETED, manifests={}),
    _broken("manifest", _COMPLETED, manifests={"1": _OTHER}),
    _broken("manifest", _COMPLETED, manifest_objects={}),
    _broken("manifest", _COMPLETED, manifest_objects={"p/f.manifest.json": _OTHER}),
    _broken("declared", _COMPLETED, uploads=_row(declared_sha256="cd")),
    _broken("declared", _COMPLETED, uploads=_row(declared_root="other-1")),
    _broken("jobs", _COMPLETED, jobs=()),
    _broken("jobs", _COMPLETED, jobs=(_JOB, msgspec.structs.replace(_JOB, id="i"))),
    _broken("jobs", _FAILED, jobs=(_JOB,)),
    _broken("jobs-once", _COMPLETED, jobs=(msgspec.structs.replace(_JOB, state="failed"),)),
    _broken("jobs-once", _COMPLETED, jobs=(msgspec.structs.replace(_JOB, has_result=False),)),
    _broken("jobs-once", _COMPLETED, job_changes=(*_COMPLETED.job_changes, _job(9, "succeeded"))),
    _broken("jobs-once", _COMPLETED, job_changes=(*_COMPLETED.job_changes, _job(9, "running"))),
    _broken(
        "jobs-once", _COMPLETED, job_changes=(_job(6, "queued"), _job(7, "running", attempt=3))
    ),
    _broken("audit", _COMPLETED, audit=(("1", "upload.opened"),)),
    _broken("audit", _COMPLETED, audit=(*_COMPLETED.audit, ("1", "upload.completed"))),
    _broken("audit", _FAILED, audit=_COMPLETED.audit),
    _broken("cause", _FAILED, lines=_FAILED.lines[1:]),
    _broken("cause", _FAILED, uploads=_row(_FAILED, reason="expired")),
    _broken("cause", _FAILED, uploads=_row(_FAILED, reason="checksum-mismatch")),
    _broken("failed", _FAILED, objects=_seen()),
    _broken("failed", _FAILED, manifest_objects=_COMPLETED.manifest_objects),
    _broken(
        "destroyed",
        _FAILED,
        lines=(
            *_FAILED.lines,
            _line(4, "send", key="p/f"),
            _line(5, "passed", "after-complete"),
        ),
    ),
    _broken("stuck", _COMPLETED, uploads=_row(phase="UPLOADING")),
    _broken("stuck", _COMPLETED, queue=("run_job (todo)",)),
    _broken("artifacts", _COMPLETED, artifacts=_made(key="p/other")),
    _broken("artifacts", _MADE, objects=_seen()),
    _broken("artifacts", _MADE, artifacts=_made(sha256="cd")),
    _broken("artifacts", _MADE, manifest_objects=_COMPLETED.manifest_objects),
    _broken("orphans", _COMPLETED, multiparts=(("p/f", "m"),)),
    _broken("orphans", _COMPLETED, objects={**_seen(), "p/other": _SEEN}),
    _broken("foreign", _COMPLETED, lines=(_line(7, "did", "found-foreign-gone", key="p/f"),)),
    _broken("redis", _COMPLETED, redis_keys=("{upl_1}:head",)),
    _broken("lease", _COMPLETED, lines=(*_COMPLETED.lines, _line(5.5, "send", key="p/f"))),
    _broken(
        "lease",
        _COMPLETED,
        changes=tuple(
            msgspec.structs.replace(each, lease_until=each.lease_until and each.at - 1)
            for each in _COMPLETED.changes
        ),
    ),
]


@pytest.mark.parametrize("whole", [_COMPLETED, _FAILED, _MADE])
def test_a_whole_history_is_accepted(whole: Evidence) -> None:
    """Else the tests below would show nothing."""
    assert check(whole) == []


@pytest.mark.parametrize(("broken", "rule"), _BROKEN)
def test_a_broken_history_is_found(broken: Evidence, rule: str) -> None:
    """By the rule that it breaks; others may notice as well."""
    assert rule in {violation.rule for violation in check(broken)}


def test_every_rule_is_seen_to_find_something() -> None:
    """A new rule needs a history that breaks it."""
    assert {case.values[1] for case in _BROKEN} == set(RULES)


def test_somebody_elses_object_at_a_failed_uploads_key_is_none_of_ours() -> None:
    """Its token tells: it is not to be removed."""
    theirs = _with(_FAILED, objects=_seen(token="theirs"))

    assert check(theirs) == []


def test_an_open_uploads_multipart_is_no_orphan() -> None:
    """It is what the upload is made of."""
    waiting = _with(_FAILED, uploads=_row(_FAILED, phase="UPLOADING"), multiparts=(("p/f", "m"),))

    assert "orphans" not in {violation.rule for violation in check(waiting)}
