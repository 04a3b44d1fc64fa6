"""What a scan takes of its process: memory, time to import, and no network at all."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

import msgspec

from coordinator.domain.job_parameters import ScanPii
from coordinator.domain.kinds import Kind
from coordinator.jobs import scan_pii
from coordinator.jobs.executors import open_executor
from coordinator.jobs.object_reader import ObjectSource
from coordinator.jobs.workspace import Outcome, Workspace

Put = Callable[[bytes], ObjectSource]

_ALONE: Final = """
import socket, sys
def refuse(event, args):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.sendto"}:
        raise SystemExit(f"the network was asked: {event}")
sys.addaudithook(refuse)
import coordinator.jobs.scan_pii
early = {"presidio_analyzer", "spacy", "hyperscan", "phonenumbers", "tldextract"} & {*sys.modules}
from coordinator.domain import pii_kinds
from coordinator.jobs.pii_finding import Finder
text = "bob@x.org +49 30 1234567 4111111111111111 DE89370400440532013000 10.1.2.3 123-45-6789"
found = Finder(tuple(k for k in pii_kinds.KINDS if k != "name")).find_fully(text)
print(*sorted(early), [each.kind for each in found])
"""

_SCAN: Final = """
import re, sys
from pathlib import Path
import msgspec
from coordinator.domain import pii_kinds
from coordinator.jobs.detect import detect
from coordinator.jobs.object_reader import ObjectReader, ObjectSource
from coordinator.jobs.pieces import cut
from coordinator.jobs.pii_redaction import redacted_blocks
from coordinator.jobs.pii_rows import scan_piece
source = msgspec.json.decode(sys.stdin.buffer.read(), type=ObjectSource)
kinds = tuple(k for k in pii_kinds.KINDS if k != "name")
reader = ObjectReader(source)
pieces = cut(reader, detect(reader.read(0, 65536), "a.jsonl", ""))
rows = sum(scan_piece(piece, kinds, ()).with_findings for piece in pieces)
size = sum(len(block) for piece in pieces for block in redacted_blocks(piece, kinds, ()))
status = Path("/proc/self/status").read_text()
print(rows, size, int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) // 1024)
"""


def in_child(code: str, stdin: bytes = b"") -> list[str]:
    """Run code in a process of its own."""
    child = subprocess.run(
        [sys.executable, "-c", code], input=stdin, capture_output=True, check=True, timeout=600
    )
    return child.stdout.decode().split(maxsplit=2)


def test_nothing_is_fetched_and_nothing_large_imported_early() -> None:
    """Public suffixes could be downloaded, and models; the worker's start waits for no library."""
    found = " ".join(in_child(_ALONE)).strip()

    assert found == "['email', 'phone', 'card', 'iban', 'ip', 'us_ssn']"


def test_a_hundred_megabytes_take_less_than_half_a_gigabyte(put: Put) -> None:
    """Scanned and redacted in one process, presidio and hyperscan in it."""
    clean = b'{"id": 1234, "text": "%s", "at": "2024-01-02T03:04:05Z"}\n' % (b"some words " * 90)
    dirty = b'{"mail": "bob@example.org", "text": "%s"}\n' % (b"some words " * 90)
    body = (clean * 95 + dirty * 5) * 970
    source = put(body)

    rows, size, peak = map(int, in_child(_SCAN, msgspec.json.encode(source)))

    assert len(body) > 100_000_000
    assert rows == 5 * 970
    assert len(body) - size == rows * (len("bob@example.org") - len("<EMAIL>") + 3)  # spaces
    assert peak < 512


def test_processes_give_what_this_one_gives(put: Put, workspace: Callable[..., Workspace]) -> None:
    """The same result and the same copy, wherever pieces are done."""
    pad = b'{"id": 7, "text": "%s"}\n' % (b"some words " * 900)
    source = put(b'{"mail": "bob@example.org"}\n'.join([pad * 400] * 6))

    def scan(executor: Executor | None) -> Outcome:
        work = workspace(source, Kind.SCAN_PII, file_name="a.jsonl", executor=executor)
        return scan_pii.run(work, ScanPii(policy="redact"))

    with open_executor(2, None) as executor:
        apart = scan(executor)

    assert apart == scan(None)
    assert apart.result["rowsWithFindings"] == 5
    assert [each["row"] for each in apart.result["samples"]] == [400, 801, 1202, 1603, 2004]
