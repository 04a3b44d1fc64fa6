"""S3, one bucket of it, through aiobotocore.

Rule: nothing here retries CompleteMultipartUpload; whoever calls it settles a lost answer by proof.
The whole retry budget stands here: what may be repeated is tried three times within 40 s, complete
once within its deadline, and nobody above tries again, but for the list that S3 refused (once).
"""

import asyncio
import base64
import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

import msgspec
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import ClientError

from coordinator import points
from coordinator.adapters import clock
from coordinator.adapters.s3_answers import MultipartGoneError, refusals
from coordinator.domain import sigv4
from coordinator.domain.assembly import AssemblyPart, ListedPart
from coordinator.domain.errors import StoreRefusedError
from coordinator.domain.plan import Plan
from coordinator.telemetry import timed_s3

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef, ListPartsRequestTypeDef

TOKEN: Final = "upload-token"  # noqa: S105 - the name of the metadata entry

_PAGE: Final = 1_000
_TRIES: Final = 3
_CONNECT_SECONDS: Final = 5
_READ_SECONDS: Final = 15
_TOTAL_SECONDS: Final = 40  # of one call, all its tries


class BucketOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where the bucket is and how it is addressed; an empty endpoint means AWS."""

    name: str
    endpoint: str
    public_endpoint: str
    path_addressing: bool
    complete_seconds: int


class ObjectFacts(msgspec.Struct, frozen=True):
    """What HeadObject says of an object: enough to prove that it is an upload's."""

    token: str | None
    size_bytes: int
    root: str | None


class TooLateError(Exception):
    """The lease is too old to begin what must end within it."""


class _Clients(NamedTuple):
    usual: "S3Client"  # retries what may be repeated
    once: "S3Client"  # for the call that must not be
    public: "S3Client"  # signs addresses as clients reach them; calls nothing


