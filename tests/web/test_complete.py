"""``POST /api/upload/complete``."""

import hashlib
import json

import httpx
import pytest

import manifests
from coordinator.adapters.stores import Stores
from coordinator.domain.errors import (
    ChecksumConflictError,
    ChecksumMismatchError,
    InvalidFieldError,
    PartsMissingError,
    WrongPhaseError,
)
from coordinator.domain.ids import UPLOAD, decode
from coordinator.operations.verify_object import verify_object
from coordinator.settings import Settings
from tests.localstack import S3Address
from tests.web.driving import (
    CHUNK,
    JOB_ID,
    complete,
    cut,
    opened,
    problem,
    root_of,
    sent,
    sha256,
    signed,
)

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_FILE = b"a" * CHUNK + b"tail"
_WHOLE = f"sha256:{sha256(_FILE)}"
_ROOT = root_of(cut(_FILE))


async def _uploaded(client: httpx.AsyncClient, s3: httpx.AsyncClient) -> str:
    upload_id = await opened(client, len(_FILE))
    await sent(client, s3, upload_id, dict(enumerate(cut(_FILE))))
    return upload_id


async def test_completion_answers_what_was_proven_and_answers_it_again(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    s3_server: S3Address,
    settings: Settings,
    tenant: str,
) -> None:
    """A client that lost the answer repeats the request: nothing happens twice."""
    upload_id = await _uploaded(client, s3_http)

    answers = [await complete(client, upload_id) for _ in "ab"]

    path = f"{settings.s3_prefix}/{tenant}/{upload_id}/data.jsonl"
    expected = {
        "uploadId": upload_id,
        "status": "completed",
        "filePath": path,
        "location": f"s3://{s3_server.s3_bucket}/{path}",
        "message": "Upload completed successfully, AI processing initiated",
        "manifest": {"root": _ROOT, "chunks": 2, "checksum": f"sha256-tree:{_ROOT}"},
        "aiPipeline": {
            "status": "initiated",
            "estimatedTime": None,
            "jobs": [{"jobId": JOB_ID, "kind": "generate_metadata", "status": "queued"}],
        },
    }
    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, expected)] * 2
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize("data", [b"", b"x"])
async def test_the_smallest_files_complete(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, data: bytes
) -> None:
    """An empty file is one empty chunk. Of one chunk the whole sha256 is proven at once."""
    upload_id = await opened(client, len(data), checksum=f"sha256:{sha256(data)}")
    await sent(client, s3_http, upload_id, {0: data})

    answer = await complete(client, upload_id)

    assert (answer.status_code, answer.json()["manifest"]) == (
        200,
        {"root": root_of([data]), "chunks": 1, "checksum": f"sha256:{sha256(data)}"},
    )


