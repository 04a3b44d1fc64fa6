"""Redaction: secrets in whatever spelling logs and spans give them, and nothing else."""

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import botocore.session
import pytest
from botocore.config import Config
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode

from coordinator import redaction
from coordinator.domain.keys import ENTROPY_BYTES, mint
from coordinator.redaction import HIDDEN, redact, remember
from coordinator.telemetry import configure_logs
from coordinator.tracing.redacting import Redacting

_HEX: Final = "0123456789abcdef" * 4
_KEY: Final = mint(bytes(range(ENTROPY_BYTES)))
_URL: Final = (
    "https://s3.example/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAID%2F20260101"
    f"&X-Amz-Security-Token=tok%2Fen&partNumber=1&uploadId=MULTI-PART&X-Amz-Signature={_HEX}"
)


@pytest.fixture
def forgetting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test has remembered is forgotten afterwards."""
    monkeypatch.setattr(redaction, "_known", redaction._known)
    monkeypatch.setattr(redaction, "_literals", redaction._literals)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (_URL, _HEX),
        (_URL, "AKIAID"),
        (_URL, "tok%2Fen"),
        (_URL, "MULTI-PART"),
        (repr({"url": _URL.replace("&", "%26").replace("=", "%3D")}), _HEX),
        (json.dumps({"a": json.dumps({"X-Amz-Signature": "s3cr3t"})}), "s3cr3t"),
        (repr({"X-Amz-Security-Token": "s3cr3t"}), "s3cr3t"),
        (repr([("x-amz-security-token", b"s3cr3t")]), "s3cr3t"),
        ("x-amz-security-token:s3cr3t\nx-amz-date:1", "s3cr3t"),
        (repr({"Authorization": "Bearer s3cr3t"}), "s3cr3t"),
        (repr([(b"authorization", b"Bearer s3cr3t")]), "s3cr3t"),
        (f"Authorization: AWS4-HMAC-SHA256 Credential=AK/x, Signature={_HEX}", _HEX),
        ("with Bearer s3cr3t", "s3cr3t"),
        (json.dumps({"event": f"Signature:\n{_HEX}"}), _HEX),
        (f"no such key {_KEY.text}!", _KEY.text[-59:]),
        (json.dumps("a\nut_0123456789abcdefXYZ"), "0123456789abcdefXYZ"),
        (json.dumps("a\nuploadId=MULTI-PART\nb"), "MULTI-PART"),
        (json.dumps(f"a\n{_KEY.text}"), _KEY.text[-59:]),
        ("?token=ut_0123456789abcdefXYZ&a", "0123456789abcdefXYZ"),
        ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl", "c2lnbmF0dXJl"),
        (repr({"UploadId": "MULTI-PART", "Key": "k"}), "MULTI-PART"),
        ("<UploadId>MULTI-PART</UploadId>", "MULTI-PART"),
        ("Upload(multipart_id='MULTI-PART')", "MULTI-PART"),
        ("postgresql://user:s3cr3t@host:1/d is away", "s3cr3t"),
        ("host=h password=s3cr3t dbname=d", "s3cr3t"),
        (json.dumps({"SecretAccessKey": "s3cr3t"}), "s3cr3t"),
    ],
)
def test_a_secret_is_hidden_in_every_spelling(text: str, secret: str) -> None:
    """As URLs, reprs, JSON within JSON, headers and botocore have it."""
    assert secret in text
    assert secret not in redact(text)
    assert HIDDEN in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"event":"request","upload_id":"upl_00000000000000000000000001","status":409}',
        '{"uploadId":"upl_00000000000000000000000001"}',
        f'{{"sha256":"{_HEX}"}}',
        f"{_KEY.key_id} was revoked",
        "http://127.0.0.1:3000/api/uploads and https://user@host/",
        "output_directory_of_everything stack_trace",
        "The signature was refused; the token has expired; no password was given.",
    ],
)
def test_what_helps_an_operator_stays(text: str) -> None:
    """Ids of ours, digests, addresses, sentences."""
    assert redact(text) == text


@pytest.mark.usefixtures("forgetting")
def test_what_looks_like_nothing_is_hidden_once_it_is_known() -> None:
    """As it is, in a URL, in JSON, in base64 at any offset."""
    remember(['pass"word/of+many', "short"])
    spelt = ['pass"word/of+many', 'pass\\"word/of+many', "pass%22word%2Fof%2Bmany"]
    packed = ["cGFzcyJ3b3JkL29mK21hbn", "eHBhc3Mid29yZC9vZittYW55", "eHhwYXNzIndvcmQvb2YrbWFue"]

    shown = redact(" ".join([*spelt, *packed, "short"]))

    assert [each for each in (*spelt, packed[0]) if each in shown] == []
    assert "Bhc3Mid29yZC9vZittYW55" not in shown
    assert shown.endswith("short")


@contextmanager
def _logged() -> Iterator[io.StringIO]:
    """Be the process's log, as its standard error, until the block ends."""
    root, before = logging.getLogger(), (sys.excepthook, sys.unraisablehook, threading.excepthook)
    handlers, level, stream = root.handlers[:], root.level, io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        root.handlers.clear()
        configure_logs("debug")
    try:
        yield stream
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:] = handlers
        root.setLevel(level)
        sys.excepthook, sys.unraisablehook, threading.excepthook = before


