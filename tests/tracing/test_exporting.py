"""Where spans go is said by the variables that everybody uses, and by nothing of ours."""

import os
import socket
import time
from collections.abc import Mapping

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from coordinator import tracing
from coordinator.cli.span_tree import Seen
from coordinator.cli.traces import read
from coordinator.tracing import exporting as exporting_module
from coordinator.tracing.exporting import exporting
from tests.tracing.collector import collecting

_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


def _exported(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> list[Seen]:
    """Open one span in a process with these variables; return what its collector hears."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    with collecting() as (url, bodies):
        for name, value in variables.items():
            monkeypatch.setenv(name, value.format(url=url))
        with exporting("coordinator-service"), tracing.span("work"):
            pass
    batches = [ExportTraceServiceRequest.FromString(body) for body in bodies]
    return [span for batch in batches for span in read(batch)]


@pytest.mark.parametrize(
    ("variables", "process"),
    [
        ({_ENDPOINT: "{url}"}, "coordinator-service"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "{url}/v1/traces"}, "coordinator-service"),
        ({_ENDPOINT: "{url}", "OTEL_TRACES_EXPORTER": "otlp"}, "coordinator-service"),
        ({_ENDPOINT: "{url}", "OTEL_SERVICE_NAME": "uploads"}, "uploads"),
        ({_ENDPOINT: "{url}", "OTEL_RESOURCE_ATTRIBUTES": "service.name=uploads"}, "uploads"),
    ],
    ids=str,
)
def test_an_address_is_enough(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], process: str
) -> None:
    """The last span arrives too: it is sent when the process ends."""
    seen = _exported(monkeypatch, variables)

    assert [(span.name, span.process) for span in seen] == [("work", process)]


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_SERVICE_NAME": "uploads"},
        {_ENDPOINT: "{url}", "OTEL_TRACES_EXPORTER": "none"},
        {_ENDPOINT: "{url}", "OTEL_SDK_DISABLED": "true"},
        {_ENDPOINT: "{url}", "OTEL_TRACES_SAMPLER": "always_off"},
        {_ENDPOINT: "{url}", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {_ENDPOINT: "{url}", "OTEL_TRACES_EXPORTER": "jaeger"},
    ],
    ids=str,
)
def test_nothing_leaves_the_process_unasked(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    """Nor by an exporter that is not installed: it is told of in the log, and all else goes on."""
    assert _exported(monkeypatch, variables) == []


def test_without_the_variables_there_are_no_spans_to_pay_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No id for logs, nothing for the queue to carry."""
    monkeypatch.delenv(_ENDPOINT, raising=False)
    with exporting("coordinator-service"), tracing.span("work") as span:
        assert not span.is_recording()
        assert (tracing.trace_id(), tracing.carry()) == (None, {})


def test_a_collector_that_is_silent_delays_the_end_by_seconds_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A rolling restart must not wait for all of an export's time, 10 s as a rule."""
    monkeypatch.setattr(exporting_module, "_LAST_SECONDS", 0.3)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv(_ENDPOINT, f"http://127.0.0.1:{silent.getsockname()[1]}")
        with exporting("coordinator-service"):
            with tracing.span("work"):
                pass
            started = time.monotonic()
        took = time.monotonic() - started

    assert 0.3 <= took < 2.0
