"""The bucket's calls on both S3 servers: what they answer, and what they refuse."""

import asyncio
import base64
import hashlib
from collections.abc import Mapping
from datetime import timedelta
from uuid import uuid4

import httpx
import msgspec
import pytest

import manifests
from coordinator.adapters import clock
from coordinator.adapters.bucket import Bucket, ObjectFacts
from coordinator.adapters.s3_answers import BadPartsError, MultipartGoneError, ObjectExistsError
from coordinator.domain import sigv4
from coordinator.domain.assembly import AssemblyPart, assemble, held_chunks
from coordinator.domain.errors import StoreRefusedError
from coordinator.domain.plan import Plan
from tests.builders import MIB, SMALLEST, some_bytes


class _Multipart(msgspec.Struct):
    """A multipart of the test's own, and what was signed for it."""

    bucket: Bucket
    http: httpx.AsyncClient
    key: str
    id: str
    plan: Plan

    async def send(self, chunks: Mapping[int, bytes]) -> None:
        """Sign and send chunks, 50 at a time."""
        signed = sigv4.sign_parts(
            await self.bucket.credentials(),
            self.bucket.public,
            key=self.key,
            multipart_id=self.id,
            parts=[
                sigv4.Part(index + 1, len(chunk), hashlib.sha256(chunk).digest())
                for index, chunk in chunks.items()
            ],
            at=clock.now(),
            lifetime=timedelta(hours=1),
        )
        turns = asyncio.Semaphore(50)

        async def put(part: sigv4.SignedPart, chunk: bytes) -> int:
            async with turns:
                answer = await self.http.put(part.url, content=chunk, headers=part.headers)
            return answer.status_code

        puts = [put(part, chunk) for part, chunk in zip(signed, chunks.values(), strict=True)]
        assert set(await asyncio.gather(*puts)) == {200}

    async def assembly(self, digests: Mapping[int, bytes]) -> tuple[AssemblyPart, ...]:
        """Decide on what S3 lists, as completion does."""
        listed = await self.bucket.list_parts(self.key, self.id, self.plan)
        return assemble(self.plan, digests, listed)

    async def complete(self, parts: tuple[AssemblyPart, ...]) -> str | None:
        """Assemble the object."""
        return await self.bucket.complete(self.key, self.id, parts, size_bytes=self.plan.size_bytes)


async def _multipart(bucket: Bucket, s3_http: httpx.AsyncClient, plan: Plan) -> _Multipart:
    key = f"tests/{uuid4()}"
    multipart_id = await bucket.create_multipart(key, token="ours", file_type="text/plain")
    return _Multipart(bucket, s3_http, key, multipart_id, plan)


def _digests(chunks: Mapping[int, bytes]) -> dict[int, bytes]:
    return {index: hashlib.sha256(chunk).digest() for index, chunk in chunks.items()}


async def test_an_object_is_assembled_and_proven_by_its_facts(
    bucket: Bucket, s3_http: httpx.AsyncClient
) -> None:
    """Token, size and root: together they are the proof that the object is ours."""
    chunks = {0: some_bytes(SMALLEST, 1), 1: b"end"}
    multipart = await _multipart(bucket, s3_http, Plan(SMALLEST + 3, SMALLEST))
    before = await bucket.facts(multipart.key)
    await multipart.send(chunks)

    answered = await multipart.complete(await multipart.assembly(_digests(chunks)))

    root = manifests.root(b"".join(_digests(chunks).values()))
    assert (before, answered) == (None, root)
    assert await bucket.facts(multipart.key) == ObjectFacts("ours", SMALLEST + 3, root)
    assert await bucket.read(multipart.key, first=SMALLEST - 1, length=3) == chunks[0][-1:] + b"en"


@pytest.mark.parametrize("s3_server", ["localstack"], indirect=True)  # SeaweedFS takes any size
async def test_an_object_of_another_size_is_not_assembled(
    bucket: Bucket, s3_http: httpx.AsyncClient
) -> None:
    """The size is said once more at completion, so that S3 itself refuses another."""
    multipart = await _multipart(bucket, s3_http, Plan(9, 9))
    await multipart.send({0: b"nine byte"})
    parts = await multipart.assembly(_digests({0: b"nine byte"}))

    with pytest.raises(StoreRefusedError):
        await bucket.complete(multipart.key, multipart.id, parts, size_bytes=8)

    assert await bucket.facts(multipart.key) is None


