"""Refusals as RFC 9457 problem documents. This module alone knows statuses.

Rule: a 500 says nothing of the exception but the request's id; no problem repeats what was sent.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from botocore.exceptions import BotoCoreError, ClientError
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from coordinator import tracing
from coordinator.adapters.s3_answers import BusyError
from coordinator.domain import errors
from coordinator.web.observed import observe_unrouted

_log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = "2"

STATUS: Final[Mapping[type[errors.CoordinatorError], tuple[int, str]]] = {
    errors.MalformedJsonError: (400, "The body is no JSON"),
    errors.UnauthenticatedError: (401, "No valid key or token"),
    errors.ForbiddenError: (403, "A scope is missing"),
    errors.RoleMissingError: (403, "A role is missing"),
    errors.QuotaExceededError: (403, "Quota exceeded"),
    errors.UploadNotFoundError: (404, "Upload not found"),
    errors.KeyNotFoundError: (404, "Key not found"),
    errors.JobNotFoundError: (404, "Job not found"),
    errors.ErasureNotFoundError: (404, "Erasure not found"),
    errors.DeliveryNotFoundError: (404, "Delivery not found"),
    errors.WrongPhaseError: (409, "Not possible in this phase"),
    errors.DigestConflictError: (409, "Chunk was signed with another digest"),
    errors.PartsMissingError: (409, "Chunks are missing"),
    errors.ChecksumConflictError: (409, "Another checksum was declared before"),
    errors.KeyTakenError: (409, "Another object is in the way"),
    errors.KeyRotatedError: (409, "Key was rotated before"),
    errors.HeldError: (409, "Upload on hold"),
    errors.JobNotFailedError: (409, "Job has not failed"),
    errors.JobOverError: (409, "Job has ended"),
    errors.DownloadBlockedError: (409, "Download is blocked"),
    errors.NoCardError: (409, "No card"),
    errors.SearchNotAvailableError: (409, "Search is not available"),
    errors.DeliveryNotDeadError: (409, "Delivery is not dead"),
    errors.UploadExpiredError: (410, "Upload expired"),
    errors.InvalidFieldError: (422, "A field cannot be used"),
    errors.BytesNotAcceptedError: (422, "Chunk bytes go to S3"),
    errors.ChunkSizeError: (422, "Chunk size not possible"),
    errors.FileTooLargeError: (422, "File too large"),
    errors.ChecksumMismatchError: (422, "Checksum mismatch"),
    errors.TypeNotAllowedError: (422, "Type not allowed"),
    errors.IdempotencyConflictError: (422, "Idempotency-Key used for another body"),
    errors.RateLimitedError: (429, "Too many requests"),
    errors.StoreRefusedError: (502, "S3 refused"),
    errors.ClockOffError: (503, "The service's clock is wrong"),
    errors.UnavailableError: (503, "Not available now"),
}

# What failing stores raise: the same request will work later.
UNAVAILABLE: Final = (
    OperationalError,
    PoolTimeout,
    RedisConnectionError,
    RedisTimeoutError,
    BotoCoreError,
    TimeoutError,
)

_HUNG_UP: Final = "client disconnected prematurely"  # the framework's words, with a 500

HTTP_CODES: Final = {
    400: "bad-request",
    404: "no-such-route",
    405: "method-not-allowed",
    408: "request-timeout",
    413: "body-too-large",
    414: "url-too-long",
    415: "media-type-not-accepted",
    431: "headers-too-large",
}


def problem(
    request: Request[Any, Any, Any],
    *,
    status: int,
    code: str,
    title: str,
    detail: str,
    facts: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[bytes]:
    """Build the answer. ``facts`` are members of their own, as RFC 9457, section 3.2 has it."""
    members = {_camel(name): value for name, value in (facts or {}).items()}
    body: dict[str, object] = {
        "type": f"urn:upload-coordinator:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        **members,
    }
    sent = dict(headers or {})
    request_id = request.scope.get("state", {}).get("request_id")
    if request_id is None:
        request_id = sent["X-Request-Id"] = observe_unrouted(status)
    body["requestId"] = request_id
    return Response(
        msgspec.json.encode(body), status_code=status, media_type=MEDIA_TYPE, headers=sent
    )


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def refused(request: Request[Any, Any, Any], exc: errors.CoordinatorError) -> Response[bytes]:
    """Answer a refusal of ours."""
    status, title = STATUS[type(exc)]
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": RETRY_SECONDS}}
    if isinstance(exc, errors.RateLimitedError):
        headers[status] = {"Retry-After": str(exc.retry_after_seconds)}
    return problem(
        request,
        status=status,
        code=exc.code,
        title=title,
        detail=exc.detail,
        facts=exc.facts,
        headers=headers.get(status),
    )


def invalid(request: Request[Any, Any, Any], exc: ValidationException) -> Response[bytes]:
    """Answer a parameter or header of the wrong shape; bodies are checked before."""
    extra = exc.extra[0] if isinstance(exc.extra, list) and exc.extra else {}
    message = str(extra.get("message", "The request has the wrong shape."))
    field = str(extra.get("key", ""))
    if extra.get("source") == "header":
        field = field.replace("_", "-").title()
    return refused(request, errors.InvalidFieldError(field[:200], f"{message}."))


def http_error(request: Request[Any, Any, Any], exc: HTTPException) -> Response[bytes]:
    """Answer what the framework refuses: unknown routes, methods, media types, large bodies."""
    if isinstance(exc, ValidationException):
        return invalid(request, exc)
    if exc.detail == _HUNG_UP:
        # Nobody reads this; it must not count as a fault of ours.
        exc = HTTPException(status_code=400, detail="The body was cut off.")
    return problem(
        request,
        status=exc.status_code,
        code=HTTP_CODES.get(exc.status_code, "http-error"),
        title=HTTPStatus(exc.status_code).phrase,
        detail=exc.detail,
        headers=exc.headers,
    )


def unavailable(request: Request[Any, Any, Any], exc: Exception) -> Response[bytes]:
    """Answer for a store that does not."""
    _log.warning("store away", error=type(exc).__name__)
    return refused(request, errors.UnavailableError("A store does not answer. Try again."))


def s3_busy(request: Request[Any, Any, Any], exc: BusyError) -> Response[bytes]:
    """Answer for an S3 that was asked too often: the client waits, we do not pile up."""
    _log.warning("S3 is busy", s3_code=str(exc))
    return refused(request, errors.UnavailableError("S3 is asked too often now. Try again."))


def s3_error(request: Request[Any, Any, Any], exc: ClientError) -> Response[bytes]:
    """Answer for an S3 that answered with an error nobody expected."""
    code = str(exc.response.get("Error", {}).get("Code", ""))
    _log.warning("S3 answered an error", s3_code=code, operation=exc.operation_name)
    return refused(request, errors.UnavailableError("S3 has trouble now. Try again."))


def unexpected(request: Request[Any, Any, Any], exc: Exception) -> Response[bytes]:
    """Answer a fault of ours: log it whole, tell nothing."""
    _log.error("unexpected", exc_info=exc)
    tracing.fail_current(exc)
    return problem(
        request,
        status=500,
        code="internal",
        title="Internal error",
        detail="Something broke on our side. The request's id finds it in the log.",
    )


HANDLERS: Final[dict[Any, Any]] = {
    errors.CoordinatorError: refused,
    HTTPException: http_error,
    ClientError: s3_error,
    BusyError: s3_busy,
    **dict.fromkeys(UNAVAILABLE, unavailable),
    Exception: unexpected,
}
