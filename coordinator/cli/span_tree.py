"""Spans of one trace as a tree of lines, to be read in a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from coordinator import tracing

_FIGURES: Final = 34  # columns that process, start and length take
_NARROWEST: Final = 40
_SHOWN: Final = (tracing.STATUS, tracing.INTENT, tracing.JOB_KIND)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A span that has ended, as it came over the wire."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    process: str
    started_ns: int
    ended_ns: int
    is_error: bool
    attributes: Mapping[str, str | int]

    @property
    def label(self) -> str:
        """What to call it: its name and what sets it apart from others of that name."""
        told = self.attributes
        words = [self.name, *(str(told[key]) for key in _SHOWN if key in told)]
        if told.get(tracing.DB_SYSTEM) == "postgresql":
            words.insert(0, "Postgres")
        if (attempt := told.get(tracing.ATTEMPT, 1)) != 1:
            words.append(f"attempt {attempt}")
        if self.is_error:
            words.append(f"✗ {told.get(tracing.ERROR_TYPE, 'failed')}")
        # Whoever can reach the port can send names; none may speak to the terminal.
        return "".join(sign if sign.isprintable() else "?" for sign in " ".join(words))


def render(spans: Sequence[Seen], *, columns: int, continues: bool = False) -> list[str]:
    """Draw a trace: where each span ran, when it began after the first one, how long it took."""
    first = min(span.started_ns for span in spans)
    rows = list(_rows(spans))
    longest = max(len(label) for label, _ in rows)
    width = min(longest, max(columns - _FIGURES, _NARROWEST))
    uploads = {str(span.attributes.get(tracing.UPLOAD_ID, "")) for span in spans} - {""}
    title = " ".join(
        ["trace", spans[0].trace_id, *(["goes on"] if continues else []), *sorted(uploads)]
    )
    lines = [
        f"{_cut(label, width)}  {span.process:<8.8}"
        f" {_milliseconds(span.started_ns - first):>11} {_milliseconds(_length(span)):>11}"
        for label, span in rows
    ]
    return ["", title, f"{'':<{width}}  {'process':<8} {'began after':>11} {'took':>11}", *lines]


def _rows(spans: Sequence[Seen]) -> Iterator[tuple[str, Seen]]:
    """Yield every span after its parent, with its branch drawn; orphans stand at the root."""
    known = {span.span_id for span in spans}
    children: dict[str, list[Seen]] = {}
    for span in sorted(spans, key=lambda each: each.started_ns, reverse=True):
        parent = span.parent_id if span.parent_id in known else ""
        children.setdefault(parent, []).append(span)
    # The latest lies at the bottom, so that the earliest is taken first.
    waiting = [("", "", root) for root in children.get("", [])]
    while waiting:
        branch, indent, span = waiting.pop()
        yield branch + span.label, span
        for at, child in enumerate(children.pop(span.span_id, [])):
            branch, stem = ("├─ ", "│  ") if at else ("└─ ", "   ")
            waiting.append((indent + branch, indent + stem, child))


def _length(span: Seen) -> int:
    return span.ended_ns - span.started_ns


def _milliseconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e6:,.1f} ms"


def _cut(label: str, width: int) -> str:
    return f"{label[: width - 1]}…" if len(label) > width else label.ljust(width)
