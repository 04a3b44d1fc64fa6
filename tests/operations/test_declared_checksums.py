"""What a client declares of its file is proven before anything is downloadable."""

import hashlib
from typing import Any

import httpx
import msgspec
import pytest

import manifests
from coordinator.adapters.stores import Stores
from coordinator.domain.phases import Phase, Reason
from coordinator.operations.verify_object import verify_object
from tests.builders import (
    SMALLEST,
    complete,
    cut,
    row_of,
    rows,
    send,
    send_all,
    some_bytes,
    tree,
    uuid_of,
)

_CHUNKS = cut(some_bytes(SMALLEST + 5), SMALLEST)
_WHOLE = hashlib.sha256(b"".join(_CHUNKS)).hexdigest()
_WRONG_TREE = tree([_CHUNKS[1], _CHUNKS[0]])
_ONE = hashlib.sha256(b"one").hexdigest()


async def _ended(stores: Stores, upload_id: str) -> tuple[str, str | None, int, int]:
    """Return phase, reason, and how many jobs and manifests there are."""
    row = await row_of(stores.pool, upload_id)
    [found] = await rows(
        stores.pool,
        "SELECT (SELECT count(*) FROM jobs) AS jobs, (SELECT count(*) FROM manifests) AS kept",
    )
    return row.phase, row.reason, found["jobs"], found["kept"]


async def _queued(stores: Stores) -> list[str]:
    return [row["task_name"] for row in await rows(stores.pool, "SELECT * FROM procrastinate_jobs")]


@pytest.mark.parametrize("at", ["init", "complete"])
async def test_a_whole_sha256_is_proven_by_the_worker(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, at: str
) -> None:
    """S3 has no whole-object SHA-256 of a multipart: until it is read the upload is ASSEMBLING."""
    declared = {"checksum": f"sha256:{_WHOLE}"}
    upload_id = await send_all(client, s3_http, _CHUNKS, **(declared if at == "init" else {}))

    waits = [await complete(client, upload_id, **(declared if at == "complete" else {}))]
    waits.append(await complete(client, upload_id))
    refused = await client.get(f"/api/uploads/{upload_id}/download")
    queued = await _queued(stores)
    await verify_object(stores, uuid_of(upload_id))
    await verify_object(stores, uuid_of(upload_id))

    assert [each.status_code for each in (*waits, refused)] == [202, 202, 409]
    assert queued == ["verify_object"]
    assert await _ended(stores, upload_id) == (Phase.COMPLETED, None, 1, 1)
    assert await _queued(stores) == ["verify_object", "run_job"]
    shown = (await complete(client, upload_id)).json()["manifest"]["checksum"]
    assert shown == f"sha256:{_WHOLE}"