async def test_every_part_sent_twice_is_one_chunk_each(
    bucket: Bucket, s3_http: httpx.AsyncClient
) -> None:
    """SeaweedFS lists such parts twice: one entry of each is named at completion."""
    chunks = {0: some_bytes(SMALLEST, 1), 1: b"end"}
    multipart = await _multipart(bucket, s3_http, Plan(SMALLEST + 3, SMALLEST))
    for _ in range(2):
        await multipart.send(chunks)

    listed = await bucket.list_parts(multipart.key, multipart.id, multipart.plan)
    held = held_chunks(multipart.plan, _digests(chunks), listed)
    parts = await multipart.assembly(_digests(chunks))
    answered = await multipart.complete(parts)

    assert (sorted(held), [part.number for part in parts]) == ([0, 1], [1, 2])
    assert answered == manifests.root(b"".join(_digests(chunks).values()))
    assert await bucket.read(multipart.key, first=0, length=6 * MIB) == chunks[0] + chunks[1]


async def test_more_than_a_page_of_parts_is_listed_whole(
    bucket: Bucket, s3_http: httpx.AsyncClient
) -> None:
    """S3 pages by 1,000; slices are asked for side by side and none overlaps another."""
    chunks = {index: bytes([index % 251]) for index in range(1_050) if index != 500}
    multipart = await _multipart(bucket, s3_http, Plan(1_050, 1))
    await multipart.send(chunks)

    listed = await bucket.list_parts(multipart.key, multipart.id, multipart.plan)

    assert [part.number for part in listed] == [index + 1 for index in chunks]
    assert {part.size_bytes for part in listed} == {1}
    shown = {part.number - 1: part.sha256 for part in listed if part.sha256 is not None}
    assert shown in ({}, _digests(chunks))
    assert sorted(held_chunks(multipart.plan, _digests(chunks), listed)) == list(chunks)


@pytest.mark.parametrize("wrong", ["etag", "sha256", "number"])
async def test_a_wrong_part_is_refused_and_nothing_assembled(
    bucket: Bucket, s3_http: httpx.AsyncClient, wrong: str
) -> None:
    """Completion names ETag and digest of every part, and S3 compares both."""
    multipart = await _multipart(bucket, s3_http, Plan(3, 3))
    await multipart.send({0: b"one"})
    [part] = await multipart.assembly(_digests({0: b"one"}))
    changed = {"etag": "0" * 32, "sha256": b"x" * 32, "number": 2}[wrong]

    with pytest.raises(BadPartsError):
        await multipart.complete((msgspec.structs.replace(part, **{wrong: changed}),))

    assert await bucket.facts(multipart.key) is None
    assert await multipart.complete((part,)) == manifests.root(part.sha256)


async def test_an_object_that_is_there_is_never_replaced(
    bucket: Bucket, s3_http: httpx.AsyncClient
) -> None:
    """If-None-Match: whatever lies at the key stays."""
    multipart = await _multipart(bucket, s3_http, Plan(3, 3))
    await multipart.send({0: b"one"})
    await bucket.put(multipart.key, b"decoy", file_type="text/plain")

    with pytest.raises(ObjectExistsError):
        await multipart.complete(await multipart.assembly(_digests({0: b"one"})))

    assert await bucket.read(multipart.key, first=0, length=100) == b"decoy"


async def test_an_aborted_multipart_is_gone_for_every_call(
    bucket: Bucket, s3_http: httpx.AsyncClient
) -> None:
    """And aborting it again is no error: any step may run twice."""
    multipart = await _multipart(bucket, s3_http, Plan(3, 3))
    await multipart.send({0: b"one"})
    parts = await multipart.assembly(_digests({0: b"one"}))

    for _ in range(2):
        await bucket.abort(multipart.key, multipart.id)

    with pytest.raises(MultipartGoneError):
        await bucket.list_parts(multipart.key, multipart.id, multipart.plan)
    with pytest.raises(MultipartGoneError):
        await multipart.complete(parts)
    assert await bucket.facts(multipart.key) is None


async def test_aborting_leaves_the_assembled_object(
    bucket: Bucket, s3_http: httpx.AsyncClient
) -> None:
    """The abort came after a completion whose answer was lost."""
    multipart = await _multipart(bucket, s3_http, Plan(3, 3))
    await multipart.send({0: b"one"})
    await multipart.complete(await multipart.assembly(_digests({0: b"one"})))

    await bucket.abort(multipart.key, multipart.id)

    assert await bucket.read(multipart.key, first=0, length=3) == b"one"


async def test_a_small_object_is_put_read_and_deleted(bucket: Bucket) -> None:
    """An object without a token is nobody's upload; deleting twice is fine."""
    key = f"tests/{uuid4()}"
    await bucket.put(key, b"{}", file_type="application/json")

    facts = await bucket.facts(key)
    for _ in range(2):
        await bucket.delete(key)

    root = base64.b64encode(hashlib.sha256(b"{}").digest()).decode()
    assert facts == ObjectFacts(None, 2, root)
    assert await bucket.facts(key) is None
