"""Whoever takes over an abandoned attempt settles it by proof: token, size and root."""

import hashlib
import json

import httpx
import pytest

import manifests
from coordinator.adapters.stores import Stores
from coordinator.domain.assembly import Content
from coordinator.domain.capabilities import Capabilities, Check
from coordinator.domain.phases import Intent, Phase, Reason
from coordinator.operations.prove_object import Finding, look
from coordinator.operations.take_over_uploads import take_over_uploads
from tests.builders import complete, open_upload, row_of, rows, send, send_all, status, tree
from tests.operations.decoys import assemble_decoy
from tests.operations.dying import abort_in_s3, assemble_in_s3, die_sealed

_BODY = b"the one chunk"


async def _audit(stores: Stores) -> list[str]:
    found = await rows(
        stores.pool, "SELECT action FROM audit WHERE upload_id IS NOT NULL ORDER BY id"
    )
    return [row["action"] for row in found]


@pytest.mark.parametrize("is_assembled", [False, True])
async def test_an_abandoned_completion_is_completed(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, *, is_assembled: bool
) -> None:
    """Died before S3's commit, or after it: once in effect either way."""
    upload_id = await send_all(client, s3_http, [_BODY])
    await die_sealed(stores, upload_id)
    if is_assembled:
        await assemble_in_s3(stores, upload_id)

    taken = [await take_over_uploads(stores) for _ in range(2)]

    row = await row_of(stores.pool, upload_id)
    assert (taken, row.phase, row.attempt) == ([1, 0], Phase.COMPLETED, 2)
    assert await _audit(stores) == ["upload.opened", "upload.completed"]
    assert len(await rows(stores.pool, "SELECT id FROM jobs")) == 1
    assert (await complete(client, upload_id)).json()["manifest"]["checksum"] == tree([_BODY])


