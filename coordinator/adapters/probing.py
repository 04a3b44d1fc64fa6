"""Tiny real uploads into the bucket, to find out what S3 does with them, cleaned up afterwards."""

import asyncio
import base64
import hashlib
import math
import ssl
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import httpx
import msgspec
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

import manifests
from coordinator.adapters import clock
from coordinator.adapters.bucket import Bucket
from coordinator.adapters.entropy import new_token, random_bytes
from coordinator.adapters.s3_clients import BucketOptions, open_clients
from coordinator.domain import sigv4

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import CompleteMultipartUploadRequestTypeDef

FOLDER: Final = ".probe"

SECONDS: Final = 10.0  # of one call
_BODY_BYTES: Final = 24
_LIFETIME: Final = timedelta(minutes=10)


class StoreFaultError(Exception):
    """S3 failed, or wants to be asked later."""


# What a call may end in that says nothing of what S3 would do.
NO_ANSWER: Final = (TimeoutError, BotoCoreError, httpx.TransportError, StoreFaultError)


class Tiny(msgspec.Struct, frozen=True):
    """A multipart upload of one part."""

    key: str
    multipart_id: str
    body: bytes
    encryption: str = ""

    @property
    def sha256(self) -> bytes:
        """The digest of its one part."""
        return hashlib.sha256(self.body).digest()

    @property
    def root(self) -> str:
        """The checksum that the object must have."""
        return manifests.root(self.sha256)


class Put(msgspec.Struct, frozen=True):
    """One request as it goes over the wire."""

    url: str
    headers: dict[str, str]
    body: bytes


