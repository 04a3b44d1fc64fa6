"""``make mutation``: take out one check after the other, and see that some test fails.

Each mutant is a copy of the sources with one text replaced. A mutant that lives means that a check
could be lost without anybody noticing.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from rich.console import Console
from rich.table import Table

_ROOT: Final = Path(__file__).parents[2]
_COPIED: Final = ("coordinator", "manifests", "tests", "pyproject.toml")
_FAILED: Final = 1  # pytest's code for failed tests; others mean that it could not run
_PATIENCE_S: Final = 300

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


MUTANTS: Final = (
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
        "SET state = 'succeeded', result = %(result)s, finished_at = clock_timestamp()\n"
        " WHERE id = %(id)s AND attempt = %(attempt)s",
        "SET state = 'succeeded', result = %(result)s, finished_at = clock_timestamp()\n"
        " WHERE id = %(id)s",
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
        "await outlasting(lambda: _succeeded(stores, job, result))",
        "await _succeeded(stores, job, result)",
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


def apply(mutant: Mutant, folder: Path) -> None:
    """Take the check out of the sources in ``folder``."""
    path = folder / mutant.path
    source = path.read_text(encoding="utf-8")
    assert source.count(mutant.text) == 1, f"{mutant.check}: {mutant.path} has changed"
    path.write_text(source.replace(mutant.text, mutant.without), encoding="utf-8")


def _killer(mutant: Mutant) -> tuple[str | None, str]:
    """Return the test that failed, or ``None``, and the end of pytest's output."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        folder = Path(name)
        for entry in _COPIED:
            source = _ROOT / entry
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / entry)
        apply(mutant, folder)
        localstack = _ROOT / ".venv-localstack" / "bin" / "python"
        ran = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-x",
                "-q",
                "-p",
                "no:cacheprovider",
                *mutant.tests.split(),
            ],
            cwd=folder,
            env={"LOCALSTACK_PYTHON": str(localstack), **os.environ},
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    failed = [line for line in ran.stdout.splitlines() if line.startswith("FAILED ")]
    if ran.returncode != _FAILED or not failed:
        return None, ran.stdout[-2000:]
    return failed[0].removeprefix("FAILED ").split(" - ")[0], ""


def main() -> int:
    """Run the mutants, print the table, and say by the exit code whether one lived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="Mutants whose check has this text in it.")
    only = parser.parse_args().only
    table = Table("check taken out", "killed by", "s")
    lived = 0
    console = Console()
    for mutant in MUTANTS:
        if only not in mutant.check:
            continue
        started = time.monotonic()
        killer, output = _killer(mutant)
        seconds = f"{time.monotonic() - started:.0f}"
        lived += killer is None
        table.add_row(mutant.check, killer or "[bold]nobody: it lives[/bold]", seconds)
        console.print(f"{mutant.check}: {killer or 'LIVES'} ({seconds} s)", soft_wrap=True)
        if output:
            console.print(output, markup=False)
    console.print(table)
    return min(lived, 1)


if __name__ == "__main__":
    sys.exit(main())
