"""What the tests of the API share: requests as a client sends them, and values to compare with."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

import httpx
from typing_extensions import override

import manifests
from coordinator.domain.errors import CoordinatorError
from coordinator.web.problems import STATUS

MIB: Final = 1024 * 1024
CHUNK: Final = 5 * MIB

# Well-formed, and never given to anybody.
NO_UPLOAD: Final = "upl_00000000000000000000000001"


class Like:
    """Equal to every text that matches the pattern."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and re.fullmatch(self._pattern, other) is not None

    @override
    def __hash__(self) -> int:
        return hash(self._pattern)

    @override
    def __repr__(self) -> str:
        return f"Like({self._pattern!r})"


TIME: Final = Like(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
UPLOAD_ID: Final = Like(r"upl_[0-9a-hjkmnp-tv-z]{26}")
JOB_ID: Final = Like(r"job_[0-9a-hjkmnp-tv-z]{26}")
TEXT: Final = Like(r".+")


def sha256(data: bytes) -> str:
    """Hash as clients do."""
    return hashlib.sha256(data).hexdigest()


def cut(data: bytes, size: int = CHUNK) -> list[bytes]:
    """Cut a file into its chunks; an empty one is one empty chunk."""
    return [data[at : at + size] for at in range(0, len(data), size)] or [b""]


def root_of(chunks: list[bytes]) -> str:
    """Compute the composite checksum."""
    return manifests.root(b"".join(hashlib.sha256(chunk).digest() for chunk in chunks))


def a_file(size_bytes: int, **changes: Any) -> dict[str, Any]:
    """Build a body for init."""
    body = {
        "fileName": "data.jsonl",
        "fileSize": size_bytes,
        "fileType": "application/jsonl",
        "chunkSize": CHUNK,
    }
    return {key: value for key, value in (body | changes).items() if value is not None}


async def opened(client: httpx.AsyncClient, size_bytes: int, **changes: Any) -> str:
    """Open an upload and return its id."""
    answer = await client.post("/api/upload/init", json=a_file(size_bytes, **changes))
    assert answer.status_code == 201, answer.text
    upload_id: str = answer.json()["uploadId"]
    return upload_id


async def signed(
    client: httpx.AsyncClient, upload_id: str, chunks: Mapping[int, bytes], **more: Any
) -> list[dict[str, Any]]:
    """Sign chunks and return the entries of the answer."""
    asked = [{"chunkIndex": index, "sha256": sha256(data)} for index, data in chunks.items()]
    answer = await client.post(
        "/api/upload/urls", json={"uploadId": upload_id, "chunks": asked, **more}
    )
    assert answer.status_code == 200, answer.text
    entries: list[dict[str, Any]] = answer.json()["chunks"]
    return entries


async def sent(
    client: httpx.AsyncClient, s3: httpx.AsyncClient, upload_id: str, chunks: Mapping[int, bytes]
) -> None:
    """Put chunks into S3, without reporting them."""
    for entry in await signed(client, upload_id, chunks, force=True):
        put = await s3.put(
            entry["url"], headers=entry["headers"], content=chunks[entry["chunkIndex"]]
        )
        assert put.status_code == 200, put.status_code


async def complete(client: httpx.AsyncClient, upload_id: str, **more: Any) -> httpx.Response:
    """Ask for completion."""
    return await client.post("/api/upload/complete", json={"uploadId": upload_id, **more})


async def completed(
    client: httpx.AsyncClient, s3: httpx.AsyncClient, data: bytes, **changes: Any
) -> str:
    """Upload a whole file and return its upload's id."""
    upload_id = await opened(client, len(data), **changes)
    await sent(client, s3, upload_id, dict(enumerate(cut(data))))
    answer = await complete(client, upload_id)
    assert answer.status_code == 200, answer.text
    return upload_id


def problem(refusal: type[CoordinatorError], **facts: Any) -> dict[str, Any]:
    """Build the whole problem document that a refusal must be answered with."""
    status, title = STATUS[refusal]
    return {
        "type": f"urn:upload-coordinator:problem:{refusal.code}",
        "title": title,
        "status": status,
        "detail": TEXT,
        "code": refusal.code,
        "requestId": Like("[0-9a-f]{32}"),
        **facts,
    }
