"""What one would write without a signer: an endpoint that asks botocore for each URL.

It has no key to check and no store to ask, which is in its favour.
"""

import os
from base64 import b64encode
from typing import Any, Final

import msgspec
from botocore.config import Config
from botocore.session import Session
from litestar import Litestar, get, post

_LIFETIME_SECONDS: Final = 3_600
_CHUNK_BYTES: Final = 8 * 2**20


class Chunk(msgspec.Struct, rename="camel"):
    """A chunk to sign."""

    chunk_index: int
    sha256: str


class UrlsRequest(msgspec.Struct, rename="camel"):
    """The coordinator's request."""

    upload_id: str
    chunks: list[Chunk]


class ChunkUrl(msgspec.Struct, rename="camel"):
    """The coordinator's answer for a chunk."""

    chunk_index: int
    method: str
    url: str
    headers: dict[str, str]
    size: int
    url_expires_at: str


class UrlsAnswer(msgspec.Struct, rename="camel"):
    """The coordinator's answer."""

    upload_id: str
    chunks: list[ChunkUrl]


def create_app() -> Litestar:
    """Build the endpoint from the settings of a service; uvicorn calls this."""
    bucket = os.environ["COORDINATOR_S3_BUCKET"]
    s3: Any = Session().create_client(
        "s3",
        endpoint_url=os.environ["COORDINATOR_S3_ENDPOINT"],
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )

    def signed(upload_id: str, chunk: Chunk) -> ChunkUrl:
        checksum = b64encode(bytes.fromhex(chunk.sha256)).decode()
        parameters = {
            "Bucket": bucket,
            "Key": f"datasets/default/{upload_id}/train.jsonl",
            "UploadId": "m" * 64,
            "PartNumber": chunk.chunk_index + 1,
            "ContentLength": _CHUNK_BYTES,
            "ChecksumSHA256": checksum,
            "ChecksumAlgorithm": "SHA256",
        }
        return ChunkUrl(
            chunk.chunk_index,
            "PUT",
            s3.generate_presigned_url("upload_part", parameters, _LIFETIME_SECONDS),
            {"x-amz-checksum-sha256": checksum, "x-amz-sdk-checksum-algorithm": "SHA256"},
            _CHUNK_BYTES,
            "2026-01-01T12:00:00.000Z",
        )

    @post("/api/upload/urls", status_code=200, sync_to_thread=False)
    def urls(data: UrlsRequest) -> UrlsAnswer:
        return UrlsAnswer(data.upload_id, [signed(data.upload_id, chunk) for chunk in data.chunks])

    @get("/readyz", sync_to_thread=False)
    def readyz() -> None:
        """Say that it is there."""

    return Litestar([urls, readyz], openapi_config=None, logging_config=None)
