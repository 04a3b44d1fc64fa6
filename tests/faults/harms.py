"""What can go wrong with one request to S3. ``commit`` says whether the real S3 does it first."""

import threading
import time
from typing import Final

from tests.faults.hostile_s3 import Exchange, Harm
from tests.forwarding import Answer

_XML: Final = {"Content-Type": "application/xml"}
_HEAD: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_SPACE: Final = b" "
_SPACE_EVERY_S: Final = 0.1


def _error_body(code: str) -> bytes:
    return b"<Error><Code>" + code.encode() + b"</Code><Message>made up</Message></Error>"


def reset(*, commit: bool) -> Harm:
    """The connection is reset before there is an answer."""

    def happen(exchange: Exchange) -> None:
        if commit:
            exchange.pass_on()
        exchange.reset()

    return happen


def silence(*, commit: bool) -> Harm:
    """There is no answer until the client hangs up."""

    def happen(exchange: Exchange) -> None:
        if commit:
            exchange.pass_on()
        exchange.keep_silent()

    return happen


def error(status: int, code: str, *, commit: bool = False) -> Harm:
    """An error of S3, by status and code: SlowDown, InternalError, NoSuchUpload, ..."""

    def happen(exchange: Exchange) -> None:
        if commit:
            exchange.pass_on()
        exchange.answer(Answer(status, _XML, _HEAD + _error_body(code)))

    return happen


def error_in_200(code: str, *, space: bytes = b"", commit: bool = False) -> Harm:
    """Success by the status, an error by the body; ``space`` stands before all XML."""

    def happen(exchange: Exchange) -> None:
        if commit:
            exchange.pass_on()
        exchange.answer(Answer(200, _XML, space + _HEAD + _error_body(code)))

    return happen


def drip(seconds: float, *, commit_first: bool, before_xml: bool = True) -> Harm:
    """Whitespace for so long, then the true answer, as long completions come.

    S3 commits before the first space or after the last one, whoever listens then. With
    ``before_xml`` the XML declaration comes after the whitespace, where no parser wants it.
    """

    def happen(exchange: Exchange) -> None:
        answer = exchange.pass_on() if commit_first else None
        exchange.begin(200, _SPACE if before_xml else _HEAD + _SPACE)
        listens = True
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(_SPACE_EVERY_S)
            listens = listens and exchange.go_on(_SPACE)
        body = (answer or exchange.pass_on()).body
        exchange.go_on(body if before_xml else body[body.index(b"?>") + 2 :])
        exchange.end()

    return happen


def broken_off(*, commit: bool) -> Harm:
    """The answer begins as a success and ends in the middle of its body."""

    def happen(exchange: Exchange) -> None:
        if commit:
            exchange.pass_on()
        exchange.begin(200, _HEAD + b"<CompleteMultipartUploadResult>")
        exchange.reset()

    return happen


def forgotten(status: int = 204) -> Harm:
    """Success is answered and nothing is done."""

    def happen(exchange: Exchange) -> None:
        exchange.answer(Answer(status, {}, b""))

    return happen


def held(until: threading.Event, *, patience_s: float = 60.0) -> Harm:
    """The request is on its way until ``until`` is set; then it arrives and is answered."""

    def happen(exchange: Exchange) -> None:
        assert until.wait(patience_s), "held for ever"
        exchange.answer(exchange.pass_on())

    return happen


def answered_late(until: threading.Event, *, patience_s: float = 60.0) -> Harm:
    """S3 answers at once, and the answer is on its way until ``until`` is set."""

    def happen(exchange: Exchange) -> None:
        answer = exchange.pass_on()
        assert until.wait(patience_s), "held for ever"
        exchange.answer(answer)

    return happen
