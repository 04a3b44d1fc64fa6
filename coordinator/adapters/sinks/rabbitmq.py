"""Exchanges of RabbitMQ. The broker has an event on disk, in a queue, before it is delivered."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.connection import make_url
from aio_pika.exceptions import (
    AMQPConnectionError,
    AMQPError,
    AuthenticationError,
    ChannelInvalidStateError,
    ChannelNotFoundEntity,
    DeliveryError,
    ProbableAuthenticationError,
    PublishError,
)

from coordinator.adapters.sinks.sending import Send, TemporaryError
from coordinator.domain.deliveries import Fault
from coordinator.domain.events import MEDIA_TYPE, PREFIX, Recorded
from coordinator.domain.sinks import RabbitSink

_CONNECT_SECONDS: Final = 5.0
_CLOSE_SECONDS: Final = 2.0

# The first that fits; whatever was wrong, connection and channel are made anew.
_CODES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (PublishError, "rabbitmq-unroutable"),
    (DeliveryError, "rabbitmq-not-confirmed"),
    (ChannelNotFoundEntity, "rabbitmq-no-exchange"),
    (AuthenticationError, "rabbitmq-access-refused"),
    (ProbableAuthenticationError, "rabbitmq-access-refused"),
    (AMQPConnectionError, "not-reachable"),
    (AMQPError, "rabbitmq-error"),
    (ChannelInvalidStateError, "connection-lost"),
    (OSError, "not-reachable"),
)


class _Broker:
    """One connection with one channel, opened with the first event and again after a failure."""

    def __init__(self, sink: RabbitSink) -> None:
        self._sink = sink
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._exchange: AbstractExchange | None = None
        self._opening = asyncio.Lock()

    async def send(self, event: Recorded) -> Fault | None:
        try:
            exchange = await self._opened()
            await exchange.publish(
                _message(event), self._sink.routing_key or event.type, mandatory=True
            )
        except (AMQPError, ChannelInvalidStateError, OSError) as exc:
            if not isinstance(exc, DeliveryError):
                self._exchange = None
            code = next(code for kind, code in _CODES if isinstance(exc, kind))
            raise TemporaryError(code) from None
        except asyncio.CancelledError:
            # No answer in time: who knows what this connection is worth.
            self._exchange = None
            raise
        return None

    async def _opened(self) -> AbstractExchange:
        async with self._opening:
            is_open = self._channel is not None and not self._channel.is_closed
            if self._exchange is not None and is_open:
                return self._exchange
            await self._close()
            # Known before it is open, so that what fails half way is closed, too.
            self._connection = aio_pika.Connection(make_url(self._sink.url))
            await self._connection.connect(timeout=_CONNECT_SECONDS)
            self._channel = await self._connection.channel(
                publisher_confirms=True, on_return_raises=True
            )
            name = self._sink.exchange
            channel = self._channel
            self._exchange = await channel.get_exchange(name) if name else channel.default_exchange
            return self._exchange

    async def close(self) -> None:
        async with self._opening:
            await self._close()

    async def _close(self) -> None:
        connection, self._connection, self._exchange = self._connection, None, None
        if connection is not None:
            with suppress(TimeoutError, AMQPError, OSError, RuntimeError):
                await asyncio.wait_for(connection.close(), _CLOSE_SECONDS)


@asynccontextmanager
async def open_rabbitmq(sink: RabbitSink) -> AsyncGenerator[Send]:
    """Open the connection to one exchange."""
    broker = _Broker(sink)
    try:
        yield broker.send
    finally:
        await broker.close()


def _message(event: Recorded) -> aio_pika.Message:
    return aio_pika.Message(
        event.encoded(),
        content_type=MEDIA_TYPE,
        message_id=event.public_id,
        type=PREFIX + event.type,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
