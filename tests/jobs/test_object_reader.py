"""Reading by range from a real S3 server: its failures are raised, memory stays small."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from coordinator.jobs.generate_metadata import generate_metadata
from coordinator.jobs.object_reader import ObjectReader, ObjectReadError, ObjectSource

Put = Callable[[bytes], ObjectSource]

_ROWS = b'{"n": 1, "s": "x"}\n{"n": 2, "s": null}\n'


def test_a_range_is_cut_at_the_end_of_the_object(put: Put) -> None:
    """DuckDB asks for whole buffers."""
    reader = ObjectReader(put(b"0123456789"))

    assert [reader.read(2, 4), reader.read(8, 99), reader.read(10, 99)] == [b"23", b"89", b""]
    assert reader.bytes_read == 4


@pytest.mark.parametrize(
    "change",
    [
        {"key": "jobs/none"},
        {"size": 1},
        {"secret_key": "wrong"},
        {"endpoint": "http://127.0.0.1:9"},
    ],
)
def test_failures_of_s3_are_raised(put: Put, change: dict[str, Any]) -> None:
    """The worker tries again later; a result would be kept for ever."""
    source = msgspec.structs.replace(put(_ROWS), **change)

    with pytest.raises(ObjectReadError):
        generate_metadata(source, file_name="a.jsonl", file_type="")


def test_an_object_that_changes_under_the_job_is_a_failure_of_s3(put: Put) -> None:
    """Half of one object and half of another is no answer."""
    source = put(_ROWS)
    reader = ObjectReader(source)
    put(_ROWS.replace(b"x", b"y"))

    with pytest.raises(ObjectReadError):
        reader.read(0, source.size)


def test_a_source_does_not_show_its_keys(put: Put) -> None:
    """It ends up in logs and tracebacks."""
    source = put(b"")

    assert source.secret_key not in repr(source)
    assert source.access_key not in f"{source}"


_CHILD = """
import re, sys
from pathlib import Path
import msgspec
from coordinator.jobs.generate_metadata import generate_metadata
from coordinator.jobs.object_reader import ObjectSource
source = msgspec.json.decode(sys.stdin.buffer.read(), type=ObjectSource)
found = generate_metadata(source, file_name="a.jsonl", file_type="")
# Not ru_maxrss: that begins with what the parent had when it forked.
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
print(found["rows"], int(peak[1]) // 1024)
"""


def test_memory_stays_far_below_the_size_of_the_object(put: Put) -> None:
    """Measured in a process of its own, which this one's memory cannot blur."""
    line = b'{"id": 123456, "text": "' + b"lorem ipsum " * 40 + b'", "score": 0.25}\n'
    lines = 320 * 2**20 // len(line)
    source = put(line * lines)

    child = subprocess.run(
        [sys.executable, "-c", _CHILD],
        input=msgspec.json.encode(source),
        capture_output=True,
        check=True,
    )

    rows, peak_mib = map(int, child.stdout.split())
    assert rows == lines
    assert peak_mib < 320
