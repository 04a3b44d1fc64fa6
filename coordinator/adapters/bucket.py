"""S3, one bucket of it, through aiobotocore.

Rule: nothing here retries CompleteMultipartUpload; whoever calls it settles a lost answer by proof.
"""

import asyncio
import base64
import math
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec
from botocore.exceptions import ClientError

from coordinator import points
from coordinator.adapters import clock, s3_listing, s3_versions
from coordinator.adapters.s3_answers import MultipartGoneError
from coordinator.adapters.s3_clients import BucketOptions, Clients, calling, open_clients
from coordinator.domain import sigv4
from coordinator.domain.assembly import AssemblyPart, ListedPart
from coordinator.domain.errors import StoreRefusedError, UnavailableError
from coordinator.domain.plan import Plan

if TYPE_CHECKING:
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef

__all__ = ["TOKEN", "Bucket", "BucketOptions", "ObjectFacts", "TooLateError", "open_bucket"]

TOKEN: Final = "upload-token"  # noqa: S105 - the name of the metadata entry

_SHORTEST: Final = timedelta(seconds=1)
_PART_SECONDS: Final = 300.0

_ABORT_PAUSES: Final = (0.0, 0.05, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)


class ObjectFacts(msgspec.Struct, frozen=True):
    """What HeadObject says of an object: enough to prove that it is an upload's."""

    token: str | None
    size_bytes: int
    root: str | None

    def may_be(self, size_bytes: int, root: str) -> bool:
        """Say whether it is as large, and has the same root as far as S3 knows one."""
        return self.size_bytes == size_bytes and self.root in {None, root}


class TooLateError(Exception):
    """The lease is too old to begin what must end within it."""


