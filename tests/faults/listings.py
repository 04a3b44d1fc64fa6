"""Lies of ListParts, and ETags that are no digest of anything."""

import hashlib
import re
from collections.abc import Callable
from typing import Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.faults.hostile_s3 import COMPLETE, LIST, PART, Exchange, Harm, HostileS3
from tests.forwarding import Answer, Request
from tests.localstack import S3Address

_PART: Final = re.compile(rb"<Part>.*?</Part>", re.DOTALL)
_NUMBER: Final = re.compile(rb"<PartNumber>(\d+)</PartNumber>")
_SIZE: Final = re.compile(rb"<Size>\d+</Size>")
_ETAG: Final = re.compile(rb"<ETag>(.*?)</ETag>")
_DIGEST: Final = re.compile(rb"<ChecksumSHA256>.*?</ChecksumSHA256>")
_QUOTES: Final = re.compile(rb'&#34;|&quot;|"')
_CUT: Final = re.compile(
    rb"<IsTruncated>.*?</IsTruncated>|<NextPartNumberMarker>.*?</NextPartNumberMarker>"
)


def parts_of(body: bytes) -> list[bytes]:
    """Return the entries of a listing."""
    return _PART.findall(body)


def with_parts(answer: Answer, parts: list[bytes]) -> Answer:
    """Return a listing with other entries."""
    bare = _PART.sub(b"", answer.body)
    end = bare.rindex(b"</ListPartsResult>")
    return answer._replace(body=bare[:end] + b"".join(parts) + bare[end:])


def stale(exchange: Exchange) -> None:
    """ListParts answers as it did before; an empty listing, if it was never asked."""
    before = exchange.s3.listings(exchange.request)
    exchange.answer(before[0] if before else with_parts(exchange.pass_on(), []))


def wrong_size(part: bytes) -> bytes:
    """Return an entry of a part that was sent before with one byte only; its digest is hidden."""
    return _DIGEST.sub(b"", _SIZE.sub(b"<Size>1</Size>", part))


def wrong_etag(part: bytes) -> bytes:
    """Return an entry of a part that is gone, of the right size; its digest is hidden."""
    etag = b"<ETag>&#34;" + b"0" * 32 + b"&#34;</ETag>"
    return _DIGEST.sub(b"", _ETAG.sub(etag, part))


def twice(other: Callable[[bytes], bytes], *, first: bool) -> Harm:
    """Every part stands in the listing twice; the ``other`` entry first, or last."""

    def happen(exchange: Exchange) -> None:
        answer = exchange.pass_on()
        pairs = [(other(part), part) for part in parts_of(answer.body)]
        parts = [each for pair in pairs for each in (pair if first else pair[::-1])]
        exchange.answer(with_parts(answer, parts))

    return happen


def short_pages(length: int) -> Harm:
    """Pages hold at most ``length`` parts, whatever was asked for."""

    def happen(exchange: Exchange) -> None:
        answer = exchange.pass_on()
        parts = parts_of(answer.body)
        if len(parts) > length:
            number = _NUMBER.search(parts[length - 1])
            assert number is not None
            cut = (
                b"<IsTruncated>true</IsTruncated><NextPartNumberMarker>"
                + number[1]
                + b"</NextPartNumberMarker>"
            )
            bare = answer._replace(body=_CUT.sub(b"", answer.body))
            answer = with_parts(bare, [cut, *parts[:length]])
        exchange.answer(answer)

    return happen


class Disguise:
    """ETags as SSE-KMS has them, no MD5 of anything; the same in every answer.

    They are turned back where a list of parts is completed. That changes the body, so the request
    is signed again.
    """

    def __init__(self, s3: HostileS3, server: S3Address) -> None:
        self._server = server
        self._true: dict[bytes, bytes] = {}
        s3.harm(PART, self._uploaded, nth=None)
        s3.harm(LIST, self._listed, nth=None)
        s3.harm(COMPLETE, self._completed, nth=None)

    def _cover(self, etag: bytes) -> bytes:
        true = _QUOTES.sub(b"", etag)
        shown = hashlib.sha512(b"disguised" + true).hexdigest()[:40].encode() + b"-kms"
        self._true[shown] = true
        return b'"' + shown + b'"'

    def _uploaded(self, exchange: Exchange) -> None:
        answer = exchange.pass_on()
        headers = {name.lower(): value for name, value in answer.headers.items()}
        if "etag" in headers:
            headers["etag"] = self._cover(headers["etag"].encode()).decode()
        exchange.answer(answer._replace(headers=headers))

    def _listed(self, exchange: Exchange) -> None:
        answer = exchange.pass_on()
        body = _ETAG.sub(lambda found: b"<ETag>" + self._cover(found[1]) + b"</ETag>", answer.body)
        exchange.answer(answer._replace(body=body))

    def _completed(self, exchange: Exchange) -> None:
        def uncover(found: re.Match[bytes]) -> bytes:
            return b'<ETag>"' + self._true[_QUOTES.sub(b"", found[1])] + b'"</ETag>'

        body = _ETAG.sub(uncover, exchange.request.body)
        exchange.answer(exchange.pass_on(self._signed(exchange.request._replace(body=body))))

    def _signed(self, request: Request) -> Request:
        signed = {"authorization", "x-amz-date", "x-amz-content-sha256", "host", "content-length"}
        kept = {k: v for k, v in request.headers.items() if k.lower() not in signed}
        server = self._server
        asked = AWSRequest(
            request.method, server.s3_endpoint + request.target, headers=kept, data=request.body
        )
        asked.headers["x-amz-content-sha256"] = hashlib.sha256(request.body).hexdigest()
        credentials = Credentials(server.access_key, server.secret_key)
        SigV4Auth(credentials, "s3", server.s3_region).add_auth(asked)
        return request._replace(headers=dict(asked.headers.items()))
