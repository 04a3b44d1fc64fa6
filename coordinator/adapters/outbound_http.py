"""HTTP to addresses that operators name.

Rule: the address that is connected to is the one that was checked. Redirects are not followed, no
proxy of the environment is used, and of an answer no more is read than was asked for.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Mapping
from typing import Any, Final

import httpx
from typing_extensions import override

from coordinator.domain.outbound import is_public

_CONNECT_SECONDS: Final = 5.0
AGENT: Final = "upload-coordinator"
_HTTPS_PORT: Final = 443
_HTTP_PORT: Final = 80


class AddressRefusedError(Exception):
    """The name leads to no address of the Internet, and no other is allowed."""


class NameUnknownError(Exception):
    """The name leads nowhere now."""


def new_client(
    *, allow_private: bool, seconds: float, headers: Mapping[str, str] | None = None
) -> httpx.Client:
    """Make a client whose every read and write takes ``seconds`` at most.

    Its requests raise what is above, and httpx's own errors.
    """
    return httpx.Client(
        transport=_CheckedTransport(allow_private=allow_private),
        timeout=httpx.Timeout(seconds, connect=_CONNECT_SECONDS),
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": AGENT, **(headers or {})},
    )


def read_at_most(answer: httpx.Response, size: int) -> bytes:
    """Return the beginning of a streamed answer's body."""
    found = bytearray()
    for block in answer.iter_bytes():
        found += block
        if len(found) >= size:
            break
    return bytes(found[:size])


class _CheckedTransport(httpx.BaseTransport):
    """Resolves names itself, and connects to an address of the Internet or not at all."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._inner = httpx.HTTPTransport()  # SSL_CERT_FILE counts, as everywhere

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host, port = _place(request)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise NameUnknownError(host) from None
        _pin(request, _allowed(found, allow_private=self._allow_private))
        return self._inner.handle_request(request)

    @override
    def close(self) -> None:
        self._inner.close()


class CheckedAsyncTransport(httpx.AsyncBaseTransport):
    """The same for an event loop; it raises the same."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._inner = httpx.AsyncHTTPTransport()

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host, port = _place(request)
        try:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise NameUnknownError(host) from None
        _pin(request, _allowed(found, allow_private=self._allow_private))
        return await self._inner.handle_async_request(request)

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()


def why_lost(exc: httpx.HTTPError) -> str:
    """Name what ended a connection: ``tls-failed not-reachable connection-lost``."""
    if not isinstance(exc, httpx.ConnectError):
        return "connection-lost"
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "tls-failed"
        cause = cause.__cause__ or cause.__context__
    return "not-reachable"


def _place(request: httpx.Request) -> tuple[str, int]:
    usual = _HTTPS_PORT if request.url.scheme == "https" else _HTTP_PORT
    return request.url.host, request.url.port or usual


def _allowed(found: Iterable[tuple[Any, ...]], *, allow_private: bool) -> str:
    """Return the first address that may be called."""
    for entry in found:
        address = str(entry[4][0]).partition("%")[0]
        if allow_private or is_public(ipaddress.ip_address(address)):
            return address
    raise AddressRefusedError


def _pin(request: httpx.Request, address: str) -> None:
    """Let the request go to this address and no other.

    The name stays in the header and in the handshake, where the certificate is checked.
    """
    request.extensions = {**request.extensions, "sni_hostname": request.url.host}
    request.url = request.url.copy_with(host=address)
