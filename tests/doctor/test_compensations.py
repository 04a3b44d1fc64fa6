"""What S3 does not enforce completion checks by another way: on servers that really do not."""

from typing import Final

import httpx
import pytest

from coordinator.adapters.stores import Stores
from coordinator.domain.capabilities import Capabilities, Check
from coordinator.domain.phases import Phase
from coordinator.operations.verify_object import verify_object
from tests.builders import (
    SMALLEST,
    complete,
    cut,
    put,
    row_of,
    rows,
    send_all,
    sign,
    some_bytes,
    tree,
    uuid_of,
)

_CHUNKS: Final = cut(some_bytes(SMALLEST + 5), SMALLEST)
on_moto = pytest.mark.parametrize("s3_server", ["moto"], indirect=True)


async def _jobs(stores: Stores) -> list[str]:
    return [row["kind"] for row in await rows(stores.pool, "SELECT kind FROM jobs")]


@on_moto
async def test_where_s3s_word_is_worth_nothing_a_worker_reads_before_it_is_completed(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Even a declared tree, which S3 proves elsewhere, is proven by reading."""
    upload_id = await send_all(client, s3_http, _CHUNKS, checksum=tree(_CHUNKS))

    answer = await complete(client, upload_id)
    before = (await row_of(stores.pool, upload_id)).phase, await _jobs(stores)
    await verify_object(stores, uuid_of(upload_id))

    assert stores.capabilities.needs_reading
    assert answer.status_code == 202
    assert before == (Phase.ASSEMBLING, [])
    assert (await row_of(stores.pool, upload_id)).phase is Phase.COMPLETED
    assert await _jobs(stores) == ["generate_metadata"]


@on_moto
async def test_a_chunk_that_was_damaged_on_its_way_never_becomes_completed(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """S3 took it without a word. The wrong object goes, and the chunks are asked for again."""
    upload_id = await send_all(client, s3_http, _CHUNKS)
    key = (await row_of(stores.pool, upload_id)).object_key
    damaged = bytes([_CHUNKS[0][0] ^ 1]) + _CHUNKS[0][1:]
    [signed] = await sign(client, upload_id, {0: _CHUNKS[0]})
    assert (await put(s3_http, signed, damaged)).status_code == 200, "moto takes anything"

    answer = await complete(client, upload_id)
    await verify_object(stores, uuid_of(upload_id))

    reopened = await row_of(stores.pool, upload_id)
    assert (answer.status_code, reopened.phase) == (202, Phase.UPLOADING)
    assert await stores.bucket.facts(key) is None
    assert await _jobs(stores) == []
    status = (await client.get(f"/api/upload/status/{upload_id}")).json()
    assert status["missingChunks"] == [0, 1]


@on_moto
async def test_a_chunk_that_is_longer_than_announced_is_asked_for_again(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Neither the URL nor MpuObjectSize keeps it out here: completion reads the sizes itself."""
    upload_id = await send_all(client, s3_http, _CHUNKS)
    [signed] = await sign(client, upload_id, {1: _CHUNKS[1]})
    assert (await put(s3_http, signed, _CHUNKS[1] + b"!")).status_code == 200

    refused = await complete(client, upload_id)

    assert (refused.status_code, refused.json()["code"]) == (422, "checksum-mismatch")
    assert refused.json()["chunks"] == [1]
    row = await row_of(stores.pool, upload_id)
    assert (row.phase, await stores.bucket.facts(row.object_key)) == (Phase.UPLOADING, None)


@pytest.mark.parametrize("s3_server", ["careless"], indirect=True)
async def test_where_s3_would_replace_an_object_completion_looks_first(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    capabilities: Capabilities,
) -> None:
    """Somebody else's object stays as it is, byte by byte, and the chunks are kept."""
    assert not capabilities.has(Check.IF_NONE_MATCH)
    upload_id = await send_all(client, s3_http, [b"ours"])
    key = (await row_of(stores.pool, upload_id)).object_key
    await stores.bucket.put(key, b"theirs", file_type="text/plain")

    refused = await complete(client, upload_id)

    assert (refused.status_code, refused.json()["code"]) == (409, "key-taken")
    assert await stores.bucket.read(key, first=0, length=100) == b"theirs"
    await stores.bucket.delete(key)
    assert (await complete(client, upload_id)).status_code == 202
    await verify_object(stores, uuid_of(upload_id))
    assert (await row_of(stores.pool, upload_id)).phase is Phase.COMPLETED
    written = await stores.bucket.read(key, first=0, length=100)
    assert written == b"ours"
