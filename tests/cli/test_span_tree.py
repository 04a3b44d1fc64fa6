"""`coordinator dev --traces`: what is received, when it is shown, and how it looks."""

import http.client
from typing import Any

import msgspec
import pytest

from coordinator.cli.span_tree import Seen, render
from coordinator.cli.traces import PATH, receiving

_MS = 1_000_000


def _span(span_id: str, parent_id: str, name: str, at: float, took: float, **more: Any) -> Seen:
    usual: dict[str, Any] = {"process": "service", "is_error": False, "attributes": {}}
    return Seen(
        trace_id="0af7",
        span_id=span_id,
        parent_id=parent_id,
        name=name,
        started_ns=int(at * _MS),
        ended_ns=int((at + took) * _MS),
        **{**usual, **more},
    )


_REQUEST = _span(
    *("r", "", "POST /api/upload/complete", 100, 1234.5),
    attributes={"http.response.status_code": 200, "coordinator.upload_id": "upl_1"},
)
_DRIVE = _span(
    *("d", "r", "drive_upload", 102, 40),
    attributes={"coordinator.intent": "complete", "coordinator.attempt": 2},
)
_LIST = _span("l", "d", "S3 ListParts", 103, 7)
_WRITE = _span("w", "d", "UPDATE uploads", 111, 3, attributes={"db.system.name": "postgresql"})
_JOB = _span(
    *("j", "d", "run_job", 150, 20),
    process="worker",
    is_error=True,
    attributes={"coordinator.job_kind": "generate_metadata", "error.type": "ValueError"},
)
_READ = _span("s", "r", "Redis read", 144, 0.4)


def test_a_trace_is_drawn_as_a_tree_in_the_order_in_which_things_began() -> None:
    """Spans arrive when they end, the outermost last, and from two processes."""
    assert render([_WRITE, _LIST, _JOB, _DRIVE, _READ, _REQUEST], columns=120) == [
        "",
        "trace 0af7 upl_1",
        "                                              process  began after        took",
        "POST /api/upload/complete 200                 service       0.0 ms  1,234.5 ms",
        "├─ drive_upload complete attempt 2            service       2.0 ms     40.0 ms",
        "│  ├─ S3 ListParts                            service       3.0 ms      7.0 ms",
        "│  ├─ Postgres UPDATE uploads                 service      11.0 ms      3.0 ms",
        "│  └─ run_job generate_metadata ✗ ValueError  worker       50.0 ms     20.0 ms",
        "└─ Redis read                                 service      44.0 ms      0.4 ms",
    ]


def test_what_comes_later_says_that_it_goes_on_and_hangs_nowhere() -> None:
    """A job may run minutes after its request was shown."""
    assert [line[:30].rstrip() for line in render([_JOB], columns=80, continues=True)] == [
        "",
        "trace 0af7 goes on",
        "",
        "run_job generate_metadata ✗ Va",
    ]


def test_a_line_fits_the_terminal_and_no_name_speaks_to_it() -> None:
    """Every user of the machine can reach the port."""
    hostile = _span("r", "", "\x1b[2J\r\n" + "x" * 200, 0, 1)

    line = render([hostile], columns=80)[-1]

    assert line == "?[2J??" + "x" * 39 + "…  service       0.0 ms      1.0 ms"
    assert len(line) == 80


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [(PATH, b"", 200), (PATH, b"\xff\xff\xff", 400), ("/v1/logs", b"", 404)],
)
def test_what_is_no_batch_of_spans_is_refused(path: str, body: bytes, status: int) -> None:
    """And ends nothing: the next batch is read."""
    with receiving() as receiver:
        connection = http.client.HTTPConnection("127.0.0.1", receiver.port)
        connection.request("POST", path, body)
        assert connection.getresponse().status == status
        connection.close()
        assert receiver.due(quiet_seconds=0.0) == []


def test_a_trace_is_handed_out_once_it_is_quiet_and_its_rest_goes_on() -> None:
    """A tree that is printed too early falls apart, one that is held for ever is never seen."""
    other = msgspec.structs.replace(_JOB, trace_id="ffff")
    with receiving() as receiver:
        receiver.add([_LIST, _REQUEST, other])
        early = receiver.due(quiet_seconds=60.0)
        first = receiver.due(quiet_seconds=0.0)
        receiver.add([_JOB])
        second = receiver.due(quiet_seconds=0.0)

    assert early == []
    assert first == [(False, [_LIST, _REQUEST]), (False, [other])]
    assert second == [(True, [_JOB])]
