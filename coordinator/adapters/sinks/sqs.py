"""Queues of SQS. Credentials are botocore's chain's, as S3's are."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from coordinator.adapters.sinks.sending import Send, TemporaryError
from coordinator.domain.deliveries import Fault
from coordinator.domain.events import MEDIA_TYPE, Recorded
from coordinator.domain.sinks import SqsSink

# Whoever calls tries again, an hour later if need be.
_CONFIG: Final = AioConfig(
    connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 1}
)


@asynccontextmanager
async def open_sqs(sink: SqsSink) -> AsyncGenerator[Send]:
    """Open the client of one queue."""
    client: Any = get_session().create_client(
        "sqs",
        region_name=sink.signing_region,
        endpoint_url=sink.endpoint or None,
        config=_CONFIG,
    )
    async with client as opened:

        async def send(event: Recorded) -> Fault | None:
            try:
                await opened.send_message(**_message(sink, event))
            except ClientError as exc:
                raise TemporaryError(_code(exc)) from None
            except (BotoCoreError, OSError):
                raise TemporaryError("not-reachable") from None
            return None

        yield send


def _message(sink: SqsSink, event: Recorded) -> dict[str, Any]:
    message: dict[str, Any] = {
        "QueueUrl": sink.queue_url,
        "MessageBody": event.encoded().decode(),
        "MessageAttributes": {"contentType": {"DataType": "String", "StringValue": MEDIA_TYPE}},
    }
    if sink.is_fifo:
        # In order for one upload as far as we send in order; a repeat within 5 minutes is dropped.
        message |= {
            "MessageGroupId": event.subject,
            "MessageDeduplicationId": event.public_id,
        }
    return message


def _code(exc: ClientError) -> str:
    """Return AWS's own code, which is a word: `AccessDenied`, `QueueDoesNotExist`."""
    code = str(exc.response.get("Error", {}).get("Code", "")).rpartition(".")[2]
    return f"sqs-{code}" if code.isascii() and code.isalnum() else "sqs-error"