@pytest.mark.usefixtures("forgetting")
def test_libraries_at_debug_show_no_secret() -> None:
    """Somebody turns botocore up: it prints requests, headers, signatures."""
    secret = "wJalrXUtnFEMI/K7MDENG/of-the-tests"
    remember([secret])
    with _logged() as log:
        logging.getLogger("botocore").setLevel(logging.DEBUG)
        s3: Any = botocore.session.get_session().create_client(
            "s3",
            endpoint_url="http://127.0.0.1:9",
            region_name="us-east-1",
            aws_access_key_id="AKIAOFTHETESTS000000",
            aws_secret_access_key=secret,
            aws_session_token="a-session-token-of-the-tests",
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=1),
        )
        with pytest.raises(Exception, match="Could not connect"):
            s3.abort_multipart_upload(Bucket="datasets", Key="k", UploadId="MULTI-PART-ID")
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "datasets", "Key": "k"})
        logging.getLogger("botocore").setLevel(logging.WARNING)

    signature = url.partition("X-Amz-Signature=")[2]
    shown = log.getvalue()
    assert "CanonicalRequest" in shown, "botocore did not speak"
    leaks = [secret, "MULTI-PART-ID", "a-session-token", "Signature=0"]
    assert [each for each in (*leaks, signature or "none") if each in shown] == []
    calculated = [line for line in shown.splitlines() if "Signature:" in line]
    assert calculated
    assert all(HIDDEN in line for line in calculated)
    assert all(isinstance(json.loads(line), dict) for line in shown.splitlines())


def test_exceptions_warnings_and_what_cannot_be_written_are_lines_too() -> None:
    """Whatever Python would print past the log."""
    exc = RuntimeError(f"GET {_URL} failed")
    with _logged() as log:
        logging.getLogger("asyncio").error("never retrieved", exc_info=exc)
        sys.excepthook(RuntimeError, exc, None)
        logging.getLogger("careless").info("%d", _URL)

    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["event"] for line in lines] == [
        *("never retrieved", "uncaught", "a line of the log was lost"),
    ]
    assert _HEX not in log.getvalue()


def test_a_span_leaves_without_what_looks_like_a_secret() -> None:
    """Its name, attributes, events and status; all else stays as it was."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(Redacting(kept)))
    with provider.get_tracer("tests").start_as_current_span(f"GET {_URL}") as span:
        span.set_attributes({"url.full": _URL, "many": [_URL, "plain"], "status": 200})
        span.record_exception(RuntimeError(_URL))
        span.set_status(Status(StatusCode.ERROR, _URL))
    provider.shutdown()

    (left,) = kept.get_finished_spans()
    assert isinstance(left, ReadableSpan)
    whole = left.to_json()
    assert not any(each in whole for each in (_HEX, "MULTI-PART", "AKIAID"))
    assert left.attributes == {
        "url.full": redact(_URL),
        "many": [redact(_URL), "plain"],
        "status": 200,
    }
    assert left.context == span.get_span_context()
    assert left.status.status_code is StatusCode.ERROR
