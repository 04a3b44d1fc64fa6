"""A part URL takes one chunk's bytes and nothing else: tried with curl's means on both servers.

Both servers check everything here, but for the two things that the last tests name.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from urllib.parse import quote
from uuid import uuid4

import httpx
import msgspec
import pytest

from coordinator.adapters import clock
from coordinator.adapters.bucket import Bucket
from coordinator.domain import sigv4
from coordinator.domain.plan import Plan

_BODY, _OTHER_BODY = b"what was signed", b"what was forged"
_PLAN = Plan(2 * len(_BODY), len(_BODY))


class Put(msgspec.Struct, frozen=True):
    """What goes over the wire."""

    url: str
    headers: dict[str, str]
    body: bytes = _BODY


class Target(msgspec.Struct, frozen=True):
    """A multipart that waits for its first part, and another one of another key."""

    bucket: Bucket
    key: str
    multipart_id: str
    other_key: str
    other_id: str

    async def sign(self, *, age: timedelta = timedelta(0)) -> Put:
        """Sign the first chunk, ``age`` ago, for an hour."""
        digest = hashlib.sha256(_BODY).digest()
        [part] = sigv4.sign_parts(
            await self.bucket.credentials(),
            self.bucket.public,
            key=self.key,
            multipart_id=self.multipart_id,
            parts=[sigv4.Part(1, len(_BODY), digest)],
            at=clock.now() - age,
            lifetime=timedelta(hours=1),
        )
        return Put(part.url, part.headers)

    async def held(self) -> list[tuple[int, int]]:
        """Return number and size of all parts that arrived, here or there."""
        pairs = [(self.key, self.multipart_id), (self.other_key, self.other_id)]
        listed = [await self.bucket.list_parts(key, number, _PLAN) for key, number in pairs]
        return [(part.number, part.size_bytes) for parts in listed for part in parts]


@pytest.fixture
async def target(bucket: Bucket) -> AsyncIterator[Target]:
    """Two multiparts, aborted afterwards."""
    keys = [f"tests/{uuid4()}", f"tests/{uuid4()}"]
    numbers = [
        await bucket.create_multipart(key, token="ours", file_type="text/plain") for key in keys
    ]
    yield Target(bucket, keys[0], numbers[0], keys[1], numbers[1])
    for key, number in zip(keys, numbers, strict=True):
        await bucket.abort(key, number)


async def _send(s3_http: httpx.AsyncClient, put: Put) -> tuple[int, str]:
    answer = await s3_http.put(put.url, content=put.body, headers=put.headers)
    code = answer.text.partition("<Code>")[2].partition("</Code>")[0]
    return answer.status_code, code


def _checksum(body: bytes) -> dict[str, str]:
    return sigv4.sign_parts(
        sigv4.Credentials("k", "s"),
        sigv4.Target("http://s3", "bucket", "region", path_addressing=True),
        key="k",
        multipart_id="m",
        parts=[sigv4.Part(1, len(body), hashlib.sha256(body).digest())],
        at=clock.now(),
        lifetime=timedelta(hours=1),
    )[0].headers


def _change(put: Put, old: str, new: str) -> Put:
    assert old in put.url
    return Put(put.url.replace(old, new), put.headers)


def _without(headers: Mapping[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key != name}


def _flip(put: Put) -> Put:
    last = put.url[-1]
    return Put(put.url[:-1] + f"{int(last, 16) ^ 1:x}", put.headers)


def _hoist(put: Put) -> Put:
    """Move the checksum into the query, where S3 ignores it."""
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in put.headers.items())
    return Put(f"{put.url}&{query}", {}, _OTHER_BODY)


_SIGNED = "content-length%3Bhost%3Bx-amz-checksum-sha256%3Bx-amz-sdk-checksum-algorithm"

_FORGERIES: dict[str, Callable[[Put, Target], Put]] = {
    "another part number": lambda put, _: _change(put, "partNumber=1&", "partNumber=2&"),
    "another key": lambda put, at: _change(put, at.key, at.other_key),
    "another multipart": lambda put, at: _change(
        _change(put, at.key, at.other_key),
        quote(at.multipart_id, safe=""),
        quote(at.other_id, safe=""),
    ),
    "a longer life": lambda put, _: _change(put, "X-Amz-Expires=3600", "X-Amz-Expires=36000"),
    "fewer signed headers": lambda put, _: _change(put, _SIGNED, "host"),
    "a flipped bit of the signature": lambda put, _: _flip(put),
    "a longer body": lambda put, _: Put(put.url, put.headers, _BODY + b"!"),
    "a shorter body": lambda put, _: Put(put.url, put.headers, _BODY[:-1]),
    "no body": lambda put, _: Put(put.url, put.headers, b""),
    "no checksum": lambda put, _: Put(
        put.url, _without(put.headers, "x-amz-checksum-sha256"), _OTHER_BODY
    ),
    "no algorithm": lambda put, _: Put(
        put.url, _without(put.headers, "x-amz-sdk-checksum-algorithm")
    ),
    "another checksum": lambda put, _: Put(put.url, _checksum(_OTHER_BODY), _OTHER_BODY),
    "a checksum in the query": lambda put, _: _hoist(put),
}


@pytest.mark.parametrize("forgery", _FORGERIES)
async def test_a_forged_request_is_refused_and_its_part_absent(
    target: Target, s3_http: httpx.AsyncClient, forgery: str
) -> None:
    """Everything that a client could change stands under the signature."""
    signed = await target.sign()
    forged = _FORGERIES[forgery](signed, target)
    assert forged != signed

    answer = await _send(s3_http, forged)

    assert answer in {(403, "SignatureDoesNotMatch"), (403, "AccessDenied")}
    assert await target.held() == []


async def test_the_request_as_it_was_signed_is_taken(
    target: Target, s3_http: httpx.AsyncClient
) -> None:
    """Without this the refusals would prove nothing."""
    answer = await _send(s3_http, await target.sign())

    assert answer == (200, "")
    assert await target.held() == [(1, len(_BODY))]


async def test_other_bytes_of_the_same_length_are_refused(
    target: Target, s3_http: httpx.AsyncClient
) -> None:
    """S3 hashes what arrives: nobody has to trust the sender."""
    signed = await target.sign()

    answer = await _send(s3_http, Put(signed.url, signed.headers, _OTHER_BODY))

    assert answer[0] == 400
    assert await target.held() == []


async def test_an_expired_url_is_refused(target: Target, s3_http: httpx.AsyncClient) -> None:
    """An hour and a second after it was signed."""
    answer = await _send(s3_http, await target.sign(age=timedelta(hours=1, seconds=1)))

    assert answer[0] == 403
    assert await target.held() == []


async def test_wrong_bytes_after_right_ones_change_nothing(
    target: Target, s3_http: httpx.AsyncClient
) -> None:
    """A refused repeat must not cost the part that is there."""
    signed = await target.sign()
    first = await _send(s3_http, signed)

    second = await _send(s3_http, Put(signed.url, signed.headers, _OTHER_BODY))

    assert (first[0], second[0]) == (200, 400)
    assert await target.held() == [(1, len(_BODY))]


@pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)
async def test_a_request_without_signature_is_refused(
    target: Target, s3_http: httpx.AsyncClient
) -> None:
    """SeaweedFS only: LocalStack takes unsigned requests (s3-facts.md), AWS does not."""
    signed = await target.sign()
    url, _, _ = signed.url.partition("?")
    query = f"partNumber=1&uploadId={quote(target.multipart_id, safe='')}"

    answer = await _send(s3_http, Put(f"{url}?{query}", signed.headers))

    assert answer[0] == 403
    assert await target.held() == []


@pytest.mark.parametrize("s3_server", ["localstack"], indirect=True)
async def test_a_part_that_was_signed_without_checksum_is_refused(
    target: Target, s3_http: httpx.AsyncClient
) -> None:
    """LocalStack only, as AWS: SeaweedFS takes it and computes the digest (s3-facts.md).

    Nobody gets such a URL from us: this one is botocore's.
    """
    url = await target.bucket._s3.generate_presigned_url(
        "upload_part",
        Params={
            "Bucket": target.bucket.name,
            "Key": target.key,
            "UploadId": target.multipart_id,
            "PartNumber": 1,
        },
    )

    answer = await _send(s3_http, Put(url, {}))

    assert answer == (400, "InvalidRequest")
    assert await target.held() == []
