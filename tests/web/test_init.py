"""``POST /api/upload/init``."""

import asyncio

import httpx
import pytest
from litestar import Litestar

from coordinator.adapters.stores import Stores
from coordinator.domain.errors import (
    ChunkSizeError,
    FileTooLargeError,
    IdempotencyConflictError,
    InvalidFieldError,
)
from tests.conftest import MakeKey, client_of
from tests.web.driving import (
    CHUNK,
    MIB,
    TIME,
    UPLOAD_ID,
    a_file,
    complete,
    opened,
    problem,
    root_of,
    sent,
    sha256,
)

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_INIT = "/api/upload/init"
_DIGEST = f"sha256:{sha256(b'a file')}"


async def test_the_body_of_the_requirements_opens_an_upload(client: httpx.AsyncClient) -> None:
    """It is pasted into terminals: it must work as it stands."""
    answer = await client.post(
        _INIT,
        json={
            "fileName": "dataset.jsonl",
            "fileSize": 123456789,
            "fileType": "application/json",
            "checksum": _DIGEST,
            "metadata": {"purpose": "training", "schema": "auto-detect"},
        },
    )

    assert (answer.status_code, answer.json()) == (
        201,
        {
            "uploadId": UPLOAD_ID,
            "chunkSize": 8 * MIB,
            "totalChunks": 15,
            "uploadUrl": "/api/upload/urls",
            "expiresAt": TIME,
            "status": "INIT",
            "autoComplete": False,
            "resumed": False,
            "missingChunks": list(range(15)),
            "uploadToken": None,
            "uploadTokenExpiresAt": None,
        },
    )


@pytest.mark.parametrize(
    ("size", "chunk_size", "total"),
    [
        (0, 8 * MIB, 1),
        (1, 8 * MIB, 1),
        (8 * MIB, 8 * MIB, 1),
        (8 * MIB + 1, 8 * MIB, 2),
        (80_000 * MIB, 8 * MIB, 10_000),
        (80_000 * MIB + 1, 9 * MIB, 8_889),
        (50_000 * 1024 * MIB, 5 * 1024 * MIB, 10_000),
    ],
)
async def test_the_server_plans_the_chunks(
    client: httpx.AsyncClient, size: int, chunk_size: int, total: int
) -> None:
    """8 MiB, growing in whole MiB so that 10,000 parts always suffice."""
    answer = await client.post(_INIT, json=a_file(size, chunkSize=None))

    assert answer.status_code == 201
    planned = answer.json()
    assert (planned["chunkSize"], planned["totalChunks"]) == (chunk_size, total)
    assert planned["missingChunks"] == list(range(total))


