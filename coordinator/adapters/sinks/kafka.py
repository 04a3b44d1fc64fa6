"""Topics of Kafka. Every in-sync replica has an event before it counts as delivered."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
    RequestTimedOutError,
)

from coordinator.adapters.sinks.sending import Send, TemporaryError
from coordinator.domain.deliveries import Fault
from coordinator.domain.events import MEDIA_TYPE, Recorded
from coordinator.domain.sinks import KafkaSink

_ANSWER_MS: Final = 10_000


class _Topic:
    """The producer of one topic, started with the first event and again after a failed start."""

    def __init__(self, sink: KafkaSink) -> None:
        self._sink = sink
        self._producer: Any = None
        self._starting = asyncio.Lock()

    async def send(self, event: Recorded) -> Fault | None:
        try:
            producer = await self._started()
            # The key keeps what is about one upload in one partition.
            await producer.send_and_wait(
                self._sink.topic,
                event.encoded(),
                key=event.subject.encode(),
                headers=[("content-type", MEDIA_TYPE.encode())],
            )
        except KafkaError as exc:
            raise TemporaryError(_code(exc)) from None
        except OSError:
            raise TemporaryError("not-reachable") from None
        return None

    async def _started(self) -> Any:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(**_options(self._sink))
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def stop(self) -> None:
        if self._producer is not None:
            await self._producer.stop()


@asynccontextmanager
async def open_kafka(sink: KafkaSink) -> AsyncGenerator[Send]:
    """Open the producer of one topic."""
    topic = _Topic(sink)
    try:
        yield topic.send
    finally:
        await topic.stop()


def _options(sink: KafkaSink) -> dict[str, Any]:
    protocol = ("SASL_" if sink.username else "") + ("SSL" if sink.tls else "PLAINTEXT")
    options: dict[str, Any] = {
        "bootstrap_servers": [server.strip() for server in sink.servers.split(",")],
        "client_id": "upload-coordinator",
        "acks": "all",
        "request_timeout_ms": _ANSWER_MS,
        "security_protocol": protocol,
    }
    if sink.tls:
        options["ssl_context"] = ssl.create_default_context()
    if sink.username:
        options |= {
            "sasl_mechanism": sink.mechanism,
            "sasl_plain_username": sink.username,
            "sasl_plain_password": sink.password,
        }
    return options


def _code(exc: KafkaError) -> str:
    if isinstance(exc, KafkaConnectionError | NodeNotReadyError):
        return "not-reachable"
    if isinstance(exc, KafkaTimeoutError | RequestTimedOutError):
        return "timeout"
    return f"kafka-{type(exc).__name__}"
