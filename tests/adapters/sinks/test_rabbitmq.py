"""A real RabbitMQ: confirmed and persistent, unroutable, refused, killed and back."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractQueue
from cloudevents.core.bindings.rabbitmq import RabbitMQMessage, from_rabbitmq_event

from coordinator.adapters import sinks
from coordinator.adapters.sinks import open_outlet
from coordinator.domain.deliveries import Fault
from coordinator.domain.sinks import RabbitSink
from tests.adapters.sinks.brokers import Broker, running_rabbitmq
from tests.adapters.sinks.conftest import an_event, expected, told


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A node of this module."""
    with running_rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as running:
        yield running


@pytest.fixture
async def channel(broker: Broker) -> AsyncIterator[AbstractChannel]:
    """A consumer's channel."""
    connection = await aio_pika.connect(broker.address)
    yield await connection.channel()
    await connection.close()


def _sink(address: str, **changes: Any) -> RabbitSink:
    return RabbitSink(**{"name": "rabbit", "url": address, "exchange": "events"} | changes)


async def _bound(channel: AbstractChannel, *, to: str = "upload.*") -> AbstractQueue:
    exchange = await channel.declare_exchange("events", "topic", durable=True)
    queue = await channel.declare_queue("all", durable=True)
    await queue.bind(exchange, to)
    await queue.purge()
    return queue


async def test_a_consumer_reads_what_was_sent(broker: Broker, channel: AbstractChannel) -> None:
    """Routed by the event's type, and on disk before it is delivered."""
    queue = await _bound(channel)
    event = an_event()
    async with open_outlet(_sink(broker.address)) as outlet:
        fault = await outlet.deliver(event)
    message = await queue.get(no_ack=True)

    assert fault is None
    sent = RabbitMQMessage({}, message.content_type, message.body)
    assert told(from_rabbitmq_event(sent)) == expected(event)
    assert message.routing_key == "upload.completed"
    assert message.message_id == event.public_id
    assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT


async def test_the_default_exchange_puts_into_a_queue_by_name(
    broker: Broker, channel: AbstractChannel
) -> None:
    """The routing key is the queue's."""
    queue = await channel.declare_queue("plain")
    sink = _sink(broker.address, exchange="", routing_key="plain")
    async with open_outlet(sink) as outlet:
        fault = await outlet.deliver(an_event())

    assert fault is None
    assert (await queue.get(no_ack=True)).message_id == an_event().public_id


async def test_what_no_queue_gets_is_not_delivered(
    broker: Broker, channel: AbstractChannel
) -> None:
    """And once a queue is bound, the same connection delivers."""
    queue = await _bound(channel)
    exchange = await channel.get_exchange("events")
    await queue.unbind(exchange, "upload.*")
    async with open_outlet(_sink(broker.address)) as outlet:
        lost = await outlet.deliver(an_event())
        await queue.bind(exchange, "upload.*")
        found = await outlet.deliver(an_event())

    assert (lost, found) == (Fault("rabbitmq-unroutable"), None)


async def test_what_is_refused_is_told_and_can_be_mended(
    broker: Broker, channel: AbstractChannel
) -> None:
    """The channel that the broker has closed is made anew."""
    await channel.exchange_delete("made later")
    wrong = broker.address.replace("guest:guest", "guest:wrong-password")
    async with open_outlet(_sink(wrong)) as outlet:
        stranger = await outlet.deliver(an_event())
    later = _sink(broker.address, exchange="made later")
    async with open_outlet(later) as outlet:
        missing = await outlet.deliver(an_event())
        exchange = await channel.declare_exchange("made later", "fanout")
        await (await channel.declare_queue("later")).bind(exchange)
        mended = await outlet.deliver(an_event())

    assert stranger == Fault("rabbitmq-access-refused")
    assert (missing, mended) == (Fault("rabbitmq-no-exchange"), None)


async def test_a_broker_that_was_killed_is_found_again_with_what_it_had(broker: Broker) -> None:
    """Queue, exchange and message survive, and so does the sink."""
    connection = await aio_pika.connect(broker.address)
    await _bound(await connection.channel())
    async with open_outlet(_sink(broker.address)) as outlet:
        before = await outlet.deliver(an_event(1))
        broker.server.kill()
        away = await outlet.deliver(an_event(2))
        await asyncio.to_thread(broker.server.start)
        after = await outlet.deliver(an_event(2))
    await connection.close()
    connection = await aio_pika.connect(broker.address)
    queue = await (await connection.channel()).declare_queue("all", passive=True)
    kept = {(await queue.get(no_ack=True)).message_id for _ in range(2)}
    await connection.close()

    assert (before, after) == (None, None)
    assert away in {Fault("not-reachable"), Fault("connection-lost")}
    assert kept == {an_event(1).public_id, an_event(2).public_id}


async def test_a_broker_that_is_frozen_is_left_and_connected_to_anew(
    broker: Broker, channel: AbstractChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After 15 seconds; one here. What it then has may be there twice, by one id."""
    queue = await _bound(channel)
    pid = broker.server.pid
    assert pid is not None
    async with open_outlet(_sink(broker.address)) as outlet:
        first = await outlet.deliver(an_event(1))
        monkeypatch.setattr(sinks, "SEND_SECONDS", 1.0)
        os.kill(pid, signal.SIGSTOP)
        try:
            frozen = await outlet.deliver(an_event(2))
        finally:
            os.kill(pid, signal.SIGCONT)
        monkeypatch.setattr(sinks, "SEND_SECONDS", 15.0)
        again = await outlet.deliver(an_event(2))
    heard = []
    while (message := await queue.get(no_ack=True, fail=False)) is not None:
        heard.append(message.message_id)

    assert (first, frozen, again) == (None, Fault("timeout"), None)
    assert set(heard) == {an_event(1).public_id, an_event(2).public_id}
    assert len(heard) in {2, 3}


async def test_nobody_listening_is_not_reachable() -> None:
    """No broker is needed for that."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"amqp://guest:guest@127.0.0.1:{taken.getsockname()[1]}/"
        async with open_outlet(_sink(address)) as outlet:
            assert await outlet.deliver(an_event()) == Fault("not-reachable")
