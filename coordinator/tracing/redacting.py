"""Spans pass here on their way out: what looks like a secret does not leave with them.

Our own spans hold none (see the package's rule); a library's, or those of tomorrow, might.
"""

from collections.abc import Mapping, Sequence

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Status
from opentelemetry.util.types import Attributes, AttributeValue
from typing_extensions import override

from coordinator.redaction import redact


class Redacting(SpanExporter):
    """Hands spans on to another exporter, redacted: names, attributes, events, links, status."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Hand on a batch."""
        return self._exporter.export([redacted(span) for span in spans])

    @override
    def shutdown(self) -> None:
        """End the exporter."""
        self._exporter.shutdown()

    @override
    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Let the exporter send what it holds."""
        return self._exporter.force_flush(timeout_millis)


def redacted(span: ReadableSpan) -> ReadableSpan:
    """Return a span that is equal but for what looks like a secret."""
    return ReadableSpan(
        name=redact(span.name),
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=_attributes(span.attributes),
        events=[
            Event(redact(event.name), _attributes(event.attributes), event.timestamp)
            for event in span.events
        ],
        links=[Link(link.context, _attributes(link.attributes)) for link in span.links],
        kind=span.kind,
        status=_status(span.status),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _status(status: Status) -> Status:
    described = status.description
    return Status(status.status_code, None if described is None else redact(described))


def _attributes(attributes: Attributes) -> Mapping[str, AttributeValue]:
    return {redact(key): _value(value) for key, value in (attributes or {}).items()}


def _value(value: AttributeValue) -> AttributeValue:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [redact(each) if isinstance(each, str) else each for each in value]
    return value
