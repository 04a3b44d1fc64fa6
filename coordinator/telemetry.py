"""Metrics and logs: their names, and nothing that could tell a secret.

Rule: every line of a log goes through :mod:`coordinator.redaction`, whoever wrote it. Labels come
from fixed lists. No upload id, user, key or URL is a label or a log field value, but for upload and
request ids in logs.
"""

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, TextIO

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from typing_extensions import override

from coordinator import tracing
from coordinator.redaction import redact

_log = structlog.get_logger(__name__)

REGISTRY: Final = CollectorRegistry()

UPLOADS: Final = Counter(
    "uploads", "Uploads by what became of them.", ["status", "file_type"], registry=REGISTRY
)
UPLOAD_BYTES: Final = Counter(
    "upload_bytes", "Bytes of completed uploads.", ["file_type"], registry=REGISTRY
)
UPLOAD_DURATION: Final = Histogram(
    "upload_duration_seconds",
    "From init to COMPLETED.",
    buckets=(1, 3, 10, 30, 60, 180, 600, 1_800, 3_600, 21_600, 86_400),
    registry=REGISTRY,
)
CHUNKS: Final = Counter("chunks_uploaded", "Chunks as reported.", ["status"], registry=REGISTRY)
ACTIVE_UPLOADS: Final = Gauge(
    "active_uploads", "Open uploads in Postgres, over all processes.", registry=REGISTRY
)
REQUESTS: Final = Histogram(
    "http_request_duration_seconds",
    "Requests by route.",
    ["method", "route", "status"],
    registry=REGISTRY,
)
SIGNING: Final = Histogram(
    "signing_duration_seconds",
    "Signing one batch of part URLs, without I/O.",
    buckets=(0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1),
    registry=REGISTRY,
)
S3_CALLS: Final = Histogram(
    "s3_request_duration_seconds", "Calls to S3.", ["operation", "outcome"], registry=REGISTRY
)
EVENT_STREAMS: Final = Gauge(
    "event_streams", "Open streams of events, of this process.", registry=REGISTRY
)
JOBS: Final = Counter(
    "jobs", "Job attempts by how they ended.", ["kind", "status"], registry=REGISTRY
)
JOB_DURATION: Final = Histogram(
    "job_duration_seconds",
    "Attempts that began, whatever became of them.",
    ["kind"],
    buckets=(0.1, 0.3, 1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000),
    registry=REGISTRY,
)
JOB_BYTES: Final = Counter(
    "job_bytes", "Bytes of the objects of jobs that succeeded.", ["kind"], registry=REGISTRY
)
JOB_ROWS: Final = Counter(
    "job_rows", "Rows gone through by jobs that succeeded.", ["kind"], registry=REGISTRY
)
JOBS_QUEUED: Final = Gauge(
    "jobs_queued", "Jobs that wait for a worker, over all workers.", ["kind"], registry=REGISTRY
)
JOBS_OLDEST: Final = Gauge(
    "jobs_queued_oldest_seconds",
    "How long the longest of them has waited.",
    ["kind"],
    registry=REGISTRY,
)
DELIVERIES: Final = Counter(
    "event_deliveries",
    "Attempts to deliver events, by the kind of sink and how they ended.",
    ["kind", "outcome"],
    registry=REGISTRY,
)
DELIVERIES_OLDEST: Final = Gauge(
    "event_deliveries_oldest_seconds",
    "How long the oldest event has waited for a sink of this kind.",
    ["kind"],
    registry=REGISTRY,
)
RATE_LIMITED: Final = Counter(
    "rate_limited",
    "Requests refused with 429: by whose limit, and whether Redis decided or this process.",
    ["class", "by", "where"],
    registry=REGISTRY,
)
REFUSED_REQUESTS: Final = Counter(
    "refused_requests",
    "Requests refused with 401 or 403, by the problem's code.",
    ["code"],
    registry=REGISTRY,
)
AUDIT_ROWS: Final = Counter(
    "audit_rows_chained", "Rows of the audit that this process has chained.", registry=REGISTRY
)
SWEPT: Final = Counter(
    "swept", "What sweeps removed: upload, object, orphan, probe.", ["kind"], registry=REGISTRY
)

# Media types by their label; everything else is "other".
_FILE_TYPES: Final = {
    "application/json": "json",
    "application/jsonl": "jsonl",
    "application/x-ndjson": "jsonl",
    "application/x-parquet": "parquet",
    "application/vnd.apache.parquet": "parquet",
    "application/gzip": "gzip",
    "application/zip": "zip",
    "application/zstd": "zstd",
    "application/octet-stream": "binary",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "text/plain": "text",
}


def file_type_label(file_type: str) -> str:
    """Return the label of a media type, from a fixed list.

    >>> file_type_label("text/csv; charset=utf-8"), file_type_label("x/anything")
    ('csv', 'other')
    """
    return _FILE_TYPES.get(file_type.partition(";")[0].strip().lower(), "other")


@contextmanager
def timed_s3(operation: str) -> Iterator[None]:
    """Measure one call to S3, under S3's name of it, and let it be a span."""
    started, outcome = time.perf_counter(), "error"
    try:
        with tracing.call(f"S3 {operation}", tracing.s3_call(operation)):
            yield
        outcome = "ok"
    finally:
        S3_CALLS.labels(operation, outcome).observe(time.perf_counter() - started)


def configure_logs(level: str) -> None:
    """Write one JSON object a line to stderr, our own and the libraries' records alike.

    botocore's DEBUG prints signatures and keys, httpcore's whole URLs: theirs stay at WARNING. What
    Python would print by itself (uncaught exceptions, warnings) becomes a line, too.
    """
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _add_trace_id,
        stamp,
        # Never with locals: those hold keys, bodies and signed URLs.
        structlog.processors.ExceptionRenderer(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        ),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer = structlog.processors.JSONRenderer(serializer=_to_json)
    handler = _Handler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("botocore", "aiobotocore", "boto3", "httpx", "httpcore", "urllib3", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # What becomes of an event is said by us.
    for noisy in ("aio_pika", "aiormq", "aiokafka"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    logging.captureWarnings(capture=True)
    sys.excepthook = _note_uncaught
    threading.excepthook = _note_uncaught_in_thread
    sys.unraisablehook = _note_unraisable


class _Handler(logging.StreamHandler[TextIO]):
    """Writes lines. A record that cannot be written is named, and its arguments are not shown."""

    @override
    def handleError(self, record: logging.LogRecord) -> None:
        """Say that a record was lost, by whom."""
        lost = {"event": "a line of the log was lost", "level": "error", "logger": record.name}
        self.stream.write(_to_json(lost) + self.terminator)


def _note_uncaught(
    kind: type[BaseException], exc: BaseException, traceback: TracebackType | None
) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        _log.critical("uncaught", exc_info=(kind, exc, traceback))


def _note_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
        _log.error("uncaught in a thread", exc_info=args.exc_value)


def _note_unraisable(args: "sys.UnraisableHookArgs") -> None:
    if args.exc_value is not None:
        _log.error("ignored", what=args.err_msg, exc_info=args.exc_value)


def _add_trace_id(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    if trace_id := tracing.trace_id():
        event["trace_id"] = trace_id
    return event


def _to_json(event: object, **_: object) -> str:
    return redact(msgspec.json.encode(event, enc_hook=str).decode())
