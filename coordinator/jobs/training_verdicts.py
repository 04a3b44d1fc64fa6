"""What becomes of every row: dropped, or in which split. Kept on disk, a byte a row.

Rows are the same if their digests are; of these the first stays. Digests are sorted into 256 files
by their last byte and looked at file by file, so that memory does not grow with the rows.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from coordinator.jobs.rows import NotRowsError
from coordinator.jobs.training_survey import DIGEST_BYTES

DROPPED: Final = 0
SPLITS: Final = {"train": 1, "validation": 2, "test": 3}

# Twenty bytes of disk each, and of 256 files of them each is read whole.
MOST_ROWS: Final = 2**30

_AT_ONCE: Final = 2**18
_WINDOW: Final = 2**20
_RECORD: Final = np.dtype([("high", "<u8"), ("low", "<u8"), ("row", "<u4")])

_Integers = npt.NDArray[np.uint64]


class Verdicts:
    """The verdicts on all rows of a file, in its order. It makes ``folder`` and fills it."""

    def __init__(
        self,
        folder: Path,
        *,
        validation: float,
        test: float,
        dedupe: bool,
        most_rows: int = MOST_ROWS,
    ) -> None:
        self.counts = dict.fromkeys(SPLITS, 0)
        self.duplicates = 0
        self._folder = folder
        folder.mkdir()
        self._validation = validation
        self._test = test
        self._dedupe = dedupe
        self._most_rows = most_rows
        self._waiting = bytearray()
        self.rows = 0

    def add(self, digests: bytes) -> None:
        """Take the digests of the next rows.

        Raises:
            NotRowsError: there are too many.

        """
        self._waiting += digests
        if len(self._waiting) >= _AT_ONCE * DIGEST_BYTES:
            self._write()

    def settle(self) -> None:
        """Find the duplicates and count what is left. Nothing can be added any more."""
        self._write()
        for path in sorted(self._folder.glob("digests-*")):
            self._drop(_repeated(np.fromfile(path, _RECORD)))
            path.unlink()
        counts = np.zeros(len(SPLITS) + 1, np.int64)
        for window in self._windows():
            counts += np.bincount(window, minlength=len(counts))
        self.counts = {name: int(counts[code]) for name, code in SPLITS.items()}

    def __iter__(self) -> Iterator[int]:
        for window in self._windows():
            yield from window.tobytes()

    def _write(self) -> None:
        """Write down the splits, and the digests into their files."""
        digests = np.frombuffer(bytes(self._waiting), ">u8").reshape(-1, 2).astype(np.uint64)
        self._waiting.clear()
        first, self.rows = self.rows, self.rows + len(digests)
        if self.rows > self._most_rows:
            detail = f"Of a file with more than {self._most_rows} rows no data set is made."
            raise NotRowsError("too-many-rows", detail)
        high, low = digests[:, 0], digests[:, 1]
        is_good = (high | low) != 0
        with (self._folder / "splits").open("ab") as file:
            file.write(np.where(is_good, self._split(high), DROPPED).astype(np.uint8).tobytes())
        if self._dedupe:
            records = np.empty(len(digests), _RECORD)
            records["high"], records["low"] = high, low
            records["row"] = np.arange(first, self.rows)
            self._sort_in(records[is_good])

    def _split(self, high: _Integers) -> npt.NDArray[np.uint8]:
        """Draw each row's split: the digest is as good as a random number between 0 and 1."""
        drawn = (high >> np.uint64(11)).astype(np.float64) * 2.0**-53
        found = np.full(len(high), SPLITS["train"], np.uint8)
        found[drawn < self._test + self._validation] = SPLITS["validation"]
        found[drawn < self._test] = SPLITS["test"]
        return found

    def _sort_in(self, records: npt.NDArray[np.void]) -> None:
        last = (records["low"] & np.uint64(255)).astype(np.uint8)
        ordered = records[np.argsort(last, kind="stable")]
        edges = np.cumsum(np.bincount(last, minlength=256))
        for name, part in enumerate(np.split(ordered, edges[:-1])):
            if len(part):
                with (self._folder / f"digests-{name:03}").open("ab") as file:
                    file.write(part.tobytes())

    def _drop(self, rows: npt.NDArray[np.uint32]) -> None:
        self.duplicates += len(rows)
        windows = rows // _WINDOW
        for window in np.unique(windows):
            with (self._folder / f"dropped-{window}").open("ab") as file:
                file.write((rows[windows == window] % _WINDOW).astype("<u4").tobytes())

    def _windows(self) -> Iterator[npt.NDArray[np.uint8]]:
        for start in range(0, self.rows, _WINDOW):
            count = min(_WINDOW, self.rows - start)
            window = np.fromfile(self._folder / "splits", np.uint8, count, offset=start)
            dropped = self._folder / f"dropped-{start // _WINDOW}"
            if dropped.exists():
                window[np.fromfile(dropped, "<u4")] = DROPPED
            yield window


def _repeated(records: npt.NDArray[np.void]) -> npt.NDArray[np.uint32]:
    """Return the rows whose digest an earlier row has. Records come in the order of rows."""
    order = np.lexsort((records["row"], records["low"], records["high"]))
    ordered = records[order]
    same = (ordered["high"][1:] == ordered["high"][:-1]) & (
        ordered["low"][1:] == ordered["low"][:-1]
    )
    found: npt.NDArray[np.uint32] = ordered["row"][1:][same]
    return found
