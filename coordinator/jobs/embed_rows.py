"""Makes vectors of the texts of rows, some rows at a time."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from coordinator.adapters.embedders import LONGEST, Embedder, open_embedder
from coordinator.domain.embedders import LocalSetting
from coordinator.jobs.pieces import Piece
from coordinator.jobs.row_text import text_of
from coordinator.jobs.rows import Broken, Row, rows
from coordinator.jobs.vector_files import Embedded

# Of each text this much is kept beside its vector.
KEPT: Final = 2_000

_WINDOW: Final = 1_024
_MOST_BYTES: Final = 32 * 1024 * 1024


def embed_piece(piece: Piece, setting: LocalSetting, column: str | None) -> Embedded:
    """Embed the rows of one piece, wherever that is; more than 32 MiB of vectors are too much."""
    embedder = open_embedder(setting, patience_s=0.0)
    rows_before, broken = 0, 0
    numbers: list[int] = []
    texts: list[str] = []
    vectors = bytearray()
    for batch in embed_rows(rows(piece), embedder, column):
        numbers += [rows_before + number for number in batch.numbers]
        texts += batch.texts
        vectors += batch.vectors
        rows_before += batch.rows
        broken += batch.broken
        if len(vectors) > _MOST_BYTES:
            return Embedded(is_too_much=True)
    return Embedded(
        rows=rows_before, broken=broken, numbers=numbers, texts=texts, vectors=bytes(vectors)
    )


def embed_rows(
    found: Iterator[Row | Broken],
    embedder: Embedder,
    column: str | None,
    *,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[Embedded]:
    """Embed some rows at a time; numbers count from the first row of each batch."""
    while True:
        tick()
        window = _window(found, column)
        if not window.rows:
            return
        vectors = embedder.embed(window.texts, tick=tick) if window.texts else []
        kept = [place for place, vector in enumerate(vectors) if vector is not None]
        yield Embedded(
            rows=window.rows,
            broken=window.broken,
            numbers=[window.numbers[place] for place in kept],
            texts=[window.texts[place][:KEPT] for place in kept],
            vectors=b"".join(vector for vector in vectors if vector is not None),
        )


class _Window(NamedTuple):
    rows: int
    broken: int
    numbers: list[int]
    texts: list[str]


def _window(found: Iterator[Row | Broken], column: str | None) -> _Window:
    """Take some rows, and of their texts what will be embedded."""
    count, broken = 0, 0
    numbers: list[int] = []
    texts: list[str] = []
    for row in islice(found, _WINDOW):
        if isinstance(row, Broken):
            broken += 1
        elif text := text_of(row.value, column):
            numbers.append(count)
            texts.append(text[:LONGEST])
        count += 1
    return _Window(count, broken, numbers, texts)
