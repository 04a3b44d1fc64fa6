"""The service's HTTP API: one method a call, retries inside, problems as exceptions.

Rule: every call may be sent twice; whatever is not safe to repeat does not belong here.
"""

import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

import httpx
import msgspec

from coordinator.sdk import answers
from coordinator.sdk.errors import (
    ClientError,
    ConfigurationError,
    ProblemError,
    UnexpectedAnswerError,
    UnreachableError,
)
from coordinator.sdk.retries import Patience, parse_retry_after

T = TypeVar("T")

# What a connection can suffer; all else that httpx raises is misuse.
CONNECTION_FAILURES: Final = (
    httpx.NetworkError,
    httpx.TimeoutException,
    httpx.RemoteProtocolError,
    httpx.ProxyError,
)
_RETRIED: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
# Refusals in spite of their 5xx: S3 said no to the service, and will say it again.
_FINAL_CODES: Final = frozenset({"store-refused", "clock-off"})
# Before the first answer a wrong address is likelier than a restart.
_FIRST_PATIENCE_S: Final = 3.0
_PATIENCE_S: Final = 120.0
_SILENCE_S: Final = 45.0  # of a stream of events: its heartbeats come every 15 s
_SUCCESS: Final = range(200, 300)


class Service:
    """One service and one key. Safe to use from several threads.

    Raises:
        ConfigurationError: ``url`` is no address of a web server.

    """

    def __init__(self, url: str, key: str, stop: threading.Event | None = None) -> None:
        if not key.isascii() or not key.isprintable():
            raise ConfigurationError("The API key has characters that no key has.")
        self.url = _address(url)
        self.has_upload_token = key.startswith("ut_")  # good for one upload, without manifest
        # Redirects are not followed: the key belongs to this address and to no other.
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}", "Accept": "application/json"},
            timeout=httpx.Timeout(60.0, connect=10.0, read=150.0),
        )
        self._stop = stop or threading.Event()
        self._has_answered = False

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def bound_to(self, stop: threading.Event) -> "Service":
        """Return the same service with waits that end when ``stop`` is set."""
        other = object.__new__(Service)
        other.__dict__.update(self.__dict__)
        other._stop = stop
        return other

    def open(self, wish: bytes, *, idempotency_key: str) -> answers.Opened:
        """Open an upload, or find the one that this key has opened."""
        return _read(self._init(wish, idempotency_key), answers.Opened)

    def hand_out(self, wish: bytes, *, idempotency_key: str) -> answers.HandedOut:
        """Open an upload for somebody else to send; ``wish`` asks for the token."""
        return _read(self._init(wish, idempotency_key), answers.HandedOut)

    def _init(self, wish: bytes, idempotency_key: str) -> httpx.Response:
        headers = {"Idempotency-Key": idempotency_key}
        return self._call("POST", "/api/upload/init", body=wish, headers=headers)

    def renew_token(self, upload_id: str) -> answers.UploadToken:
        """Return another token for an upload that is open."""
        path = f"/api/uploads/{segment(upload_id)}/token"
        return _read(self._call("POST", path), answers.UploadToken)

    def sign(
        self, upload_id: str, digests: Mapping[int, bytes], *, force: bool = False
    ) -> tuple[list[answers.SignedChunk], float]:
        """Return a URL for each chunk, and for how many seconds they can be used.

        The seconds are counted by the service's clock, because ours may be wrong.
        """
        body: dict[str, Any] = {
            "uploadId": upload_id,
            "chunks": [
                {"chunkIndex": index, "sha256": digest.hex()} for index, digest in digests.items()
            ],
        }
        if force:
            body["force"] = True
        answer = self._call("POST", "/api/upload/urls", body=msgspec.json.encode(body))
        chunks = _read(answer, answers.SignedChunks).chunks
        ends = [each.url_expires_at for each in chunks if each.url_expires_at is not None]
        lifetime_s = (min(ends) - _date(answer)).total_seconds() if ends else math.inf
        return chunks, lifetime_s

    def report(self, upload_id: str, etags: Mapping[int, str]) -> None:
        """Tell which chunks have arrived. Tried once: completion does not depend on it."""
        chunks = [{"chunkIndex": index, "etag": etag} for index, etag in etags.items()]
        body = msgspec.json.encode({"uploadId": upload_id, "chunks": chunks})
        self._call("POST", "/api/upload/chunk", body=body, patience_s=0.0)

    def complete(
        self, upload_id: str, checksum: str | None = None
    ) -> answers.Completed | answers.Assembling:
        """Ask for the end, or hear again how it came."""
        body = {"uploadId": upload_id} | ({"checksum": checksum} if checksum else {})
        answer = self._call("POST", "/api/upload/complete", body=msgspec.json.encode(body))
        if answer.status_code == httpx.codes.ACCEPTED:
            return _read(answer, answers.Assembling)
        return _read(answer, answers.Completed)

    def status(self, upload_id: str, *, verify: bool = False) -> answers.Status:
        """Return what the service knows; ``verify`` has it ask S3 first."""
        params = {"verify": "true"} if verify else {}
        path = f"/api/upload/status/{segment(upload_id)}"
        return _read(self._call("GET", path, params=params), answers.Status)

    def page(self, cursor: str | None, filters: Mapping[str, str]) -> answers.Page:
        """Return one page of the list of uploads."""
        params = dict(filters) | ({"cursor": cursor} if cursor else {})
        return _read(self._call("GET", "/api/uploads", params=params), answers.Page)

    def manifest(self, upload_id: str, *, of: str = "upload") -> bytes:
        """Return the manifest's JSON, or of an open upload the digests fixed so far.

        ``of="download"``: of what a download gives, which may be a redacted copy.
        """
        path = f"/api/uploads/{segment(upload_id)}/manifest"
        return self._call("GET", path, params={"of": of}).content

    def download_url(self, upload_id: str) -> str:
        """Return a presigned address of the object."""
        answer = self._call("GET", f"/api/uploads/{segment(upload_id)}/download")
        return _read(answer, answers.Signed).url

    def abort(self, upload_id: str) -> bool:
        """Give an upload up; False while that is still under way."""
        answer = self._call("DELETE", f"/api/uploads/{segment(upload_id)}")
        return answer.status_code != httpx.codes.ACCEPTED

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send what no other method is for; ``body`` is sent as JSON. ``path`` must be safe."""
        encoded = None if body is None else msgspec.json.encode(body)
        return self._call(method, path, body=encoded, params=params, headers=headers)

    def read(
        self, method: str, path: str, kind: type[T], *, params: Mapping[str, str] | None = None
    ) -> T:
        """Send what no other method is for, and read the answer. ``path`` must be safe."""
        return _read(self._call(method, path, params=params), kind)

    @contextmanager
    def events(self, upload_id: str, last: str | None) -> Iterator[Iterator[str] | None]:
        """Open the stream of events after ``last``, line by line; ``None``: no more will come.

        Tried once: whoever reads must be able to go on from anywhere, so it begins anew there, too.
        """
        path = f"/api/uploads/{segment(upload_id)}/events"
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
        timeout = httpx.Timeout(_SILENCE_S, connect=10.0)
        with self._http.stream("GET", path, headers=headers, timeout=timeout) as answer:
            self._has_answered = True
            if answer.status_code not in _SUCCESS:
                answer.read()
                raise _problem(answer)
            is_over = answer.status_code == httpx.codes.NO_CONTENT
            yield None if is_over else answer.iter_lines()

    @property
    def patience_s(self) -> float:
        """For how long it makes sense to try."""
        return _PATIENCE_S if self._has_answered else _FIRST_PATIENCE_S

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        patience_s: float | None = None,
    ) -> httpx.Response:
        patience = Patience(self.patience_s if patience_s is None else patience_s, self._stop)
        is_first = patience_s is None and not self._has_answered
        request = self._http.build_request(method, path, content=body, params=params)
        request.headers.update(headers or {})
        if body is not None:
            request.headers["Content-Type"] = "application/json"
        while True:
            answer, failure = self._try(request)
            if failure is None:
                return answer
            if is_first and self._has_answered:
                # It is there, only busy or without a store: that passes.
                is_first, patience = False, Patience(self.patience_s, self._stop)
            retry_after = answer.headers.get("Retry-After")
            if not patience.pause(at_least=parse_retry_after(retry_after)):
                raise failure

    def _try(self, request: httpx.Request) -> tuple[httpx.Response, ClientError | None]:
        """Send once; the second value is a failure that may pass, others are raised."""
        try:
            answer = self._http.send(request)
        except CONNECTION_FAILURES as exc:
            nothing = httpx.Response(httpx.codes.SERVICE_UNAVAILABLE)
            return nothing, UnreachableError(f"{self.url} does not answer: {type(exc).__name__}.")
        self._has_answered = True
        if answer.status_code in _SUCCESS:
            return answer, None
        failure = _problem(answer)
        if not is_passing(failure):
            raise failure
        return answer, failure


def _address(text: str) -> str:
    """Return the service's address as it is to be used and may be shown."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo:
        raise ConfigurationError("The service's address must be like http://127.0.0.1:3000.")
    return str(url).rstrip("/")


