"""The checker: what no history may show, whatever was killed when. Pure functions of the evidence.

Each rule is a function that yields sentences; ``RULES`` names them, and a test shows each of them a
history that it must find.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Final

import msgspec

from coordinator.domain.names import manifest_key
from coordinator.domain.phases import TRANSITIONS, Phase
from tests.faults.evidence import Change, Evidence, File, Line, Seen, UploadRow

_MOVES: Final = {(source.value, to.value) for (source, _), to in TRANSITIONS.items()}
_FINAL: Final = {Phase.COMPLETED.value, Phase.FAILED.value}


class Violation(msgspec.Struct, frozen=True):
    """A rule that a run broke, and how."""

    rule: str
    detail: str


def check(evidence: Evidence) -> list[Violation]:
    """Judge a run by every rule."""
    return [Violation(name, detail) for name, rule in RULES.items() for detail in rule(evidence)]


def _by_upload(evidence: Evidence) -> Mapping[str, list[Change]]:
    found: dict[str, list[Change]] = {}
    for change in evidence.changes:
        found.setdefault(change.upload, []).append(change)
    return found


def _phases_follow_the_table(evidence: Evidence) -> Iterator[str]:
    for upload, changes in _by_upload(evidence).items():
        if changes[0].phase != Phase.INIT:
            yield f"{upload} began in {changes[0].phase}"
        for before, after in pairwise(changes):
            if before.phase != after.phase and (before.phase, after.phase) not in _MOVES:
                yield f"{upload}: {before.phase} became {after.phase}"


def _ends_are_final(evidence: Evidence) -> Iterator[str]:
    for upload, changes in _by_upload(evidence).items():
        for one, next_one in pairwise(changes):
            ends = [(each.phase, each.reason) for each in (one, next_one)]
            if one.phase in _FINAL and ends[0] != ends[1]:
                yield f"{upload}: left {one.phase}/{one.reason} for {next_one.phase}"


def _numbers_only_grow(evidence: Evidence) -> Iterator[str]:
    for upload, changes in _by_upload(evidence).items():
        for before, after in pairwise(changes):
            if after.attempt - before.attempt not in {0, 1}:
                yield f"{upload}: attempt {before.attempt} became {after.attempt}"
            if after.generation - before.generation not in {0, 1}:
                yield f"{upload}: generation {before.generation} became {after.generation}"


def _answers_are_promises(evidence: Evidence) -> Iterator[str]:
    """What a client has heard was so by then, and stays so."""
    rows = {row.public_id: row for row in evidence.uploads}
    changes = _by_upload(evidence)
    for line in evidence.lines:
        if line.word != "hear" or not line.upload:
            continue
        row = rows.get(line.upload)
        if row is None:
            yield f"{line.upload}: a client was told of it, it does not exist"
        elif promised := _promised(line):
            if row.phase != promised:
                yield f"{row.public_id}: a client was told {promised}, it is {row.phase}"
            if not any(each.phase == promised and each.at < line.at for each in changes[row.id]):
                yield f"{row.public_id}: a client was told {promised} before it was"


def _promised(line: Line) -> str | None:
    if line.phase in _FINAL:
        return line.phase
    return {("complete", 200): "COMPLETED", ("abort", 204): "FAILED"}.get((line.call, line.status))


def _nothing_answers_500(evidence: Evidence) -> Iterator[str]:
    for line in evidence.lines:
        if line.word == "hear" and line.status >= 500 and line.status != 503:
            yield f"{line.call} answered {line.status} in stage {line.stage}"


def _completed(evidence: Evidence) -> Iterator[UploadRow]:
    return (row for row in evidence.uploads if row.phase == Phase.COMPLETED)


def _failed(evidence: Evidence) -> Iterator[UploadRow]:
    return (row for row in evidence.uploads if row.phase == Phase.FAILED)


def _objects_are_what_was_meant(evidence: Evidence) -> Iterator[str]:
    for row in _completed(evidence):
        file, seen = evidence.files[row.file_name], evidence.objects.get(row.object_key)
        expected = Seen(
            size_bytes=file.size_bytes, token=row.token, root=file.root, sha256=file.sha256
        )
        if seen is None:
            yield f"{row.public_id} is COMPLETED without an object"
            continue
        for name in expected.__struct_fields__:
            if getattr(seen, name) != getattr(expected, name):
                yield f"{row.public_id}: the object's {name} is {getattr(seen, name)}"


def _manifests_are_what_was_meant(evidence: Evidence) -> Iterator[str]:
    for row in _completed(evidence):
        file = evidence.files[row.file_name]
        for kind, kept in (
            ("row", evidence.manifests.get(row.id)),
            ("object", evidence.manifest_objects.get(manifest_key(row.object_key))),
        ):
            if kept is None:
                yield f"{row.public_id} is COMPLETED without a manifest's {kind}"
            elif (kept.digests, kept.root) != (file.digests, file.root):
                yield f"{row.public_id}: the manifest's {kind} is of another file"
            elif kept.sha256 not in {None, file.sha256}:
                yield f"{row.public_id}: the manifest's {kind} has another sha256"


def _declared_checksums_are_true(evidence: Evidence) -> Iterator[str]:
    for row in _completed(evidence):
        if _lies(row, evidence.files[row.file_name]):
            yield f"{row.public_id} is COMPLETED with a checksum declared that is another's"


def _lies(row: UploadRow, file: File) -> bool:
    return row.declared_sha256 not in {None, file.sha256} or row.declared_root not in {
        None,
        file.root,
    }


def _jobs_are_one_to_one(evidence: Evidence) -> Iterator[str]:
    for row in evidence.uploads:
        found = Counter(job.kind for job in evidence.jobs if job.upload == row.id)
        wanted = Counter(evidence.kinds if row.phase == Phase.COMPLETED else ())
        if found != wanted:
            yield f"{row.public_id} is {row.phase} and has the jobs {sorted(found.elements())}"


def _jobs_succeed_once(evidence: Evidence) -> Iterator[str]:
    for job in evidence.jobs:
        changes = [change for change in evidence.job_changes if change.job == job.id]
        states = [change.state for change in changes]
        if (job.state, job.has_result) != ("succeeded", True):
            yield f"job {job.kind} is {job.state}, result: {job.has_result}"
        if states.count("succeeded") > 1:
            yield f"job {job.kind} succeeded {states.count('succeeded')} times"
        if "succeeded" in states[:-1]:
            yield f"job {job.kind} was written after it had succeeded: {states}"
        for before, after in pairwise(changes):
            if after.attempt - before.attempt not in {0, 1}:
                yield f"job {job.kind}: attempt {before.attempt} became {after.attempt}"


def _audit_says_each_end_once(evidence: Evidence) -> Iterator[str]:
    for row in evidence.uploads:
        found = Counter(
            action
            for upload, action in evidence.audit
            if upload == row.id and action not in {"upload.opened", "upload.downloaded"}
        )
        end = {"COMPLETED": "upload.completed", "FAILED": f"upload.{row.reason}"}.get(row.phase)
        if found != Counter([end] if end else []):
            yield f"{row.public_id} is {row.phase}; the audit says {sorted(found.elements())}"


def _failures_have_a_cause(evidence: Evidence) -> Iterator[str]:
    """An upload that could be resumed is never lost: somebody asked, or time or bytes ran out."""
    causes = {
        "aborted": lambda row: any(
            line.word == "ask" and line.call == "abort" and line.upload == row.public_id
            for line in evidence.lines
        ),
        "expired": lambda row: any(
            line.word == "did" and line.call == "expire" and line.upload == row.public_id
            for line in evidence.lines
        ),
        "checksum-mismatch": lambda row: _lies(row, evidence.files[row.file_name]),
    }
    for row in _failed(evidence):
        if not causes.get(row.reason or "", lambda _row: False)(row):
            yield f"{row.public_id} FAILED for {row.reason}, and nothing led to it"


def _failures_leave_nothing(evidence: Evidence) -> Iterator[str]:
    for row in _failed(evidence):
        seen = evidence.objects.get(row.object_key)
        if seen is not None and seen.token == row.token:
            yield f"{row.public_id} FAILED and its object stands"
        if manifest_key(row.object_key) in evidence.manifest_objects:
            yield f"{row.public_id} FAILED and its manifest stands"


def _objects_are_never_destroyed(evidence: Evidence) -> Iterator[str]:
    """What S3 has assembled ends no more by abort or expiry, unless it was damaged from outside."""
    assembled, key = set[str](), ""
    for line in evidence.lines:
        if line.word == "send":
            key = line.key
        elif line.word == "passed" and line.call == "after-complete":
            assembled.add(key)
        elif line.word == "did" and line.call in {"swapped", "damaged"}:
            assembled.discard(line.key)
    for row in _failed(evidence):
        if row.object_key in assembled and row.reason in {"aborted", "expired"}:
            yield f"{row.public_id} FAILED for {row.reason} although its object was whole"


def _nothing_is_stuck(evidence: Evidence) -> Iterator[str]:
    for row in evidence.uploads:
        if row.phase not in _FINAL:
            yield f"{row.public_id} is {row.phase} after {row.attempt} attempts"
    for task in evidence.queue:
        yield f"the queue holds {task}"


def _no_orphans(evidence: Evidence) -> Iterator[str]:
    open_ids = {row.multipart_id for row in evidence.uploads if row.phase not in _FINAL}
    for key, multipart_id in evidence.multiparts:
        if multipart_id not in open_ids:
            yield f"a multipart that no upload names is left at {key}"
    known = {row.object_key for row in evidence.uploads}
    known |= {line.key for line in evidence.lines if line.word == "did"}
    known |= {row.key for row in evidence.artifacts}
    known |= {manifest_key(key) for key in known}
    for key in (*evidence.objects, *evidence.manifest_objects):
        if key not in known:
            yield f"an object that no upload names is left at {key}"


def _artifacts_are_there(evidence: Evidence) -> Iterator[str]:
    """What a row names is in the bucket as its job made it, with its manifest."""
    for row in evidence.artifacts:
        seen = evidence.objects.get(row.key)
        if seen is None or (seen.size_bytes, seen.sha256) != (row.size_bytes, row.sha256):
            yield f"{row.key} is not what its job made"
        if manifest_key(row.key) not in evidence.manifest_objects:
            yield f"{row.key} has no manifest"


def _foreign_objects_stay(evidence: Evidence) -> Iterator[str]:
    """What another put at a key is neither replaced nor removed; only its owner takes it away."""
    for line in evidence.lines:
        if line.word == "did" and line.call == "found-foreign-gone":
            yield f"somebody else's object at {line.key} was gone in stage {line.stage}"


def _ledgers_are_dropped(evidence: Evidence) -> Iterator[str]:
    for row in evidence.uploads:
        mine = [key for key in evidence.redis_keys if row.public_id in key]
        if row.phase in _FINAL and mine:
            yield f"{row.public_id} is {row.phase} and Redis holds {len(mine)} keys of it"


def _one_complete_a_lease(evidence: Evidence) -> Iterator[str]:
    """Between two CompleteMultipartUploads of an upload somebody was granted the lease anew."""
    changes = _by_upload(evidence)
    for row in evidence.uploads:
        sends = [
            line.at for line in evidence.lines if line.word == "send" and line.key == row.object_key
        ]
        grants = _grants(changes.get(row.id, []))
        for start, end in pairwise([0.0, *sends]):
            if not any(start < grant < end for grant in grants):
                yield f"{row.public_id}: two CompleteMultipartUploads under one lease"


def _grants(changes: list[Change]) -> list[float]:
    """When the lease was taken or renewed; that it was let run out is no grant."""
    return [
        change.at
        for change in changes
        if change.lease_until is not None and change.lease_until > change.at
    ]


RULES: Final[Mapping[str, Callable[[Evidence], Iterator[str]]]] = {
    "phases": _phases_follow_the_table,
    "final": _ends_are_final,
    "growing": _numbers_only_grow,
    "promises": _answers_are_promises,
    "answers": _nothing_answers_500,
    "object": _objects_are_what_was_meant,
    "manifest": _manifests_are_what_was_meant,
    "declared": _declared_checksums_are_true,
    "jobs": _jobs_are_one_to_one,
    "jobs-once": _jobs_succeed_once,
    "audit": _audit_says_each_end_once,
    "cause": _failures_have_a_cause,
    "failed": _failures_leave_nothing,
    "destroyed": _objects_are_never_destroyed,
    "stuck": _nothing_is_stuck,
    "orphans": _no_orphans,
    "artifacts": _artifacts_are_there,
    "foreign": _foreign_objects_stay,
    "redis": _ledgers_are_dropped,
    "lease": _one_complete_a_lease,
}
