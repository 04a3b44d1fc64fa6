"""What the tiny uploads show, check by check.

The short form finds out what decides how the service completes, or whether it starts; the long
form, what else an operator wants to know.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final

import httpx
from botocore.exceptions import ClientError

from coordinator.adapters.probing import (
    NO_ANSWER,
    SECONDS,
    Probe,
    ProbeRefusedError,
    Put,
    Tiny,
    code_of,
    is_denied,
    is_fault,
    needed,
    outcome,
)
from coordinator.domain.capabilities import DECISIVE, Check
from coordinator.domain.examination import LACKING, OK, Result, Seen

Found = dict[Check, Seen]

_AGE: Final = timedelta(days=1)  # older than any clock is wrong
_PAIRS: Final = 4


def _tampered(put: Put) -> Put:
    last = put.url[-1]
    return Put(put.url[:-1] + f"{int(last, 16) ^ 1:x}", put.headers, put.body)


def _other_part(put: Put) -> Put:
    before, name, rest = put.url.partition("partNumber=")
    return Put(f"{before}{name}9{rest}", put.headers, put.body)


def _longer(put: Put) -> Put:
    return Put(put.url, put.headers, put.body + b"!")


def _changed(put: Put) -> Put:
    return Put(put.url, put.headers, put.body[::-1])


def _bare(put: Put) -> Put:
    return Put(put.url, {}, put.body)


_FORGERIES: Final[Mapping[Check, Callable[[Put], Put]]] = {
    Check.TAMPERED_URL: _tampered,
    Check.EXPIRED_URL: lambda put: put,
    Check.OTHER_PART: _other_part,
    Check.WRONG_LENGTH: _longer,
    Check.WRONG_BYTES: _changed,
    Check.HEADER_LEFT_OUT: _bare,
}


async def probe_briefly(probe: Probe) -> Found:
    """Find out what decides, in as few requests as that takes, side by side.

    Raises:
        ProbeRefusedError: S3 does not let the service do what every upload needs.
        TimeoutError, BotoCoreError, ClientError, httpx.TransportError: S3 does not answer.

    """
    parts = [
        _forge(probe, frozenset(_FORGERIES) & DECISIVE),
        _assemble(probe),
        _wrong_digest(probe),
    ]
    async with asyncio.timeout(SECONDS):
        # All are waited for, so that nothing stays behind in the bucket.
        found = await asyncio.gather(*parts, return_exceptions=True)
    return {check: seen for part in found for check, seen in _result(part).items()}


def _result(part: Found | BaseException) -> Found:
    if isinstance(part, BaseException):
        raise part
    return part


async def probe_wholly(probe: Probe) -> Found:
    """Find out everything; what cannot be found out is unknown, with the reason."""
    parts: list[tuple[frozenset[Check], Callable[[Probe], Awaitable[Found]]]] = [
        (frozenset(_FORGERIES), lambda each: _forge(each, frozenset(_FORGERIES))),
        (
            frozenset({Check.IF_NONE_MATCH, Check.COMPOSITE_AT_COMPLETE, Check.COMPOSITE_CHECKSUM}),
            _assemble,
        ),
        (frozenset({Check.PART_DIGEST_AT_COMPLETE}), _wrong_digest),
        (frozenset({Check.OBJECT_SIZE_AT_COMPLETE}), _wrong_size),
        (frozenset({Check.PART_WITHOUT_CHECKSUM}), _without_checksum),
        (frozenset({Check.REPEATED_COMPLETE}), _repeated),
        (frozenset({Check.CONCURRENT_COMPLETES}), _concurrent),
        (frozenset({Check.LISTED_DIGESTS}), _listed),
        (frozenset({Check.ATTRIBUTES}), _attributes),
    ]
    found = await asyncio.gather(*(_or_unknown(probe, *part) for part in parts))
    seen = {check: seen for part in found for check, seen in part.items()}
    return {check: seen[check] for check in Check}


async def _or_unknown(
    probe: Probe, checks: frozenset[Check], find: Callable[[Probe], Awaitable[Found]]
) -> Found:
    try:
        async with asyncio.timeout(SECONDS):
            return await find(probe)
    except (ProbeRefusedError, ClientError, *NO_ANSWER) as exc:
        return dict.fromkeys(checks, Seen(Result.UNKNOWN, outcome(exc)))


async def _forge(probe: Probe, checks: frozenset[Check]) -> Found:
    """Send what must be refused, and the same unforged, without which that would prove nothing."""
    async with probe.tiny() as tiny:
        order = [check for check in _FORGERIES if check in checks]
        puts = [await _forged(probe, tiny, check, number) for number, check in enumerate(order, 2)]
        _, answers = await asyncio.gather(probe.fill(tiny), asyncio.gather(*map(probe.put, puts)))
        return {check: _refused(answer) for check, answer in zip(order, answers, strict=True)}


async def _forged(probe: Probe, tiny: Tiny, check: Check, number: int) -> Put:
    age = _AGE if check is Check.EXPIRED_URL else timedelta(0)
    return _FORGERIES[check](await probe.sign(tiny, number=number, age=age))


def _refused(answer: httpx.Response) -> Seen:
    if answer.is_success:
        return LACKING
    if answer.is_client_error:
        return OK
    return Seen(Result.UNKNOWN, f"S3 answered {code_of(answer)}.")


async def _refuses(call: Awaitable[object]) -> Seen:
    try:
        await call
    except ClientError as exc:
        if is_fault(exc) or is_denied(exc):
            return Seen(Result.UNKNOWN, outcome(exc))
        return OK
    return LACKING


def _seen(*, done: bool) -> Seen:
    return OK if done else LACKING


async def _assemble(probe: Probe) -> Found:
    """Complete, look at the object, and try to put another one in its place."""
    key = probe.new_key()
    async with probe.tiny(key) as first, probe.tiny(key) as second:
        etag, other_etag = await asyncio.gather(probe.fill(first), probe.fill(second))
        with needed("CompleteMultipartUpload"):
            answered = await probe.complete(first, etag)
        with needed("HeadObject"):
            head = await probe.s3.head_object(Bucket=probe.bucket, Key=key, ChecksumMode="ENABLED")
        return {
            Check.IF_NONE_MATCH: await _refuses(probe.complete(second, other_etag)),
            Check.COMPOSITE_AT_COMPLETE: _seen(done=answered == first.root),
            Check.COMPOSITE_CHECKSUM: _seen(done=head.get("ChecksumSHA256") == first.root),
        }


async def _wrong_digest(probe: Probe) -> Found:
    async with probe.tiny() as tiny:
        etag = await probe.fill(tiny)
        wrong = bytes(len(tiny.sha256))
        return {
            Check.PART_DIGEST_AT_COMPLETE: await _refuses(probe.complete(tiny, etag, digest=wrong))
        }


async def _wrong_size(probe: Probe) -> Found:
    async with probe.tiny() as tiny:
        etag = await probe.fill(tiny)
        longer = len(tiny.body) + 1
        return {
            Check.OBJECT_SIZE_AT_COMPLETE: await _refuses(probe.complete(tiny, etag, size=longer))
        }


async def _without_checksum(probe: Probe) -> Found:
    async with probe.tiny() as tiny:
        call = probe.s3.upload_part(
            Bucket=probe.bucket,
            Key=tiny.key,
            UploadId=tiny.multipart_id,
            PartNumber=1,
            Body=tiny.body,
        )
        return {Check.PART_WITHOUT_CHECKSUM: await _refuses(call)}


async def _repeated(probe: Probe) -> Found:
    async with probe.tiny() as tiny:
        etag = await probe.fill(tiny)
        await probe.complete(tiny, etag, is_new=False)
        try:
            again = await probe.complete(tiny, etag, is_new=False)
        except ClientError as exc:
            if is_fault(exc):
                raise
            return {Check.REPEATED_COMPLETE: LACKING}
        return {Check.REPEATED_COMPLETE: _seen(done=again in {tiny.root, None})}


async def _concurrent(probe: Probe) -> Found:
    """Complete several uploads twice at the same moment, and read what became of them."""
    whole = await asyncio.gather(*(_stays_whole(probe) for _ in range(_PAIRS)))
    return {Check.CONCURRENT_COMPLETES: _seen(done=all(whole))}


async def _stays_whole(probe: Probe) -> bool:
    async with probe.tiny() as tiny:
        etag = await probe.fill(tiny)
        calls = [probe.complete(tiny, etag, is_new=False) for _ in "ab"]
        await asyncio.gather(*calls, return_exceptions=True)
        url = await probe.s3.generate_presigned_url(
            "get_object", Params={"Bucket": probe.bucket, "Key": tiny.key}
        )
        try:
            return (await probe.http.get(url)).content == tiny.body
        except httpx.RemoteProtocolError:
            return False  # shorter than S3 itself says


async def _listed(probe: Probe) -> Found:
    async with probe.tiny() as tiny:
        await probe.fill(tiny)
        page = await probe.s3.list_parts(
            Bucket=probe.bucket, Key=tiny.key, UploadId=tiny.multipart_id
        )
        shown = [part.get("ChecksumSHA256") for part in page.get("Parts", [])]
        wanted = base64.b64encode(tiny.sha256).decode()
        return {Check.LISTED_DIGESTS: _seen(done=shown == [wanted])}


async def _attributes(probe: Probe) -> Found:
    async with probe.tiny() as tiny:
        await probe.complete(tiny, await probe.fill(tiny))
        try:
            shown = await probe.s3.get_object_attributes(
                Bucket=probe.bucket,
                Key=tiny.key,
                ObjectAttributes=["Checksum", "ObjectParts", "ObjectSize"],
            )
        except ClientError as exc:
            if is_fault(exc) or is_denied(exc):
                raise
            return {Check.ATTRIBUTES: LACKING}
        # Shown without the count that HeadObject adds.
        checksum, _, count = tiny.root.partition("-")
        return {
            Check.ATTRIBUTES: _seen(
                done=shown.get("Checksum", {}).get("ChecksumSHA256") in {checksum, tiny.root}
                and str(shown.get("ObjectParts", {}).get("TotalPartsCount")) == count
            )
        }
