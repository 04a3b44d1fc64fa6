"""``POST /api/upload/urls``."""

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from coordinator.domain.errors import DigestConflictError, InvalidFieldError, WrongPhaseError
from coordinator.settings import Settings
from tests.localstack import S3Address
from tests.web.driving import (
    CHUNK,
    MIB,
    TEXT,
    TIME,
    completed,
    opened,
    problem,
    sent,
    sha256,
    signed,
)

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_URLS = "/api/upload/urls"


def _asked(upload_id: str, *digests: tuple[int, str], **more: object) -> dict[str, object]:
    chunks = [{"chunkIndex": index, "sha256": digest} for index, digest in digests]
    return {"uploadId": upload_id, "chunks": chunks, **more}


async def test_a_chunk_is_answered_with_all_that_the_client_must_send(
    client: httpx.AsyncClient, s3_server: S3Address, settings: Settings, tenant: str
) -> None:
    """Only the sha256 is bound to the headers: never to the query, where S3 ignores it."""
    data = b"the last chunk"
    upload_id = await opened(client, CHUNK + len(data))

    answer = await client.post(_URLS, json=_asked(upload_id, (1, sha256(data))))

    assert (answer.status_code, answer.json()) == (
        200,
        {
            "uploadId": upload_id,
            "chunks": [
                {
                    "chunkIndex": 1,
                    "method": "PUT",
                    "url": TEXT,
                    "headers": {
                        "x-amz-checksum-sha256": base64.b64encode(
                            hashlib.sha256(data).digest()
                        ).decode(),
                        "x-amz-sdk-checksum-algorithm": "SHA256",
                    },
                    "size": len(data),
                    "urlExpiresAt": TIME,
                }
            ],
        },
    )
    url = urlsplit(answer.json()["chunks"][0]["url"])
    assert f"{url.scheme}://{url.netloc}" == s3_server.s3_endpoint
    assert (
        url.path == f"/{s3_server.s3_bucket}/{settings.s3_prefix}/{tenant}/{upload_id}/data.jsonl"
    )
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert set(query) == {
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
        "partNumber",
        "uploadId",
    }
    assert (query["partNumber"], query["X-Amz-Expires"]) == ("2", "3600")
    assert query["X-Amz-SignedHeaders"] == (
        "content-length;host;x-amz-checksum-sha256;x-amz-sdk-checksum-algorithm"
    )


async def test_a_thousand_chunks_are_signed_in_the_order_asked_for(
    client: httpx.AsyncClient,
) -> None:
    """One request signs as many as fit; the client finds its chunks by position."""
    upload_id = await opened(client, 1_000 * CHUNK)
    indexes = list(reversed(range(1_000)))

    answer = await client.post(_URLS, json=_asked(upload_id, *((i, "ab" * 32) for i in indexes)))

    assert answer.status_code == 200
    entries = answer.json()["chunks"]
    assert [entry["chunkIndex"] for entry in entries] == indexes
    assert {entry["size"] for entry in entries} == {CHUNK}


async def test_signing_makes_an_upload_uploading(client: httpx.AsyncClient) -> None:
    """INIT says that nothing was signed yet."""
    upload_id = await opened(client, 3)

    await signed(client, upload_id, {0: b"abc"})

    status = (await client.get(f"/api/upload/status/{upload_id}")).json()["status"]
    assert status == "UPLOADING"


async def test_a_reported_chunk_gets_no_url_unless_forced(client: httpx.AsyncClient) -> None:
    """Nothing needs to be sent twice; but a client that knows better may insist."""
    upload_id = await opened(client, 3)
    await signed(client, upload_id, {0: b"abc"})
    await client.post("/api/upload/chunk", json={"uploadId": upload_id, "chunkIndex": 0})

    plain = await signed(client, upload_id, {0: b"abc"})
    forced = await signed(client, upload_id, {0: b"abc"}, force=True)

    assert plain == [{"chunkIndex": 0, "status": "already_uploaded"}]
    assert [sorted(entry) for entry in forced] == [
        ["chunkIndex", "headers", "method", "size", "url", "urlExpiresAt"]
    ]


async def test_another_digest_for_a_chunk_is_a_conflict_that_names_the_chunks(
    client: httpx.AsyncClient,
) -> None:
    """The first digest is final, forced or not; chunks that agree are not signed either."""
    upload_id = await opened(client, 2 * CHUNK + 1)
    before = _asked(upload_id, (0, "00" * 32), (1, "11" * 32))
    assert (await client.post(_URLS, json=before)).status_code == 200

    for force in (False, True):
        changed = _asked(upload_id, (2, "22" * 32), (1, "ff" * 32), (0, "00" * 32), force=force)
        answer = await client.post(_URLS, json=changed)

        assert (answer.status_code, answer.json()) == (
            409,
            problem(DigestConflictError, field="chunks", chunks=[1]),
        )
    known = (await client.get(f"/api/uploads/{upload_id}/manifest")).json()["chunks"]
    assert known == [
        {"chunkIndex": 0, "sha256": "00" * 32},
        {"chunkIndex": 1, "sha256": "11" * 32},
    ]


async def test_signing_the_same_digest_again_is_harmless(client: httpx.AsyncClient) -> None:
    """URLs end: a slow client signs its chunks again."""
    upload_id = await opened(client, 3)

    first, second = [await signed(client, upload_id, {0: b"abc"}) for _ in "ab"]

    assert first[0]["headers"] == second[0]["headers"]


async def test_an_index_behind_the_last_chunk_is_refused(client: httpx.AsyncClient) -> None:
    """The field says which entry of the list."""
    upload_id = await opened(client, 8 * MIB)

    answer = await client.post(_URLS, json=_asked(upload_id, (1, "ab" * 32), (2, "ab" * 32)))

    assert (answer.status_code, answer.json()) == (
        422,
        problem(InvalidFieldError, field="chunks[1].chunkIndex"),
    )


async def test_a_completed_upload_is_signed_no_more(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """Its chunk list is frozen."""
    upload_id = await completed(client, s3_http, b"abc")

    answer = await client.post(_URLS, json=_asked(upload_id, (0, sha256(b"abc"))))

    assert (answer.status_code, answer.json()) == (
        409,
        problem(WrongPhaseError, phase="COMPLETED", reason=None),
    )


async def test_bytes_that_differ_from_their_digest_are_refused_by_s3(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """The chunk is then absent, and a right one goes in by the same URL."""
    upload_id = await opened(client, 3)
    (entry,) = await signed(client, upload_id, {0: b"abc"})

    wrong = await s3_http.put(entry["url"], headers=entry["headers"], content=b"abd")

    assert wrong.status_code == 400
    status = f"/api/upload/status/{upload_id}"
    assert (await client.get(status, params={"verify": True})).json()["missingChunks"] == [0]
    await sent(client, s3_http, upload_id, {0: b"abc"})
    assert (await client.get(status, params={"verify": True})).json()["missingChunks"] == []