class Bucket:
    """One bucket. Opened and closed by :func:`open_bucket`."""

    def __init__(self, clients: Clients, options: BucketOptions) -> None:
        self._session, self._s3, self._once, self._public_s3, self._clock = clients
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

    async def ready_to_sign(self) -> tuple[sigv4.Credentials, datetime]:
        """Return credentials and time to sign with; S3 is asked only where its time is not known.

        Raises:
            StoreRefusedError: there are no credentials.
            ClockOffError: the host's clock is so wrong that S3 would refuse the signature.
            UnavailableError: the credentials are about to end, and no others were found.

        """
        credentials = await self.credentials()
        at = await self._clock.agreed(lambda: self._once.head_bucket(Bucket=self.name))
        if credentials.expires_at is not None and credentials.expires_at <= at + _SHORTEST:
            raise UnavailableError("The service's AWS credentials are about to end. Try again.")
        return credentials, at

    async def create_multipart(self, key: str, *, token: str, file_type: str) -> str:
        """Open a multipart whose parts must carry a SHA-256 each, and return S3's id of it."""
        async with calling("CreateMultipartUpload"):
            answer = await self._s3.create_multipart_upload(
                Bucket=self.name,
                Key=key,
                ContentType=file_type,
                ChecksumAlgorithm="SHA256",
                ChecksumType="COMPOSITE",
                Metadata={TOKEN: token},
            )
        return answer["UploadId"]

    async def upload_part(
        self, key: str, multipart_id: str, *, number: int, body: bytes, sha256: bytes
    ) -> str:
        """Send a part of an object that is ours to write, and return its ETag.

        Raises:
            MultipartGoneError: S3 knows no such multipart.

        """
        async with calling("UploadPart", _PART_SECONDS):
            answer = await self._s3.upload_part(
                Bucket=self.name,
                Key=key,
                UploadId=multipart_id,
                PartNumber=number,
                Body=body,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=base64.b64encode(sha256).decode(),
            )
        return answer["ETag"]

    async def list_parts(self, key: str, multipart_id: str, plan: Plan) -> list[ListedPart]:
        """List the parts that S3 holds.

        Raises:
            MultipartGoneError: S3 knows no such multipart.

        """
        return await s3_listing.list_parts(self._s3, self.name, key, multipart_id, plan)

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
        async with calling("CompleteMultipartUpload", self._options.complete_seconds):
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
        async with calling("HeadObject"):
            try:
                head = await self._s3.head_object(Bucket=self.name, Key=key, ChecksumMode="ENABLED")
            except ClientError as exc:
                if exc.response["Error"]["Code"] in {"404", "NoSuchKey"}:
                    return None
                raise
        return ObjectFacts(
            head["Metadata"].get(TOKEN), head["ContentLength"], head.get("ChecksumSHA256")
        )

    async def abort(self, key: str, multipart_id: str) -> None:
        """Abort until S3 lists nothing: a part that was in flight may arrive in between.

        Raises:
            TimeoutError: S3 listed parts after every abort, for 15 s.

        """
        for pause in _ABORT_PAUSES:
            await asyncio.sleep(pause)
            try:
                async with calling("AbortMultipartUpload"):
                    await self._s3.abort_multipart_upload(
                        Bucket=self.name, Key=key, UploadId=multipart_id
                    )
                if not await s3_listing.has_parts(self._s3, self.name, key, multipart_id):
                    return
            except MultipartGoneError:
                return
        raise TimeoutError("S3 goes on listing parts of a multipart that is aborted")

    def list_multiparts(
        self, prefix: str, *, page_size: int = 1_000
    ) -> AsyncIterator[list[s3_listing.Listed]]:
        """List the multiparts under ``prefix``, page by page; some may be gone already."""
        return s3_listing.list_multiparts(self._s3, self.name, prefix, page_size=page_size)

    def list_objects(self, prefix: str) -> AsyncIterator[list[s3_listing.Listed]]:
        """List the objects under ``prefix``, page by page."""
        return s3_listing.list_objects(self._s3, self.name, prefix)

    async def put(self, key: str, body: bytes, *, file_type: str, token: str | None = None) -> None:
        """Write a small object, S3 checking its SHA-256; ``token`` marks whose it is."""
        async with calling("PutObject"):
            await self._s3.put_object(
                Bucket=self.name,
                Key=key,
                Body=body,
                ContentType=file_type,
                ChecksumAlgorithm="SHA256",
                Metadata={} if token is None else {TOKEN: token},
            )

    async def put_first(self, key: str, body: bytes, *, file_type: str) -> None:
        """Write a small object where none is; a server may ignore the condition: read it back.

        Raises:
            ObjectExistsError: there is one already.
            ConflictError: another one is being written at this moment.

        """
        async with calling("PutObject"):
            await self._s3.put_object(
                Bucket=self.name, Key=key, Body=body, ContentType=file_type, IfNoneMatch="*"
            )

    async def read(self, key: str, *, first: int, length: int) -> bytes:
        """Read a range of an object into memory."""
        async with calling("GetObject"):
            answer = await self._s3.get_object(
                Bucket=self.name, Key=key, Range=f"bytes={first}-{first + length - 1}"
            )
            return await answer["Body"].read()

    async def delete(self, key: str) -> None:
        """Delete an object; none is fine."""
        async with calling("DeleteObject"):
            await self._s3.delete_object(Bucket=self.name, Key=key)

    def list_versions(
        self, prefix: str, *, page_size: int = 1_000
    ) -> AsyncIterator[list[s3_versions.Version]]:
        """List all versions and delete markers under ``prefix``, page by page."""
        return s3_versions.list_versions(self._s3, self.name, prefix, page_size=page_size)

    async def delete_version(self, version: s3_versions.Version) -> None:
        """Delete a version for good. Raises StoreRefusedError where S3 keeps it."""
        await s3_versions.delete_version(self._s3, self.name, version)

    async def tag(self, key: str, name: str, value: str) -> None:
        """Tag an object, in place of its tags. Raises ObjectGoneError where there is none."""
        await s3_versions.tag(self._s3, self.name, key, name, value)

    async def check(self) -> None:
        """Ask S3 for the bucket, for readiness."""
        async with calling("HeadBucket"):
            await self._once.head_bucket(Bucket=self.name)

    async def presign_get(
        self, key: str, *, file_name: str, lifetime: timedelta
    ) -> sigv4.SignedGet:
        """Sign a GET that downloads as ``file_name`` (RFC 6266; RFC 8187 for other scripts).

        It ends with the credentials, if those end before ``lifetime`` does. Raises what
        :meth:`ready_to_sign` does.
        """
        credentials, at = await self.ready_to_sign()
        expires_at = sigv4.expiry(credentials, at=at, lifetime=lifetime)
        plain = file_name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_")
        disposition = (
            f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"
        )
        url = await self._public_s3.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self.name,
                "Key": key,
                "ResponseContentDisposition": disposition,
                "ResponseContentType": "application/octet-stream",
            },
            ExpiresIn=int((expires_at - at.replace(microsecond=0)).total_seconds()),
        )
        return sigv4.SignedGet(url, expires_at)


@asynccontextmanager
async def open_bucket(options: BucketOptions) -> AsyncGenerator[Bucket]:
    """Open the clients."""
    async with open_clients(options) as clients:
        yield Bucket(clients, options)