async def test_missing_chunks_are_named_and_the_upload_stays_open(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """S3 decides, not what was reported."""
    upload_id = await opened(client, len(_FILE))
    await sent(client, s3_http, upload_id, {0: cut(_FILE)[0]})
    await signed(client, upload_id, {1: b"tail"})
    both = [{"chunkIndex": 0}, {"chunkIndex": 1}]
    await client.post("/api/upload/chunk", json={"uploadId": upload_id, "chunks": both})

    answer = await complete(client, upload_id)

    assert (answer.status_code, answer.json()) == (
        409,
        problem(PartsMissingError, missingChunks=[1]),
    )
    status = (await client.get(f"/api/upload/status/{upload_id}")).json()
    assert (status["status"], status["missingChunks"]) == ("UPLOADING", [1])
    await sent(client, s3_http, upload_id, {1: b"tail"})
    assert (await complete(client, upload_id)).status_code == 200


async def test_a_wrong_tree_is_a_mismatch_and_leaves_the_upload_open(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """Nothing is assembled that is not what was declared; the right one completes it."""
    upload_id = await _uploaded(client, s3_http)
    wrong = f"sha256-tree:{root_of([b'other', b'tail'])}"

    answer = await complete(client, upload_id, checksum=wrong)

    assert (answer.status_code, answer.json()) == (422, problem(ChecksumMismatchError, chunks=[]))
    right = await complete(client, upload_id, checksum=f"sha256-tree:{_ROOT}")
    assert right.status_code == 200


async def test_a_manifest_that_differs_names_the_chunks(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """A client may send its manifest along, to be compared chunk by chunk."""
    upload_id = await _uploaded(client, s3_http)

    def document(*chunks: bytes) -> dict[str, object]:
        made = manifests.Manifest(
            file_name="data.jsonl",
            file_size=len(_FILE),
            chunk_size=CHUNK,
            digests=b"".join(hashlib.sha256(chunk).digest() for chunk in chunks),
            sha256=None,
        )
        read: dict[str, object] = json.loads(manifests.canonical(made))
        return read

    wrong = await complete(client, upload_id, manifest=document(cut(_FILE)[0], b"liat"))
    right = await complete(client, upload_id, manifest=document(*cut(_FILE)))

    assert (wrong.status_code, wrong.json()) == (422, problem(ChecksumMismatchError, chunks=[1]))
    assert right.status_code == 200


async def test_a_manifest_that_is_none_is_refused_with_its_place(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """The format's own code says what is wrong with it."""
    upload_id = await _uploaded(client, s3_http)

    answer = await complete(client, upload_id, manifest={"format": "another"})

    assert (answer.status_code, answer.json()["code"]) == (422, InvalidFieldError.code)
    assert answer.json()["field"].startswith("manifest")
    assert answer.json()["manifestCode"]


async def test_another_checksum_than_at_init_is_a_conflict(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """What was declared first stands."""
    upload_id = await opened(client, 3, checksum=f"sha256:{sha256(b'abc')}")
    await sent(client, s3_http, upload_id, {0: b"abc"})

    answer = await complete(client, upload_id, checksum=f"sha256:{sha256(b'abd')}")

    assert (answer.status_code, answer.json()) == (
        409,
        problem(ChecksumConflictError, field="checksum"),
    )


@pytest.mark.parametrize("at_init", [True, False])
async def test_a_whole_sha256_of_many_chunks_waits_for_a_worker(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, *, at_init: bool
) -> None:
    """S3 has no sha256 of a whole multipart object: 202 until a worker has read it."""
    upload_id = await opened(client, len(_FILE), checksum=_WHOLE if at_init else None)
    await sent(client, s3_http, upload_id, dict(enumerate(cut(_FILE))))
    declared = {} if at_init else {"checksum": _WHOLE}

    early = [await complete(client, upload_id, **declared) for _ in "ab"]
    refused = await client.get(f"/api/uploads/{upload_id}/download")
    known = decode(UPLOAD, upload_id)
    assert known is not None
    await verify_object(stores, known)
    late = await complete(client, upload_id, **declared)

    assembling = {
        "uploadId": upload_id,
        "status": "assembling",
        "statusUrl": f"/api/upload/status/{upload_id}",
    }
    assert [(answer.status_code, answer.json()) for answer in early] == [(202, assembling)] * 2
    assert refused.json() == problem(WrongPhaseError, phase="ASSEMBLING", reason=None)
    assert (late.status_code, late.json()["manifest"]) == (
        200,
        {"root": _ROOT, "chunks": 2, "checksum": _WHOLE},
    )


async def test_a_whole_sha256_that_is_not_the_objects_fails_the_upload(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """It never was downloadable, and completing it again says why."""
    upload_id = await opened(client, len(_FILE), checksum=f"sha256:{'0' * 64}")
    await sent(client, s3_http, upload_id, dict(enumerate(cut(_FILE))))
    assert (await complete(client, upload_id)).status_code == 202
    known = decode(UPLOAD, upload_id)
    assert known is not None
    await verify_object(stores, known)

    answer = await complete(client, upload_id)
    status = (await client.get(f"/api/upload/status/{upload_id}")).json()

    assert (answer.status_code, answer.json()) == (422, problem(ChecksumMismatchError, chunks=[]))
    assert (status["status"], status["reason"]) == ("FAILED", "checksum-mismatch")
    assert status["aiPipeline"]["status"] == "none"


async def test_a_part_of_other_bytes_is_named(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """A file of one chunk whose declared sha256 is another: chunk 0 is what differs."""
    upload_id = await opened(client, 3)
    await sent(client, s3_http, upload_id, {0: b"abc"})

    answer = await complete(client, upload_id, checksum=f"sha256:{sha256(b'abd')}")

    assert (answer.status_code, answer.json()) == (422, problem(ChecksumMismatchError, chunks=[0]))
