"""The clients of S3, and how every call of theirs is bound, measured and named.

The whole retry budget stands here: what may be repeated is tried three times within 40 s, complete
once within its deadline, and nobody above tries again, but for the list that S3 refused (once), nor
anybody below: aiohttp would send each try twice where a connection breaks.
"""

import asyncio
import io
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession, get_session
from botocore.loaders import Loader, create_loader
from botocore.utils import parse_timestamp
from typing_extensions import override

from coordinator.adapters.s3_answers import refusals
from coordinator.adapters.s3_clock import S3Clock
from coordinator.telemetry import timed_s3

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_TRIES: Final = 3
_CONNECT_SECONDS: Final = 5
_READ_SECONDS: Final = 15
_TOTAL_SECONDS: Final = 40  # of one call, all its tries
_LARGE_BODY: Final = 512 * 1024


class BucketOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where the bucket is and how it is addressed; an empty endpoint means AWS."""

    name: str
    endpoint: str
    public_endpoint: str
    path_addressing: bool
    complete_seconds: int


class Clients(NamedTuple):
    """Three clients of one session, for calls that differ in what a failure may lead to."""

    session: AioSession
    usual: "S3Client"  # retries what may be repeated
    once: "S3Client"  # for the call that must not be
    public: "S3Client"  # signs addresses as clients reach them; calls nothing
    clock: S3Clock  # hears what time it is at S3


@asynccontextmanager
async def calling(operation: str, seconds: float = _TOTAL_SECONDS) -> AsyncGenerator[None]:
    """Measure one call, all its tries, bound it, and name S3's refusals."""
    with timed_s3(operation), refusals():
        async with asyncio.timeout(seconds):
            yield


class _Connections(AIOHTTPSession):
    """aiobotocore's HTTP, adding no tries to botocore's."""

    # What the stubs leave out, and no setting reaches.
    async def _get_session(self, proxy_url: str | None) -> Any:
        session = await super()._get_session(proxy_url)  # type: ignore[misc]
        session._retry_connection = False  # noqa: SLF001 - aiohttp has no public name for it
        return session

    @override
    async def send(self, request: Any) -> Any:
        # A list of 10,000 parts: aiohttp warns of so many bytes, and sends a file in pieces.
        if isinstance(request.body, bytes) and len(request.body) > _LARGE_BODY:
            request.body = io.BytesIO(request.body)
        return await super().send(request)


def _config(*, path_addressing: bool, tries: int) -> AioConfig:
    addressing: Mapping[str, str] = {"addressing_style": "path" if path_addressing else "virtual"}
    return AioConfig(
        http_session_cls=_Connections,
        signature_version="s3v4",
        s3=dict(addressing),
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": tries},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        max_pool_connections=50,
    )


def _moment(text: str) -> datetime:
    """Read a time: ISO 8601, as lists are full of it, at a fifth of what botocore takes."""
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return parse_timestamp(text)


@cache
def _models(path: str | None) -> Loader:
    """Return what botocore knows of services: reading that takes a third of a second, once."""
    return create_loader(path)


@asynccontextmanager
async def open_clients(options: BucketOptions) -> AsyncGenerator[Clients]:
    """Open the clients, and close them together."""
    session = get_session()
    session.register_component("data_loader", _models(session.get_config_variable("data_path")))
    parsers = session.get_component("response_parser_factory")
    parsers.set_parser_defaults(timestamp_parser=_moment)
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
        clock = S3Clock()
        for client in (s3, single):
            clock.listen(client)
        yield Clients(session, s3, single, outer, clock)