def is_passing(problem: ProblemError) -> bool:
    """Whether the same request may be answered well in a while."""
    return problem.status in _RETRIED and problem.code not in _FINAL_CODES


def _problem(answer: httpx.Response) -> ProblemError:
    """Read a problem document; whatever else was answered is named by its status alone."""
    try:
        members = msgspec.json.decode(answer.content, type=dict[str, Any])
        code, detail = str(members["code"]), str(members["detail"])
    except (msgspec.DecodeError, KeyError):
        members, code = {}, f"http-{answer.status_code}"
        detail = f"The service answered {answer.status_code} {answer.reason_phrase}"
    return ProblemError(code=code, status=answer.status_code, detail=detail, fields=members)


def _read(answer: httpx.Response, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except msgspec.DecodeError as exc:
        raise UnexpectedAnswerError(
            f"{answer.request.url.host} answered something else than the service would: {exc}"
        ) from None


def _date(answer: httpx.Response) -> datetime:
    """Return the time of the answer by the clock of whoever sent it."""
    try:
        return parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return datetime.fromtimestamp(time.time(), UTC)


def is_plain_id(text: str) -> bool:
    """Whether it can be an id, and would not make another path of an address."""
    return text.isascii() and text.replace("_", "").isalnum()


def segment(upload_id: str) -> str:
    """Return an id as part of a path; what is none is nobody's."""
    if not is_plain_id(upload_id):
        raise ProblemError(
            code="upload-not-found", status=404, detail="There is no upload with this id."
        )
    return upload_id


def indexes(problem: ProblemError, name: str) -> Sequence[int]:
    """Return a list of chunk indexes out of a problem's members.

    Raises:
        UnexpectedAnswerError: there is none.

    """
    try:
        return msgspec.convert(problem.fields.get(name), list[int])
    except msgspec.ValidationError:
        raise UnexpectedAnswerError(f"The service named no {name}.") from None
