"""The job ``generate_metadata``: what a finished object is, what its table holds, and a card of it.

The same object gives the same bytes. A broken object gives a result that says what is broken; only
S3's failures are raised.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, cast

import msgspec

from coordinator.domain.job_parameters import GenerateMetadata
from coordinator.jobs import croissant
from coordinator.jobs.detect import HEAD_BYTES, detect
from coordinator.jobs.object_reader import ObjectReader, ObjectSource
from coordinator.jobs.pieces import Piece
from coordinator.jobs.table_metadata import Metadata, measured
from coordinator.jobs.text_summary import Lines, measure_lines
from coordinator.jobs.workspace import Outcome, Workspace

# Of a longer object whose SHA-256 nobody knows, the card does without: reading it takes minutes.
_HASHED_BYTES: Final = 8 * 1024**3
_READ: Final = 8 * 1024 * 1024


def run(work: Workspace, parameters: GenerateMetadata) -> Outcome:
    """Measure the object, and write its card as ``croissant.json``.

    Raises:
        ObjectReadError: S3 could not be read; try again later.
        StoppedError: the job should not go on.

    """
    reader = work.reader()

    def side_by_side(pieces: Sequence[Piece]) -> Iterable[Lines]:
        return work.mapped(measure_lines, pieces)

    found = measured(reader, work.detected(), side_by_side)
    card = croissant.card(_described(work, reader, found, parameters), found.columns)
    body = msgspec.json.format(msgspec.json.encode(card))
    written = work.write(croissant.PATH, [body], media_type=croissant.MEDIA_TYPE)
    result = msgspec.structs.replace(found, artifacts=(written.path,))
    return Outcome(msgspec.to_builtins(result), rows=found.rows)


def generate_metadata(source: ObjectSource, *, file_name: str, file_type: str) -> dict[str, object]:
    """Describe the object and, if it is a table or text, measure it. No card is written.

    Blocks: run it in a thread. Takes at most 512 MiB, whatever the object's size.

    Raises:
        ObjectReadError: S3 could not be read; try again later.

    """
    reader = ObjectReader(source)
    detected = detect(reader.read(0, HEAD_BYTES), file_name, file_type)
    found = measured(reader, detected, lambda pieces: map(measure_lines, pieces))
    return cast("dict[str, object]", msgspec.to_builtins(found))


def _described(
    work: Workspace, reader: ObjectReader, found: Metadata, parameters: GenerateMetadata
) -> croissant.Described:
    assert found.detected is not None
    return croissant.Described(
        file_name=work.file_name,
        size_bytes=found.size_bytes,
        content_url=_address(work),
        detected=found.detected,
        sha256=work.sha256 or _sha256(work, reader),
        root=work.root,
        rows=found.rows,
        description=parameters.description,
        license=parameters.license,
    )


def _address(work: Workspace) -> str:
    """Say where the file is: with the service where its address is known, else in the bucket."""
    if work.options.public_url:
        return f"{work.options.public_url.rstrip('/')}/api/uploads/{work.upload_id}/download"
    source = work.source
    return f"s3://{source.bucket}/{source.key}"


def _sha256(work: Workspace, reader: ObjectReader) -> str | None:
    if reader.size > _HASHED_BYTES:
        return None
    found = hashlib.sha256()
    for start in range(0, reader.size, _READ):
        work.note(start, reader.size)
        found.update(reader.read(start, start + _READ))
    return found.hexdigest()
