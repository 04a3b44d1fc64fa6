"""HTTP to addresses that operators name, from threads.

Rule: the address that is connected to is the one that was checked. Redirects are not followed, no
proxy of the environment is used, and of an answer no more is read than was asked for.
"""

import ipaddress
import socket
from collections.abc import Mapping
from typing import Final

import httpx
from typing_extensions import override

from coordinator.domain.sinks import is_public

_CONNECT_SECONDS: Final = 5.0
_AGENT: Final = "upload-coordinator"
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
        headers={"User-Agent": _AGENT, **(headers or {})},
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
        host = request.url.host
        usual = _HTTPS_PORT if request.url.scheme == "https" else _HTTP_PORT
        address = self._resolve(host, request.url.port or usual)
        # The name stays in the header and in the handshake, where the certificate is checked.
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=address)
        return self._inner.handle_request(request)

    @override
    def close(self) -> None:
        self._inner.close()

    def _resolve(self, host: str, port: int) -> str:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise NameUnknownError(host) from None
        for entry in found:
            address = str(entry[4][0]).partition("%")[0]
            if self._allow_private or is_public(ipaddress.ip_address(address)):
                return address
        raise AddressRefusedError