async def test_the_same_file_is_resumed_by_its_checksum(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """A client that forgot everything finds its open upload, and what is missing of it."""
    body = a_file(2 * CHUNK, checksum=_DIGEST)
    first = (await client.post(_INIT, json=body)).json()
    upload_id = first["uploadId"]
    await sent(client, s3_http, upload_id, {0: b"x" * CHUNK})
    await client.post("/api/upload/chunk", json={"uploadId": upload_id, "chunkIndex": 0})

    again = await client.post(_INIT, json=body)

    assert (again.status_code, again.json()) == (
        200,
        first | {"status": "UPLOADING", "resumed": True, "missingChunks": [1]},
    )


@pytest.mark.parametrize(
    "change", [{"fileName": "other"}, {"fileSize": 7}, {"checksum": f"sha256:{sha256(b'b')}"}]
)
async def test_another_file_is_another_upload(
    client: httpx.AsyncClient, change: dict[str, object]
) -> None:
    """Name, size and checksum make the file; any other is new."""
    body = a_file(6, checksum=_DIGEST)

    answers = [await client.post(_INIT, json=each) for each in (body, body | change)]

    assert [answer.status_code for answer in answers] == [201, 201]


async def test_without_checksum_or_key_every_init_is_a_new_upload(
    client: httpx.AsyncClient,
) -> None:
    """Name and size alone do not make a file."""
    assert await opened(client, 6) != await opened(client, 6)


async def test_an_idempotency_key_finds_its_upload_again(client: httpx.AsyncClient) -> None:
    """A client that lost the answer repeats the request and opens nothing twice."""
    headers = {"Idempotency-Key": "abc-1"}
    first = await client.post(_INIT, json=a_file(9), headers=headers)

    again = await client.post(_INIT, json=a_file(9), headers=headers)

    assert [first.status_code, again.status_code] == [201, 200]
    assert again.json() == first.json() | {"resumed": True}


async def test_an_idempotency_key_with_another_body_is_refused(client: httpx.AsyncClient) -> None:
    """Else a bug of the client would put a file under another's name."""
    headers = {"Idempotency-Key": "abc-1"}
    await client.post(_INIT, json=a_file(9), headers=headers)

    answer = await client.post(_INIT, json=a_file(10), headers=headers)

    assert (answer.status_code, answer.json()) == (
        422,
        problem(IdempotencyConflictError, field="Idempotency-Key"),
    )


async def test_an_idempotency_key_finds_its_upload_after_completion(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """The key names the upload for 24 hours, however it ended meanwhile."""
    headers = {"Idempotency-Key": "abc-1"}
    first = (await client.post(_INIT, json=a_file(2), headers=headers)).json()
    await sent(client, s3_http, first["uploadId"], {0: b"ok"})
    assert (await complete(client, first["uploadId"])).status_code == 200

    again = await client.post(_INIT, json=a_file(2), headers=headers)

    assert (again.status_code, again.json()) == (
        200,
        first | {"status": "COMPLETED", "resumed": True, "missingChunks": []},
    )


async def test_idempotency_keys_of_two_users_do_not_meet(
    app: Litestar, client: httpx.AsyncClient, make_key: MakeKey
) -> None:
    """Clients choose keys alone; two may choose the same."""
    headers = {"Idempotency-Key": "abc-1"}
    first = await client.post(_INIT, json=a_file(9), headers=headers)

    async with client_of(app, await make_key(user="bob")) as bob:
        other = await bob.post(_INIT, json=a_file(10), headers=headers)

    assert [first.status_code, other.status_code] == [201, 201]


async def test_racing_inits_of_one_file_open_one_upload(
    client: httpx.AsyncClient, stores: Stores, tenant: str
) -> None:
    """A double click, or a retry beside a request that is still under way."""
    body = a_file(9, checksum=_DIGEST)

    answers = await asyncio.gather(*(client.post(_INIT, json=body) for _ in range(6)))

    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 200, 201]
    assert len({answer.json()["uploadId"] for answer in answers}) == 1
    async with stores.pool.connection() as conn:
        found = await conn.execute("SELECT phase FROM uploads WHERE tenant = %s", [tenant])
        assert await found.fetchall() == [{"phase": "INIT"}]


async def test_a_chunk_size_below_the_limit_of_s3_is_refused_with_the_reason(
    client: httpx.AsyncClient,
) -> None:
    """S3 would refuse such parts only at the very end."""
    answer = await client.post(_INIT, json=a_file(9, chunkSize=5 * MIB - 1))

    assert (answer.status_code, answer.json()) == (
        422,
        problem(ChunkSizeError, field="chunkSize", minChunkSize=5 * MIB),
    )
    assert "5 MiB" in answer.json()["detail"]


async def test_a_file_larger_than_an_object_is_refused(client: httpx.AsyncClient) -> None:
    """48.8 TiB is what 10,000 parts of 5 GiB hold."""
    limit = 50_000 * 1024 * MIB

    answer = await client.post(_INIT, json=a_file(limit + 1, chunkSize=None))

    assert (answer.status_code, answer.json()) == (
        422,
        problem(FileTooLargeError, field="fileSize", maxFileSize=limit),
    )


async def test_a_tree_needs_the_size_of_its_chunks(client: httpx.AsyncClient) -> None:
    """The root of a file depends on where it is cut."""
    tree = f"sha256-tree:{root_of([b'x'])}"

    with_size = await client.post(_INIT, json=a_file(1, checksum=tree))
    without = await client.post(_INIT, json=a_file(1, checksum=tree, chunkSize=None))

    assert with_size.status_code == 201
    assert (without.status_code, without.json()) == (
        422,
        problem(InvalidFieldError, field="chunkSize"),
    )
