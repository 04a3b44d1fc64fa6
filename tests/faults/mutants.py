"""Checks of integrity and durability, each with its source without it, for ``make mutation``."""

from typing import Final, NamedTuple

_BUCKET: Final = "coordinator/adapters/bucket.py"
_LEASES: Final = "coordinator/adapters/leases.py"
_ASSEMBLE: Final = "coordinator/operations/assemble_object.py"
_PROVE: Final = "coordinator/operations/prove_object.py"


class Mutant(NamedTuple):
    """One check, and its source without it."""

    check: str
    path: str
    text: str
    without: str
    tests: str  # where the tests are that should notice


INTEGRITY: Final = (
    Mutant(
        "MpuObjectSize is sent",
        _BUCKET,
        "MpuObjectSize=size_bytes,",
        "",
        "tests/adapters/test_bucket.py",
    ),
    Mutant(
        "part digests are sent to complete",
        _BUCKET,
        '"ChecksumSHA256": base64.b64encode(part.sha256).decode(),',
        "",
        "tests/adapters/test_bucket.py",
    ),
    Mutant(
        "listed digests are compared",
        "coordinator/domain/assembly.py",
        "or (part.sha256 is not None and part.sha256 != fixed)",
        "",
        "tests/domain/test_assembly.py",
    ),
    Mutant(
        "listed sizes are compared",
        "coordinator/domain/assembly.py",
        "or part.size_bytes != plan.length_of(index)",
        "",
        "tests/domain/test_assembly.py",
    ),
    Mutant(
        "If-None-Match is sent", _BUCKET, 'IfNoneMatch="*",', "", "tests/adapters/test_bucket.py"
    ),
    Mutant(
        "the root answered is compared",
        _ASSEMBLE,
        "if root != content.root or",
        "if",
        "tests/operations/test_answered_root.py",
    ),
    Mutant(
        "the object's root is compared",
        _PROVE,
        "if facts.root != content.root:",
        "if False:",
        "tests/operations/test_taking_over.py",
    ),
    Mutant(
        "the object's token is compared",
        _PROVE,
        "if facts.token != upload.token:",
        "if False:",
        "tests/operations/test_taking_over.py",
    ),
    Mutant(
        "the object's size is compared",
        _PROVE,
        "if facts.size_bytes != upload.size_bytes:",
        "if False:",
        "tests/operations/test_taking_over.py",
    ),
    Mutant(
        "a live lease keeps others out",
        "coordinator/domain/uploads.py",
        "if upload.is_leased or upload.awaits_hashing:",
        "if upload.awaits_hashing:",
        "tests/operations/test_taking_over.py",
    ),
    Mutant(
        "the lease is renewed before complete",
        _LEASES,
        "AND phase = 'ASSEMBLING'\n   AND lease_until > clock_timestamp()",
        "AND phase = 'ASSEMBLING'",
        "tests/adapters/test_upload_rows.py",
    ),
    Mutant(
        "nothing is sent under an old lease",
        _BUCKET,
        "if clock.elapsed() >= start_by:",
        "if False:",
        "tests/faults/answers/test_stopped_processes.py",
    ),
    Mutant(
        "a takeover waits for S3's deadline, too",
        _ASSEMBLE,
        "lease=stores.lease + stores.s3_deadline",
        "lease=stores.lease",
        "tests/faults/answers/test_lost_answers.py tests/faults/answers/test_stopped_processes.py",
    ),
    Mutant(
        "a takeover proves before it completes",
        _ASSEMBLE,
        "if upload.attempt > 1 and await look(stores, upload, content) is Finding.OURS:",
        "if False:",
        "tests/faults/answers/test_lying_listings.py",
    ),
    Mutant(
        "renewing is fenced",
        _LEASES,
        "WHERE id = %(id)s AND attempt = %(attempt)s AND phase = 'ASSEMBLING'\n   AND lease_until",
        "WHERE id = %(id)s AND phase = 'ASSEMBLING'\n   AND lease_until",
        "tests/adapters/test_upload_rows.py",
    ),
    Mutant(
        "ending is fenced",
        _LEASES,
        "WHERE id = %(id)s AND attempt = %(attempt)s AND phase = 'ASSEMBLING'\n"
        "RETURNING *, clock_timestamp() AS as_of",
        "WHERE id = %(id)s AND phase = 'ASSEMBLING'\nRETURNING *, clock_timestamp() AS as_of",
        "tests/adapters/test_upload_rows.py",
    ),
    Mutant(
        "reopening is fenced",
        _LEASES,
        "WHERE id = %(id)s AND attempt = %(attempt)s AND phase = 'ASSEMBLING'\nRETURNING id",
        "WHERE id = %(id)s AND phase = 'ASSEMBLING'\nRETURNING id",
        "tests/adapters/test_upload_rows.py",
    ),
    Mutant(
        "a job's result is fenced",
        "coordinator/adapters/jobs.py",
        "       finished_at = clock_timestamp()\n WHERE id = %(id)s AND attempt = %(attempt)s",
        "       finished_at = clock_timestamp()\n WHERE id = %(id)s",
        "tests/operations/test_running_jobs.py",
    ),
    Mutant(
        "an abort looks for the object",
        "coordinator/operations/drive_upload.py",
        "if content and await look(stores, upload, content) is Finding.OURS:",
        "if False:",
        "tests/operations/test_aborting.py",
    ),
    Mutant(
        "the declared checksum is compared",
        _ASSEMBLE,
        "check_declared(content, Declared(upload.declared_sha256, upload.declared_root))",
        "pass",
        "tests/operations/test_declared_checksums.py",
    ),
    Mutant(
        "a damaged object is deleted under a fresh lease",
        "coordinator/operations/delete_damaged.py",
        "await leases.extend(conn, upload, lease=stores.lease)",
        "pass",
        "tests/faults/answers/test_stopped_processes.py",
    ),
    Mutant(
        "a job's result waits for Postgres",
        "coordinator/worker/run_job.py",
        "await outlasting(write)",
        "await write()",
        "tests/operations/test_postgres_lost.py",
    ),
    Mutant(
        "a worker that was taken for dead comes back",
        "coordinator/adapters/queue_connector.py",
        'if query == queries["update_heartbeat"]:',
        "if False:",
        "tests/adapters/test_queue_connector.py",
    ),
    Mutant(
        "the checksum's header is signed",
        "coordinator/domain/sigv4.py",
        "content-length;host;x-amz-checksum-sha256;x-amz-sdk-checksum-algorithm",
        "host",
        "tests/adapters/test_tampering.py tests/domain/test_sigv4.py",
    ),
)
