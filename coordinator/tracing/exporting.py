"""Where spans go: what the usual ``OTEL_*`` variables say, and nowhere without them.

Rule: the SDK reads its variables itself (sampler, batches, limits, resource, addresses, headers);
here stands only what it leaves to distributions: whether to export at all, and by which exporter.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Final

import structlog
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from coordinator import tracing
from coordinator.tracing.redacting import Redacting

_log = structlog.get_logger(__name__)

_LAST_SECONDS: Final = 3.0
_GROUP: Final = "opentelemetry_traces_exporter"
_ADDRESSES: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_BY_PROTOCOL: Final = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


@contextmanager
def exporting(service_name: str) -> Iterator[None]:
    """Export spans as the environment says until the block ends, as ``service_name`` if it is mute.

    A collector that is away keeps nothing from starting, and the end waits for it 3 s at most.
    """
    names = _exporters()
    if not names:
        yield
        return
    provider = _provider(service_name, names)
    tracing.install(provider)
    try:
        yield
    finally:
        tracing.install(None)
        # The SDK would wait for as long as one export may take, which is 10 s unless set.
        last = threading.Thread(target=provider.shutdown, daemon=True)
        last.start()
        last.join(_LAST_SECONDS)


def _provider(service_name: str, names: list[str]) -> TracerProvider:
    provider = TracerProvider(resource=_resource(service_name), shutdown_on_exit=False)
    for name in names:
        found = next(iter(entry_points(group=_GROUP, name=name)), None)
        if found is None:
            _log.warning("no such exporter of traces", exporter=name)
            continue
        provider.add_span_processor(BatchSpanProcessor(Redacting(found.load()())))
    return provider


def _exporters() -> list[str]:
    """Return the exporters that are asked for; naming an address asks for OTLP."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    named = os.environ.get("OTEL_TRACES_EXPORTER", "").strip()
    if not named and any(os.environ.get(name) for name in _ADDRESSES):
        named = "otlp"
    asked = [name.strip() for name in named.split(",")]
    return [_otlp() if name == "otlp" else name for name in asked if name not in {"", "none"}]


def _otlp() -> str:
    protocol = next(filter(None, map(os.environ.get, _PROTOCOLS)), "http/protobuf")
    return _BY_PROTOCOL.get(protocol.strip(), protocol)


def _resource(service_name: str) -> Resource:
    found = Resource.create()
    if str(found.attributes[SERVICE_NAME]).startswith("unknown_service"):
        return found.merge(Resource({SERVICE_NAME: service_name}))
    return found