class Bucket:
    """One bucket. Opened and closed by :func:`open_bucket`."""

    def __init__(self, clients: _Clients, session: AioSession, options: BucketOptions) -> None:
        self._s3, self._once, self._public_s3 = clients
        self._session = session
        self._options = options
        self.name = options.name
        self.region = clients.usual.meta.region_name
        endpoint = options.public_endpoint or options.endpoint
        self.public = sigv4.Target(
            endpoint=endpoint or sigv4.aws_endpoint(self.region),
            bucket=options.name,
            region=self.region,
            path_addressing=options.path_addressing,
        )

    async def credentials(self) -> sigv4.Credentials:
        """Return the credentials to sign with, refreshed by botocore when they are about to end.

        Raises:
            StoreRefusedError: botocore's chain finds none.

        """
        found = await self._session.get_credentials()
        if found is None:
            raise StoreRefusedError("No AWS credentials are configured.")
        frozen = await found.get_frozen_credentials()
        if frozen.access_key is None or frozen.secret_key is None:
            raise StoreRefusedError("The AWS credentials that are configured are incomplete.")
        return sigv4.Credentials(
            access_key=frozen.access_key,
            secret_key=frozen.secret_key,
            session_token=frozen.token,
            # botocore has no public name for it.
            expires_at=getattr(found, "_expiry_time", None),
        )

    async def create_multipart(self, key: str, *, token: str, file_type: str) -> str:
        """Open a multipart whose parts must carry a SHA-256 each, and return S3's id of it."""
        async with _calling("CreateMultipartUpload"):
            answer = await self._s3.create_multipart_upload(
                Bucket=self.name,
                Key=key,
                ContentType=file_type,
                ChecksumAlgorithm="SHA256",
                ChecksumType="COMPOSITE",
                Metadata={TOKEN: token},
            )
        return answer["UploadId"]

    async def list_parts(self, key: str, multipart_id: str, plan: Plan) -> list[ListedPart]:
        """List the parts, in slices of 1,000 side by side.

        Each slice follows the markers until it is past its own last number, since a server may
        answer pages that are shorter or longer than asked for, or list a part twice.

        Raises:
            MultipartGoneError: S3 knows no such multipart.

        """
        starts = range(0, plan.chunk_count, _PAGE)
        slices = [self._list_slice(key, multipart_id, first) for first in starts]
        return [part for found in await asyncio.gather(*slices) for part in found]

    async def _list_slice(self, key: str, multipart_id: str, first: int) -> list[ListedPart]:
        found: list[ListedPart] = []
        marker, last = first, first + _PAGE
        while marker < last:
            request: ListPartsRequestTypeDef = {
                "Bucket": self.name,
                "Key": key,
                "UploadId": multipart_id,
                "MaxParts": _PAGE,
                "PartNumberMarker": marker,
            }
            async with _calling("ListParts"):
                page = await self._s3.list_parts(**request)
            for part in page.get("Parts", []):
                if first < part["PartNumber"] <= last:
                    shown = part.get("ChecksumSHA256")
                    found.append(
                        ListedPart(
                            number=part["PartNumber"],
                            etag=part["ETag"].strip('"'),
                            size_bytes=part["Size"],
                            sha256=base64.b64decode(shown) if shown else None,
                        )
                    )
            following = int(page.get("NextPartNumberMarker") or 0)
            if not page.get("IsTruncated") or following <= marker:
                break
            marker = following
        return found

    async def complete(
        self,
        key: str,
        multipart_id: str,
        parts: Sequence[AssemblyPart],
        *,
        size_bytes: int,
        start_by: float = math.inf,
    ) -> str | None:
        """Assemble the object, in one attempt, and return the composite checksum S3 answers.

        ``None`` means that S3 did not say; ask :meth:`facts`. ``start_by`` is a time of
        ``clock.elapsed()`` after which nothing is sent any more: the process may have been stopped.

        Raises:
            TooLateError: ``start_by`` has passed; nothing was sent.
            BadPartsError: the list was refused; nothing was assembled.
            MultipartGoneError: there is no such multipart; it may have been completed before.
            ConflictError: S3 wants the parts again, in a new multipart.
            ObjectExistsError: an object stands at the key already.
            BusyError: S3 did nothing, for it is asked too often.
            TimeoutError: no answer within the deadline; it may have been assembled all the same.

        """
        named: list[CompletedPartTypeDef] = [
            {
                "PartNumber": part.number,
                "ETag": part.etag,
                "ChecksumSHA256": base64.b64encode(part.sha256).decode(),
            }
            for part in parts
        ]
        async with _calling("CompleteMultipartUpload", self._options.complete_seconds):
            if clock.elapsed() >= start_by:
                raise TooLateError
            points.passed("before-complete")
            answer = await self._once.complete_multipart_upload(
                Bucket=self.name,
                Key=key,
                UploadId=multipart_id,
                MultipartUpload={"Parts": named},
                MpuObjectSize=size_bytes,
                IfNoneMatch="*",
            )
        return answer.get("ChecksumSHA256")

    async def facts(self, key: str) -> ObjectFacts | None:
        """Look at the object with HeadObject; ``None`` when there is none."""
        async with _calling("HeadObject"):
            try:
                head = await self._s3.head_object(Bucket=self.name, Key=key, ChecksumMode="ENABLED")
            except ClientError as exc:
                if exc.response["Error"]["Code"] in {"404", "NoSuchKey"}:
                    return None
                raise
        return ObjectFacts(
            head["Metadata"].get(TOKEN), head["ContentLength"], head.get("ChecksumSHA256")
        )

    async def abort(self, key: str, multipart_id: str, plan: Plan) -> None:
        """Abort until S3 lists nothing: a part that was in flight may arrive in between."""
        while True:
            try:
                async with _calling("AbortMultipartUpload"):
                    await self._s3.abort_multipart_upload(
                        Bucket=self.name, Key=key, UploadId=multipart_id
                    )
                if not await self.list_parts(key, multipart_id, plan):
                    return
            except MultipartGoneError:
                return

    async def put(self, key: str, body: bytes, *, file_type: str) -> None:
        """Write a small object, S3 checking its SHA-256."""
        async with _calling("PutObject"):
            await self._s3.put_object(
                Bucket=self.name,
                Key=key,
                Body=body,
                ContentType=file_type,
                ChecksumAlgorithm="SHA256",
            )

    async def read(self, key: str, *, first: int, length: int) -> bytes:
        """Read a range of an object into memory."""
        async with _calling("GetObject"):
            answer = await self._s3.get_object(
                Bucket=self.name, Key=key, Range=f"bytes={first}-{first + length - 1}"
            )
            return await answer["Body"].read()

    async def delete(self, key: str) -> None:
        """Delete an object; none is fine."""
        async with _calling("DeleteObject"):
            await self._s3.delete_object(Bucket=self.name, Key=key)

    async def check(self) -> None:
        """Ask S3 for the bucket, for readiness."""
        async with _calling("HeadBucket"):
            await self._once.head_bucket(Bucket=self.name)

    async def presign_get(self, key: str, *, file_name: str, lifetime: timedelta) -> str:
        """Sign a GET that downloads as ``file_name`` (RFC 6266; RFC 8187 for other scripts)."""
        plain = file_name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_")
        disposition = (
            f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"
        )
        return await self._public_s3.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self.name,
                "Key": key,
                "ResponseContentDisposition": disposition,
                "ResponseContentType": "application/octet-stream",
            },
            ExpiresIn=int(lifetime.total_seconds()),
        )


def _config(*, path_addressing: bool, tries: int) -> AioConfig:
    addressing: Mapping[str, str] = {"addressing_style": "path" if path_addressing else "virtual"}
    return AioConfig(
        signature_version="s3v4",
        s3=dict(addressing),
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": tries},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        max_pool_connections=50,
    )


@asynccontextmanager
async def _calling(operation: str, seconds: float = _TOTAL_SECONDS) -> AsyncGenerator[None]:
    """Measure one call, all its tries, bound it, and name S3's refusals."""
    with timed_s3(operation), refusals():
        async with asyncio.timeout(seconds):
            yield


@asynccontextmanager
async def open_bucket(options: BucketOptions) -> AsyncGenerator[Bucket]:
    """Open the clients."""
    session = get_session()
    usual = _config(path_addressing=options.path_addressing, tries=_TRIES)
    once = _config(path_addressing=options.path_addressing, tries=1).merge(
        AioConfig(read_timeout=options.complete_seconds)
    )
    internal = options.endpoint or None
    public = options.public_endpoint or internal
    async with (
        session.create_client("s3", endpoint_url=internal, config=usual) as s3,
        session.create_client("s3", endpoint_url=internal, config=once) as single,
        session.create_client("s3", endpoint_url=public, config=once) as outer,
    ):
        yield Bucket(_Clients(s3, single, outer), session, options)