async def test_an_object_that_vanished_before_it_was_read_is_asked_for_again(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Somebody deleted it in the bucket: the chunks can be sent again, nothing else is lost."""
    upload_id = await send_all(client, s3_http, _CHUNKS, checksum=f"sha256:{_WHOLE}")
    assert (await complete(client, upload_id)).status_code == 202
    before = await row_of(stores.pool, upload_id)
    await stores.bucket.delete(before.object_key)

    await verify_object(stores, uuid_of(upload_id))
    reopened = await row_of(stores.pool, upload_id)
    await send(client, s3_http, upload_id, dict(enumerate(_CHUNKS)))
    again = await complete(client, upload_id)
    await verify_object(stores, uuid_of(upload_id))

    assert (reopened.phase, reopened.generation) == (Phase.UPLOADING, 2)
    assert again.status_code == 202
    assert await _ended(stores, upload_id) == (Phase.COMPLETED, None, 1, 1)


async def test_a_wrong_whole_sha256_fails_and_deletes(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """What was never the declared file is nobody's file: no jobs, no download, no object."""
    upload_id = await send_all(client, s3_http, _CHUNKS, checksum=f"sha256:{'0' * 64}")
    key = (await row_of(stores.pool, upload_id)).object_key
    assert (await complete(client, upload_id)).status_code == 202
    assert await stores.bucket.facts(key) is not None

    await verify_object(stores, uuid_of(upload_id))

    assert await _ended(stores, upload_id) == (Phase.FAILED, Reason.CHECKSUM_MISMATCH, 0, 0)
    assert await stores.bucket.facts(key) is None
    again = await complete(client, upload_id)
    download = await client.get(f"/api/uploads/{upload_id}/download")
    assert (again.status_code, again.json()["code"]) == (422, "checksum-mismatch")
    assert (download.status_code, download.json()["code"]) == (409, "wrong-phase")
    assert await _queued(stores) == ["verify_object"]


@pytest.mark.parametrize("at", ["init", "complete"])
@pytest.mark.parametrize(
    ("chunks", "checksum"), [(_CHUNKS, tree(_CHUNKS)), ([b"one"], f"sha256:{_ONE}")]
)
async def test_a_tree_and_the_sha256_of_one_chunk_are_proven_at_once(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    chunks: list[bytes],
    checksum: str,
    at: str,
) -> None:
    """They cost no second reading, so our own clients declare them."""
    declared = {"checksum": checksum}
    upload_id = await send_all(client, s3_http, chunks, **(declared if at == "init" else {}))

    answer = await complete(client, upload_id, **(declared if at == "complete" else {}))

    assert answer.status_code == 200
    assert answer.json()["manifest"]["checksum"] == checksum


@pytest.mark.parametrize(
    ("chunks", "wrong"), [(_CHUNKS, _WRONG_TREE), ([b"one"], f"sha256:{'0' * 64}")]
)
async def test_a_wrong_declaration_at_complete_is_refused_and_forgotten(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    chunks: list[bytes],
    wrong: str,
) -> None:
    """Nothing is assembled, and the client may complete with the right one."""
    upload_id = await send_all(client, s3_http, chunks)

    refused = await complete(client, upload_id, checksum=wrong)

    row = await row_of(stores.pool, upload_id)
    assert (refused.status_code, refused.json()["code"]) == (422, "checksum-mismatch")
    assert (row.phase, row.checksum, row.declared_root) == (Phase.UPLOADING, None, None)
    assert await stores.bucket.facts(row.object_key) is None
    assert (await complete(client, upload_id, checksum=tree(chunks))).status_code == 200


async def test_a_wrong_tree_at_init_never_completes(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """The declaration of init stays: the file is another one."""
    upload_id = await send_all(client, s3_http, _CHUNKS, checksum=_WRONG_TREE)

    answers = [await complete(client, upload_id) for _ in range(2)]

    assert [each.json()["code"] for each in answers] == ["checksum-mismatch"] * 2
    assert await _ended(stores, upload_id) == (Phase.UPLOADING, None, 0, 0)


async def test_two_different_checksums_of_one_kind_conflict(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """One of them is of another file; nobody but the client knows which."""
    upload_id = await send_all(client, s3_http, _CHUNKS, checksum=tree(_CHUNKS))

    refused = await complete(client, upload_id, checksum=_WRONG_TREE)

    assert (refused.status_code, refused.json()["code"]) == (409, "checksum-conflict")
    assert (await row_of(stores.pool, upload_id)).phase is Phase.UPLOADING
    assert (await complete(client, upload_id, checksum=tree(_CHUNKS))).status_code == 200


def _manifest(chunks: list[bytes], **changes: Any) -> dict[str, Any]:
    usual = {
        "file_name": "data.bin",
        "file_size": sum(map(len, chunks)),
        "chunk_size": SMALLEST,
        "digests": b"".join(hashlib.sha256(chunk).digest() for chunk in chunks),
    }
    made = manifests.canonical(manifests.Manifest(**{**usual, **changes}))
    members: dict[str, Any] = msgspec.json.decode(made)
    return members


async def test_a_manifest_sent_along_is_compared_chunk_by_chunk(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """The answer names what differs; the right manifest then completes."""
    upload_id = await send_all(client, s3_http, _CHUNKS)
    other = [_CHUNKS[0], b"wrong"]

    refused = await complete(client, upload_id, manifest=_manifest(other))
    resized = await complete(client, upload_id, manifest=_manifest([*_CHUNKS[:1], b"short"[:4]]))
    phase = (await row_of(stores.pool, upload_id)).phase
    accepted = await complete(client, upload_id, manifest=_manifest(_CHUNKS))

    problems = [(each.json()["code"], each.json()["chunks"]) for each in (refused, resized)]
    assert problems == [("checksum-mismatch", [1]), ("checksum-mismatch", [])]
    assert (phase, accepted.status_code) == (Phase.UPLOADING, 200)