async def test_a_live_lease_is_left_alone(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Its holder may be sending CompleteMultipartUpload at this moment."""
    upload_id = await send_all(client, s3_http, [_BODY])
    sealed = await die_sealed(stores, upload_id, lease=stores.lease)

    taken = await take_over_uploads(stores)
    answers = [
        await complete(client, upload_id),
        await client.delete(f"/api/uploads/{upload_id}"),
    ]

    assert taken == 0
    assert [answer.status_code for answer in answers] == [202, 202]
    after = await row_of(stores.pool, upload_id)
    assert (after.attempt, after.intent) == (sealed.attempt, Intent.COMPLETE)
    assert await stores.bucket.facts(after.object_key) is None


async def test_a_client_takes_over_as_well(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Nobody waits for the worker's next round."""
    upload_id = await send_all(client, s3_http, [_BODY])
    await die_sealed(stores, upload_id)
    await assemble_in_s3(stores, upload_id)

    answer = await complete(client, upload_id)

    assert (answer.status_code, answer.json()["status"]) == (200, "completed")


@pytest.mark.parametrize("wrong", ["checksum", "manifest"])
async def test_a_proven_object_must_be_what_the_client_declares_now(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, wrong: str
) -> None:
    """The object is whole, but of another file than this client means: never an accepted lie."""
    upload_id = await send_all(client, s3_http, [_BODY])
    await die_sealed(stores, upload_id)
    await assemble_in_s3(stores, upload_id)
    other = hashlib.sha256(b"another chunk").digest()
    document = manifests.Manifest(
        file_name="data.bin", file_size=len(_BODY), chunk_size=8 << 20, digests=other
    )
    lies = {
        "checksum": f"sha256:{other.hex()}",
        "manifest": json.loads(manifests.canonical(document)),
    }

    refused = await complete(client, upload_id, **{wrong: lies[wrong]})
    answer = await complete(client, upload_id)

    assert (refused.status_code, refused.json()["code"]) == (422, "checksum-mismatch")
    assert (answer.status_code, answer.json()["manifest"]["checksum"]) == (200, tree([_BODY]))


async def test_an_abandoned_abort_is_finished(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """The intent was committed before S3 was asked."""
    upload_id = await send_all(client, s3_http, [_BODY])
    await die_sealed(stores, upload_id, intent=Intent.ABORT)

    await take_over_uploads(stores)

    row = await row_of(stores.pool, upload_id)
    assert (row.phase, row.reason) == (Phase.FAILED, Reason.ABORTED)
    assert await _audit(stores) == ["upload.opened", "upload.aborted"]


async def test_a_takeover_that_finds_chunks_missing_reopens(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """The round does not end at it: the next abandoned upload is completed."""
    empty = await open_upload(client, 5)
    full = await send_all(client, s3_http, [_BODY])
    for upload_id in (empty, full):
        await die_sealed(stores, upload_id)

    taken = await take_over_uploads(stores)

    phases = [(await row_of(stores.pool, each)).phase for each in (empty, full)]
    assert (taken, phases) == (2, [Phase.UPLOADING, Phase.COMPLETED])


async def test_a_multipart_that_is_gone_begins_a_new_generation(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """The bucket's rule swept it: all chunks are asked for again, their digests stay."""
    upload_id = await send_all(client, s3_http, [_BODY])
    first = await row_of(stores.pool, upload_id)
    await abort_in_s3(stores, upload_id)

    refused = await complete(client, upload_id)
    seen = await status(client, upload_id)
    await send(client, s3_http, upload_id, {0: _BODY})
    second = await row_of(stores.pool, upload_id)
    answer = await complete(client, upload_id)

    assert (refused.status_code, refused.json()["missingChunks"]) == (409, [0])
    assert (seen["status"], seen["missingChunks"]) == ("UPLOADING", [0])
    assert (first.generation, second.generation) == (1, 2)
    assert second.multipart_id not in {None, first.multipart_id}
    assert answer.status_code == 200


@pytest.mark.parametrize("differs", ["token", "bytes", "size", "all"])
async def test_an_object_at_the_key_is_no_proof(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, differs: str
) -> None:
    """Each of token, root and size alone gives a decoy away.

    One with another token is somebody's and left as it was; one with ours is damaged, and removed.
    """
    upload_id = await send_all(client, s3_http, [_BODY])
    await die_sealed(stores, upload_id)
    decoy = await assemble_decoy(stores, await row_of(stores.pool, upload_id), _BODY, differs)
    await abort_in_s3(stores, upload_id)

    await take_over_uploads(stores)

    row = await row_of(stores.pool, upload_id)
    assert (row.phase, row.generation, row.multipart_id) == (Phase.UPLOADING, 2, None)
    assert await rows(stores.pool, "SELECT id FROM jobs") == []
    left = None if differs in {"bytes", "size"} else decoy
    assert await stores.bucket.facts(row.object_key) == left


async def test_a_decoy_that_is_all_alike_is_the_object(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """The other side of the test above: nothing but token, size and root tells them apart."""
    upload_id = await send_all(client, s3_http, [_BODY])
    await die_sealed(stores, upload_id)
    await assemble_decoy(stores, await row_of(stores.pool, upload_id), _BODY, "nothing")
    await abort_in_s3(stores, upload_id)

    await take_over_uploads(stores)

    assert (await row_of(stores.pool, upload_id)).phase is Phase.COMPLETED


async def test_a_decoy_in_the_way_is_never_taken_nor_replaced(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Our multipart is whole, S3 answers 412: nothing is lost, and without it we complete."""
    upload_id = await send_all(client, s3_http, [_BODY])
    decoy = await assemble_decoy(stores, await row_of(stores.pool, upload_id), _BODY, "token")

    refused = await complete(client, upload_id)
    row = await row_of(stores.pool, upload_id)
    kept = await stores.bucket.facts(row.object_key)
    await stores.bucket.delete(row.object_key)
    answer = await complete(client, upload_id)

    assert (refused.status_code, refused.json()["code"]) == (409, "key-taken")
    assert (row.phase, row.generation) == (Phase.UPLOADING, 1)
    assert kept == decoy
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("differs", "finding"),
    [("nothing", Finding.OURS), ("size", Finding.DAMAGED), ("token", Finding.FOREIGN)],
)
async def test_where_s3_shows_no_root_token_and_size_must_do(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    differs: str,
    finding: Finding,
) -> None:
    """The bytes are read afterwards; an object of another size is not even worth that."""
    upload_id = await send_all(client, s3_http, [_BODY])
    upload = await row_of(stores.pool, upload_id)
    await assemble_decoy(stores, upload, _BODY, differs)
    blind = stores._replace(capabilities=Capabilities(frozenset({Check.COMPOSITE_CHECKSUM})))

    found = await look(blind, upload, Content(upload.plan, hashlib.sha256(_BODY).digest()))

    assert found is finding