class Probe:
    """Where the uploads go, and how they are signed. Opened by :func:`open_probe`."""

    def __init__(
        self,
        bucket: Bucket,
        s3: "S3Client",
        http: httpx.AsyncClient,
        *,
        public: sigv4.Target,
        folder: str,
    ) -> None:
        self.s3 = s3
        self.http = http
        self.bucket = bucket.name
        self.target = bucket.public  # as this service reaches S3
        self.public = public  # as clients do
        self.source = bucket
        self.folder = f"{folder}/{new_token()}"

    @asynccontextmanager
    async def tiny(self, key: str = "") -> AsyncGenerator[Tiny]:
        """Open a multipart as the service does; at the end nothing is left of it.

        Raises:
            ProbeRefusedError: S3 does not open one.

        """
        where = key or self.new_key()
        with needed("CreateMultipartUpload"):
            made = await self.s3.create_multipart_upload(
                Bucket=self.bucket, Key=where, ChecksumAlgorithm="SHA256", ChecksumType="COMPOSITE"
            )
        encryption = made.get("ServerSideEncryption", "")
        tiny = Tiny(where, made["UploadId"], random_bytes(_BODY_BYTES), encryption)
        try:
            yield tiny
        finally:
            await self._remove(tiny)

    def new_key(self) -> str:
        """Return a key that nobody has used."""
        return f"{self.folder}/{new_token()}"

    async def sign(
        self,
        tiny: Tiny,
        *,
        number: int = 1,
        age: timedelta = timedelta(0),
        target: sigv4.Target | None = None,
    ) -> Put:
        """Sign a part URL as the service does, ``age`` ago, for this service or for clients."""
        [signed] = sigv4.sign_parts(
            await self.source.credentials(),
            target or self.target,
            key=tiny.key,
            multipart_id=tiny.multipart_id,
            parts=[sigv4.Part(number, len(tiny.body), tiny.sha256)],
            at=clock.now() - age,
            lifetime=_LIFETIME,
        )
        return Put(signed.url, signed.headers, tiny.body)

    async def knock(self) -> httpx.Response:
        """Ask for something, unsigned, only to see whether S3 answers, and what time it has."""
        return await self.http.head(self.target.endpoint)

    async def put(self, put: Put, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Send a part as a client would."""
        return await self.http.put(
            put.url, content=put.body, headers={**put.headers, **(headers or {})}
        )

    async def fill(self, tiny: Tiny) -> str:
        """Send the part and return its ETag.

        Raises:
            ProbeRefusedError: S3 does not take what this service signs.
            StoreFaultError: it might, later.

        """
        answer = await self.put(await self.sign(tiny))
        if answer.is_server_error or answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            raise StoreFaultError(code_of(answer))
        if not answer.is_success:
            raise ProbeRefusedError("UploadPart", code_of(answer), answer.text)
        etag: str = answer.headers["etag"]
        return etag

    async def complete(
        self,
        tiny: Tiny,
        etag: str,
        *,
        digest: bytes | None = None,
        size: int | None = None,
        is_new: bool = True,
    ) -> str | None:
        """Complete as the service does, but for what is said otherwise; return S3's checksum."""
        checksum = base64.b64encode(digest or tiny.sha256).decode()
        request: CompleteMultipartUploadRequestTypeDef = {
            "Bucket": self.bucket,
            "Key": tiny.key,
            "UploadId": tiny.multipart_id,
            "MultipartUpload": {
                "Parts": [{"PartNumber": 1, "ETag": etag, "ChecksumSHA256": checksum}]
            },
            "MpuObjectSize": size or len(tiny.body),
        }
        if is_new:
            request["IfNoneMatch"] = "*"
        answer = await self.s3.complete_multipart_upload(**request)
        return answer.get("ChecksumSHA256")

    async def _remove(self, tiny: Tiny) -> None:
        """Abort the multipart and delete the object, whichever there is.

        What stays behind is swept with everything else under the prefix.
        """
        await asyncio.gather(
            self.s3.abort_multipart_upload(
                Bucket=self.bucket, Key=tiny.key, UploadId=tiny.multipart_id
            ),
            self.s3.delete_object(Bucket=self.bucket, Key=tiny.key),
            return_exceptions=True,
        )


@asynccontextmanager
async def open_probe(options: BucketOptions, *, prefix: str) -> AsyncGenerator[Probe]:
    """Open clients that try once. Parts go to the address that the service itself uses."""
    inside = msgspec.structs.replace(
        options, public_endpoint="", complete_seconds=math.ceil(SECONDS)
    )
    async with open_clients(inside) as clients:
        bucket, public = Bucket(clients, inside), Bucket(clients, options).public
        trust = _trust([bucket.public, public], clients.session.get_config_variable("ca_bundle"))
        async with httpx.AsyncClient(timeout=SECONDS, verify=trust) as http:
            yield Probe(bucket, clients.once, http, public=public, folder=f"{prefix}/{FOLDER}")


def _trust(targets: Sequence[sigv4.Target], authorities: str | None) -> ssl.SSLContext | bool:
    """Trust whom botocore trusts. Without TLS nobody, which spares reading all certificates."""
    if all(target.endpoint.startswith("http://") for target in targets):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return ssl.create_default_context(cafile=authorities) if authorities else True


class ProbeRefusedError(Exception):
    """S3 refuses what every upload needs: nothing can be said of what it enforces."""

    def __init__(self, operation: str, code: str, detail: str = "") -> None:
        super().__init__(f"S3 refuses {operation} ({code})")
        self.operation = operation
        self.code = code
        self.detail = detail


@contextmanager
def needed(operation: str) -> Iterator[None]:
    """Name the refusal of something that every upload needs; other failures fly."""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as exc:
        raise ProbeRefusedError(operation, type(exc).__name__) from exc
    except ClientError as exc:
        if is_fault(exc):
            raise
        error = exc.response["Error"]
        raise ProbeRefusedError(operation, error["Code"], error.get("Message", "")) from exc


def outcome(exc: Exception) -> str:
    """Say what a call ended in that found nothing out; never with S3's message, which has keys."""
    if isinstance(exc, ProbeRefusedError):
        return f"{exc}."
    if isinstance(exc, ClientError):
        return f"S3 answered {exc.response['Error']['Code']}."
    return f"S3 gave no answer ({type(exc).__name__})."


def is_fault(exc: ClientError) -> bool:
    """Whether S3 failed, or wants to be asked later, and so refused nothing."""
    status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return (
        not HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        or status == HTTPStatus.TOO_MANY_REQUESTS
    )


def is_denied(exc: ClientError) -> bool:
    """Whether a permission is missing, or the credentials are no good."""
    return exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == HTTPStatus.FORBIDDEN


def code_of(answer: httpx.Response) -> str:
    """Return the code of an error of S3, or its status."""
    code = answer.text.partition("<Code>")[2].partition("</Code>")[0]
    return code or str(answer.status_code)
