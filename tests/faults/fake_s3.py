"""Answers of an S3 that is not there, for one multipart of as many parts as a test likes.

It takes no bytes: it says that it has the parts, and completes only a list that is right in every
entry. A hostile S3 stands before it as before a real one.
"""

import base64
import hashlib
import uuid
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as ET

import msgspec

from tests.faults import hostile_s3
from tests.faults.hostile_s3 import key_of, operation_of
from tests.forwarding import Answer, Request

_PAGE: Final = 1_000
_TOKEN: Final = "x-amz-meta-upload-token"
_NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"


class FakeObject(msgspec.Struct, frozen=True):
    """What HeadObject shows of an object."""

    token: str
    size_bytes: int
    root: str


class FakeS3:
    """The upstream of a :class:`HostileS3`; ``chunks`` are the parts that it says it has."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self._whole = b"".join(chunks)
        self._sizes = [len(chunk) for chunk in chunks]
        self._digests = [_b64(hashlib.sha256(chunk).digest()) for chunk in chunks]
        self._tokens: dict[str, str] = {}
        self.objects: dict[str, FakeObject] = {}
        self.refusals: list[str] = []

    def __call__(self, request: Request) -> Answer:
        """Answer a request, as S3 would."""
        operation = operation_of(request)
        if operation in {hostile_s3.PUT, "HeadBucket"}:
            return Answer(200, {}, b"")
        answer = {
            hostile_s3.CREATE: self._create,
            hostile_s3.LIST: self._list,
            hostile_s3.COMPLETE: self._complete,
            hostile_s3.HEAD: self._head,
            "GetObject": self._get,
        }.get(operation)
        if answer is None:
            return self._refuse("NotImplemented", operation, status=501)
        return answer(request)

    def _refuse(self, code: str, why: str, status: int = 400) -> Answer:
        self.refusals.append(f"{code}: {why}")
        return _xml("Error", {"Code": code, "Message": why}, status=status)

    def _create(self, request: Request) -> Answer:
        multipart_id = uuid.uuid4().hex
        self._tokens[multipart_id] = _headers(request)[_TOKEN]
        return _xml("InitiateMultipartUploadResult", {"UploadId": multipart_id})

    def _list(self, request: Request) -> Answer:
        if request.query["uploadId"] not in self._tokens:
            return self._refuse("NoSuchUpload", "listed", status=404)
        first = int(request.query.get("part-number-marker", 0))
        last = min(first + _PAGE, len(self._sizes))
        parts = "".join(
            f"<Part><PartNumber>{n + 1}</PartNumber><ETag>&quot;{_etag(n)}&quot;</ETag>"
            f"<Size>{self._sizes[n]}</Size>"
            f"<ChecksumSHA256>{self._digests[n]}</ChecksumSHA256></Part>"
            for n in range(first, last)
        )
        more = str(last < len(self._sizes)).lower()
        answer = _xml("ListPartsResult", {"IsTruncated": more, "NextPartNumberMarker": str(last)})
        end = b"</ListPartsResult>"
        return answer._replace(body=answer.body.replace(end, parts.encode() + end))

    def _complete(self, request: Request) -> Answer:
        token = self._tokens.get(request.query["uploadId"])
        if token is None:
            return self._refuse("NoSuchUpload", "completed", status=404)
        headers, key = _headers(request), key_of(request)
        if headers.get("if-none-match") != "*":
            return self._refuse("InvalidRequest", "If-None-Match is not sent")
        if key in self.objects:
            return self._refuse("PreconditionFailed", "an object is there", status=412)
        if headers.get("x-amz-mp-object-size") != str(sum(self._sizes)):
            return self._refuse("InvalidRequest", "MpuObjectSize is wrong or not sent")
        named = [
            tuple(part.findtext(f"{{{_NAMESPACE}}}{name}") for name in _NAMED)
            for part in ET.fromstring(request.body)
        ]
        if named != [(str(n + 1), _etag(n), digest) for n, digest in enumerate(self._digests)]:
            return self._refuse("InvalidPart", f"{len(named)} parts, not all as they were sent")
        digests = b"".join(base64.b64decode(digest or "") for _, _, digest in named)
        root = f"{_b64(hashlib.sha256(digests).digest())}-{len(named)}"
        del self._tokens[request.query["uploadId"]]
        self.objects[key] = FakeObject(token, sum(self._sizes), root)
        return _xml(
            "CompleteMultipartUploadResult",
            {"Key": key, "ChecksumSHA256": root, "ChecksumType": "COMPOSITE"},
        )

    def _head(self, request: Request) -> Answer:
        found = self.objects.get(key_of(request))
        if found is None:
            return Answer(404, {}, b"")
        shown = {
            _TOKEN: found.token,
            "Content-Length": str(found.size_bytes),
            "x-amz-checksum-sha256": found.root,
            "x-amz-checksum-type": "COMPOSITE",
        }
        return Answer(200, shown, b"")

    def _get(self, request: Request) -> Answer:
        """Answer a range, which is how the first bytes are read."""
        if key_of(request) not in self.objects:
            return _xml("Error", {"Code": "NoSuchKey"}, status=404)
        first, last = map(int, _headers(request)["range"].removeprefix("bytes=").split("-"))
        part = self._whole[first : last + 1]
        place = f"bytes {first}-{first + len(part) - 1}/{len(self._whole)}"
        return Answer(206, {"Content-Range": place}, part)


_NAMED: Final = ("PartNumber", "ETag", "ChecksumSHA256")


def _headers(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _etag(index: int) -> str:
    return f"etag-{index}"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _xml(name: str, members: dict[str, str], *, status: int = 200) -> Answer:
    inner = "".join(f"<{member}>{value}</{member}>" for member, value in members.items())
    body = f'<{name} xmlns="{_NAMESPACE}">{inner}</{name}>' if name != "Error" else None
    return Answer(
        status,
        {"Content-Type": "application/xml"},
        (body or f"<Error>{inner}</Error>").encode(),
    )
