"""Webhooks: a POST of the event, signed as Standard Webhooks has it.

Rule: the address that is connected to is the one that was checked. Redirects are not followed, no
proxy of the environment is used, and no more of an answer is read than its status.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

import httpx
from standardwebhooks import Webhook
from typing_extensions import override

from coordinator.adapters import clock
from coordinator.adapters.sinks.sending import Send, TemporaryError
from coordinator.domain.deliveries import SEND_SECONDS, Fault
from coordinator.domain.events import MEDIA_TYPE, Recorded
from coordinator.domain.sinks import HttpSink, is_public

_AGENT: Final = "upload-coordinator"


class _CheckedTransport(httpx.AsyncBaseTransport):
    """Resolves names itself, and connects to an address of the Internet or not at all."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._inner = httpx.AsyncHTTPTransport()  # SSL_CERT_FILE counts, as everywhere

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        address = await self._resolve(host, request.url.port or 443)
        # The name stays in the header and in the handshake, where the certificate is checked.
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=address)
        return await self._inner.handle_async_request(request)

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _resolve(self, host: str, port: int) -> str:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise TemporaryError("name-unknown") from None
        addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
        for address in addresses:
            if self._allow_private or is_public(ipaddress.ip_address(address)):
                return address
        raise TemporaryError("address-refused")


@asynccontextmanager
async def open_http(sink: HttpSink) -> AsyncGenerator[Send]:
    """Open the client of one webhook."""
    signers = [Webhook(secret) for secret in sink.secrets]
    client = httpx.AsyncClient(
        transport=_CheckedTransport(allow_private=sink.allow_private),
        timeout=SEND_SECONDS,
        follow_redirects=False,
        trust_env=False,
        headers={"Content-Type": MEDIA_TYPE, "Accept": "*/*", "User-Agent": _AGENT},
    )

    async def send(event: Recorded) -> Fault | None:
        body = event.encoded()
        headers = signed(signers, event.public_id, body)
        try:
            async with client.stream("POST", sink.url, content=body, headers=headers) as answer:
                return _judged(answer.status_code)
        except httpx.HTTPError as exc:
            raise TemporaryError(_code(exc)) from None

    async with client:
        yield send


def signed(signers: list[Webhook], message_id: str, body: bytes) -> dict[str, str]:
    """Return the headers of Standard Webhooks; receivers compare the time with their host's."""
    now = clock.now()
    signatures = (signer.sign(message_id, now, body.decode()) for signer in signers)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _judged(status: int) -> Fault | None:
    if httpx.codes.is_success(status):
        return None
    if status == HTTPStatus.GONE:
        return Fault("http-410", is_final=True)
    raise TemporaryError(f"http-{status}")


def _code(exc: httpx.HTTPError) -> str:
    if isinstance(exc, httpx.TimeoutException):
        return "timeout"
    if isinstance(exc, httpx.ConnectError):
        cause: BaseException | None = exc
        while cause is not None:
            if isinstance(cause, ssl.SSLError):
                return "tls-failed"
            cause = cause.__cause__ or cause.__context__
        return "not-reachable"
    return "connection-lost"
