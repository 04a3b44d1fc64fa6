"""Queues of SQS, as moto's server plays them: standard, FIFO, gone, and nobody there."""

import socket
from collections.abc import Iterator
from typing import Any, Final

import boto3
import pytest
from cloudevents.core.formats.json import JSONFormat

from coordinator.adapters.sinks import open_outlet
from coordinator.domain.deliveries import Fault
from coordinator.domain.sinks import SqsSink
from tests.adapters.sinks.conftest import an_event, expected, told
from tests.moto_server import running_moto

_REGION: Final = "eu-central-1"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where moto listens."""
    with running_moto(tmp_path_factory.mktemp("moto")) as address:
        yield address.s3_endpoint


@pytest.fixture
def sqs(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A consumer's client, which is not the one that sends."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    client = boto3.client("sqs", endpoint_url=endpoint, region_name=_REGION)
    yield client
    client.close()


def _sink(url: str, endpoint: str) -> SqsSink:
    return SqsSink(name="queue", queue_url=url, region=_REGION, endpoint=endpoint)


def _received(sqs: Any, url: str) -> list[dict[str, Any]]:
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
    )
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages


async def test_a_consumer_reads_what_was_sent(sqs: Any, endpoint: str) -> None:
    """A standard queue keeps a repeat: the id tells it."""
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    event = an_event()
    async with open_outlet(_sink(url, endpoint)) as outlet:
        faults = [await outlet.deliver(event), await outlet.deliver(event)]
    messages = _received(sqs, url)

    assert faults == [None, None]
    read = [told(JSONFormat().read(None, message["Body"])) for message in messages]
    assert read == [expected(event)] * 2
    kinds = [message["MessageAttributes"]["contentType"]["StringValue"] for message in messages]
    assert kinds == ["application/cloudevents+json"] * 2


async def test_a_fifo_queue_drops_the_repeat_and_keeps_an_uploads_events_together(
    sqs: Any, endpoint: str
) -> None:
    """The group is the upload, the deduplication id is the event's."""
    attributes = {"FifoQueue": "true"}
    url = sqs.create_queue(QueueName="events.fifo", Attributes=attributes)["QueueUrl"]
    first, second = an_event(1), an_event(2)
    async with open_outlet(_sink(url, endpoint)) as outlet:
        faults = [await outlet.deliver(each) for each in (first, first, second)]
    messages = _received(sqs, url)

    assert faults == [None, None, None]
    assert [
        (each["Attributes"]["MessageGroupId"], each["Attributes"]["MessageDeduplicationId"])
        for each in messages
    ] == [(first.subject, first.public_id), (second.subject, second.public_id)]


async def test_a_queue_that_is_gone_is_named_by_aws_code(sqs: Any, endpoint: str) -> None:
    """It may be made again, so it is tried again."""
    url = sqs.create_queue(QueueName="gone")["QueueUrl"]
    sqs.delete_queue(QueueUrl=url)
    async with open_outlet(_sink(url, endpoint)) as outlet:
        fault = await outlet.deliver(an_event())

    assert fault is not None
    assert fault.code in {"sqs-NonExistentQueue", "sqs-QueueDoesNotExist"}
    assert not fault.is_final


async def test_nobody_listening_is_not_reachable(sqs: Any) -> None:
    """As when AWS is away."""
    del sqs  # its credentials are used
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with open_outlet(_sink(f"{endpoint}/1/events", endpoint)) as outlet:
            assert await outlet.deliver(an_event()) == Fault("not-reachable")
