"""Webhooks: a POST of the event, signed as Standard Webhooks has it.

Rule: the address that is connected to is the one that was checked. Redirects are not followed, no
proxy of the environment is used, and no more of an answer is read than its status.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus

import httpx
from standardwebhooks import Webhook

from coordinator.adapters import clock
from coordinator.adapters.outbound_http import (
    AGENT,
    AddressRefusedError,
    CheckedAsyncTransport,
    NameUnknownError,
    why_lost,
)
from coordinator.adapters.sinks.sending import Send, TemporaryError
from coordinator.domain.deliveries import SEND_SECONDS, Fault
from coordinator.domain.events import MEDIA_TYPE, Recorded
from coordinator.domain.sinks import HttpSink


@asynccontextmanager
async def open_http(sink: HttpSink) -> AsyncGenerator[Send]:
    """Open the client of one webhook."""
    signers = [Webhook(secret) for secret in sink.secrets]
    client = httpx.AsyncClient(
        transport=CheckedAsyncTransport(allow_private=sink.allow_private),
        timeout=SEND_SECONDS,
        follow_redirects=False,
        trust_env=False,
        headers={"Content-Type": MEDIA_TYPE, "Accept": "*/*", "User-Agent": AGENT},
    )

    async def send(event: Recorded) -> Fault | None:
        body = event.encoded()
        headers = signed(signers, event.public_id, body)
        try:
            async with client.stream("POST", sink.url, content=body, headers=headers) as answer:
                return _judged(answer.status_code)
        except NameUnknownError:
            raise TemporaryError("name-unknown") from None
        except AddressRefusedError:
            raise TemporaryError("address-refused") from None
        except httpx.TimeoutException:
            raise TemporaryError("timeout") from None
        except httpx.HTTPError as exc:
            raise TemporaryError(why_lost(exc)) from None

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
