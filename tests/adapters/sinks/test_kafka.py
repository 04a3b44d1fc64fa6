"""Topics, as the broker Tansu keeps them; addresses where nobody is, or somebody is silent."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event

from coordinator.adapters import sinks
from coordinator.adapters.sinks import open_outlet
from coordinator.domain.deliveries import Fault
from coordinator.domain.sinks import KafkaSink
from tests.adapters.sinks.brokers import Broker, running_kafka
from tests.adapters.sinks.conftest import an_event, expected, told


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of this module."""
    with running_kafka(tmp_path_factory.mktemp("kafka")) as running:
        yield running


def _sink(address: str) -> KafkaSink:
    return KafkaSink(name="kafka", servers=address, topic="events")


async def _make_topic(address: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic("events", num_partitions=4, replication_factor=1)])
    await admin.close()


async def _read(address: str, count: int) -> list[Any]:
    consumer = AIOKafkaConsumer(
        "events", bootstrap_servers=address, auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    try:
        async with asyncio.timeout(20):
            return [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()


async def test_a_consumer_reads_what_was_sent(broker: Broker) -> None:
    """What is about one upload stays in one partition, for its id is the key."""
    await _make_topic(broker.address)
    events = [an_event(1), an_event(2), an_event(1)]
    async with open_outlet(_sink(broker.address)) as outlet:
        faults = [await outlet.deliver(event) for event in events]
    records = await _read(broker.address, len(events))

    assert faults == [None, None, None]
    read = [
        told(from_kafka_event(KafkaMessage(dict(each.headers), each.key, each.value)))
        for each in records
    ]
    # The library makes an extension of the key.
    assert read == [expected(event) | {"partitionkey": event.subject} for event in events]
    assert len({each.partition for each in records}) == 1


async def test_a_broker_that_was_killed_is_found_again(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the producer that had been connected to it."""
    await _make_topic(broker.address)
    async with open_outlet(_sink(broker.address)) as outlet:
        before = await outlet.deliver(an_event(1))
        broker.server.kill()
        monkeypatch.setattr(sinks, "SEND_SECONDS", 1.0)
        away = await outlet.deliver(an_event(2))
        monkeypatch.setattr(sinks, "SEND_SECONDS", 15.0)
        await asyncio.to_thread(broker.server.start)
        await _make_topic(broker.address)  # it keeps topics in memory
        # Tansu may answer an unknown error while a topic is made: a later attempt does better.
        tries = [await outlet.deliver(an_event(2)) for _ in range(3)]
    [record] = await _read(broker.address, 1)

    assert (before, away, tries[-1]) == (None, Fault("timeout"), None)
    assert set(tries) <= {None, Fault("kafka-UnknownError")}
    assert an_event(2).public_id.encode() in record.value


async def test_nobody_listening_is_not_reachable_and_may_come() -> None:
    """A start that failed is made again with the next event."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with open_outlet(_sink(address)) as outlet:
            faults = [await outlet.deliver(an_event()), await outlet.deliver(an_event())]

    assert faults == [Fault("not-reachable")] * 2


async def test_somebody_who_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """After 15 seconds; one here."""
    monkeypatch.setattr(sinks, "SEND_SECONDS", 1.0)
    left = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        left.set()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with open_outlet(_sink(f"127.0.0.1:{port}")) as outlet:
        fault = await outlet.deliver(an_event())
        await asyncio.wait_for(left.wait(), 10)
    silent.close()

    assert fault == Fault("timeout")
