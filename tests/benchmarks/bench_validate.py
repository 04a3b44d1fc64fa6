"""``validate_schema`` over JSON lines of some 100 bytes, out of a real S3 server, in one process.

Here a speed is promised, and not only a ratio: rows by the second of processor time, so that what
else the machine does counts less. Beside it the same rows through ``jsonschema`` where
that is installed: pure Python, and what most people would take.
"""

import importlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any, Final

import botocore.session
import msgspec
from botocore.config import Config

from coordinator.embedded import running
from coordinator.jobs.detect import HEAD_BYTES, detect
from coordinator.jobs.object_reader import ObjectReader, ObjectSource
from coordinator.jobs.pieces import Piece, cut
from coordinator.jobs.schema_checks import checked
from tests.benchmarks.measuring import Row

_ROWS: Final = 300_000
_ROUNDS: Final = 5
_BAR: Final = 150_000
_THEIR_ROWS: Final = 20_000
_BAD_EVERY: Final = 1_000

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer", "minimum": 0},
        "text": {"type": "string", "minLength": 1, "maxLength": 200},
        "label": {"enum": ["good", "bad", "unknown"]},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "required": ["id", "text", "label"],
}


def measure() -> list[Row]:
    """Return the rows for speed, and for how much faster that is than ``jsonschema``."""
    lines = b"".join(map(_line, range(_ROWS)))
    with _stored(lines) as source:
        reader = ObjectReader(source)
        pieces = cut(reader, detect(reader.read(0, HEAD_BYTES), "rows.jsonl", ""))
        ours = _per_second(lambda: _check(pieces), _ROWS)
    rows = [Row("validate_schema: rows/s a core", ours, at_least=_BAR)]
    try:
        jsonschema: Any = importlib.import_module("jsonschema")
    except ImportError:
        return rows
    validator = jsonschema.Draft202012Validator(SCHEMA)
    some = lines.splitlines()[:_THEIR_ROWS]
    theirs = _per_second(lambda: sum(map(validator.is_valid, map(_decode, some))), _THEIR_ROWS)
    return [*rows, Row("validate_schema: rows/s of ours / of jsonschema", ours / theirs)]


def _line(number: int) -> bytes:
    score = 2 if number % _BAD_EVERY == 0 else number % 100 / 100
    text = "the quick brown fox jumps over the lazy dog"
    return b'{"id": %d, "text": "%s", "label": "good", "score": %g}\n' % (
        number, text.encode(), score,
    )  # fmt: skip


def _check(pieces: list[Piece]) -> None:
    schema = msgspec.json.encode(SCHEMA).decode()
    found = [checked(piece, schema) for piece in pieces]
    assert sum(each.rows for each in found) == _ROWS
    assert sum(each.invalid for each in found) == _ROWS // _BAD_EVERY


def _per_second(work: Callable[[], object], rows: int) -> float:
    seconds = []
    for _ in range(_ROUNDS):
        start = process_time()
        work()
        seconds.append(process_time() - start)
    return rows / median(seconds)


@contextmanager
def _stored(body: bytes) -> Iterator[ObjectSource]:
    """Put bytes into an S3 server of their own."""
    with tempfile.TemporaryDirectory() as home, running(Path(home)) as servers:
        addresses = servers.addresses
        client: Any = botocore.session.get_session().create_client(
            "s3",
            endpoint_url=addresses.s3_endpoint,
            region_name=addresses.s3_region,
            aws_access_key_id=addresses.access_key,
            aws_secret_access_key=addresses.secret_key,
            config=Config(s3={"addressing_style": "path"}),
        )
        client.put_object(Bucket=addresses.s3_bucket, Key="rows.jsonl", Body=body)
        yield ObjectSource(
            bucket=addresses.s3_bucket,
            key="rows.jsonl",
            size=len(body),
            endpoint=addresses.s3_endpoint,
            region=addresses.s3_region,
            path_addressing=True,
            access_key=addresses.access_key,
            secret_key=addresses.secret_key,
            session_token=None,
        )


_decode: Final = msgspec.json.Decoder().decode
