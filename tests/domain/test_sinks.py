"""Settings of sinks: what would be unsafe is refused at the start, and named without its value."""

import base64
import ipaddress
import json
from typing import Any, Final

import pytest

from coordinator.domain.events import Type
from coordinator.domain.outbound import is_public
from coordinator.domain.sinks import (
    HttpSink,
    Sinks,
    SinkSettingError,
    SqsSink,
    kind_of,
    parse_sinks,
)

_SECRET: Final = "whsec_" + base64.b64encode(b"a secret that nobody sees").decode()
HTTP: Final = {
    "name": "hook",
    "kind": "http",
    "url": "https://hooks.example/a?token=hidden-in-the-query",
    "secret": _SECRET,
}
SQS: Final = {
    "name": "queue",
    "kind": "sqs",
    "queueUrl": "https://sqs.eu-west-1.amazonaws.com/1/events.fifo",
}
KAFKA: Final = {"name": "kafka", "kind": "kafka", "servers": "a:9092, b:9092", "topic": "events"}
RABBIT: Final = {
    "name": "rabbit",
    "kind": "rabbitmq",
    "url": "amqp://user:hidden%2Dword@host:5672/v",
    "exchange": "events",
}
ALL: Final = [HTTP, SQS, KAFKA, RABBIT]
_HIDDEN: Final = (_SECRET, _SECRET[6:], "hidden-in-the-query", "hidden%2Dword")


def _refusal(*sinks: dict[str, Any]) -> str:
    with pytest.raises(SinkSettingError) as refusal:
        parse_sinks(json.dumps(sinks))
    assert not any(secret in str(refusal.value) for secret in _HIDDEN)
    return str(refusal.value)


def test_short_entries_suffice() -> None:
    """One of each kind, which wants everything."""
    sinks = parse_sinks(json.dumps(ALL))

    assert [kind_of(each) for each in sinks] == ["http", "sqs", "kafka", "rabbitmq"]
    assert all(each.takes(kind) for each in sinks for kind in Type)
    queue = sinks[1]
    assert isinstance(queue, SqsSink)
    assert (queue.is_fifo, queue.signing_region) == (True, "eu-west-1")


def test_no_repr_shows_an_address_or_a_secret_and_all_are_known_to_be_hidden() -> None:
    """Whatever logs them."""
    sinks = parse_sinks(json.dumps(ALL))
    shown = repr(sinks) + repr(Sinks("/x", sinks)) + str(sinks[0])

    assert not any(secret in shown for secret in _HIDDEN)
    assert "hooks.example" not in shown
    secrets = {secret for each in sinks for secret in each.confidential}
    assert secrets == {
        *(_SECRET, _SECRET[6:], "token=hidden-in-the-query", "hidden%2Dword", "hidden-word")
    }


@pytest.mark.parametrize(
    ("sink", "member", "advice"),
    [
        (HTTP | {"kind": "htp"}, "kind", "possible are http, sqs"),
        ({"name": "x"}, "kind", "possible are http, sqs"),
        (HTTP | {"uri": "x"}, "uri", "did you mean url?"),
        (HTTP | {"name": "A b"}, "name", "docs/events.md"),
        (HTTP | {"name": "a/b"}, "name", "docs/events.md"),
        (HTTP | {"types": []}, "types", "docs/events.md"),
        (HTTP | {"types": ["uplod.*"]}, "types", "upload.completed"),
        (HTTP | {"types": ["upload.compl*"]}, "types", "upload.*"),
        (HTTP | {"url": "http://hooks.example/"}, "url", "https://"),
        (HTTP | {"url": "ftp://hooks.example/", "allowPrivate": True}, "url", "https://"),
        (HTTP | {"url": "https://user:word@hooks.example/"}, "url", "without user"),
        (HTTP | {"url": "https://"}, "url", "https://host"),
        (HTTP | {"url": "https://hooks.example:99999/"}, "url", "https://host"),
        (HTTP | {"url": "https://hooks.example/\n"}, "url", "https://host"),
        (HTTP | {"secret": "not-base64!"}, "secret", "24 to 64"),
        (HTTP | {"secret": _SECRET[6:]}, "secret", "whsec_"),
        (HTTP | {"secret": "whsec_c2hvcnQ="}, "secret", "24 to 64"),
        (HTTP | {"secret": [_SECRET, "whsec_"]}, "secret", "24 to 64"),
        (HTTP | {"secret": []}, "secret", "docs/events.md"),
        (SQS | {"queueUrl": "events"}, "queueUrl", "https://"),
        (SQS | {"queueUrl": "https://localhost:1/1/q"}, "region", "set it"),
        (SQS | {"endpoint": "localhost:1"}, "endpoint", "https://"),
        (KAFKA | {"servers": "a"}, "servers", "host:port"),
        (KAFKA | {"servers": "a:1,"}, "servers", "host:port"),
        (KAFKA | {"topic": "a b"}, "topic", "docs/events.md"),
        (KAFKA | {"username": "u"}, "password", "both"),
        (RABBIT | {"url": "http://host/"}, "url", "amqp://"),
        (RABBIT | {"url": "amqp://"}, "url", "amqp://"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_to_do(
    sink: dict[str, Any], member: str, advice: str
) -> None:
    """And without the value, which may be secret."""
    message = _refusal(SQS | {"name": "first"}, sink)

    assert "[1]" in message
    assert member in message
    assert advice in message


@pytest.mark.parametrize("text", ["{}", "null", "[1]", "[", "\ud800", "[" * 100_000])
def test_what_is_no_list_of_sinks_is_refused(text: str) -> None:
    """Whatever stands in the file."""
    with pytest.raises(SinkSettingError):
        parse_sinks(text)


def test_names_are_told_apart() -> None:
    """Rows of deliveries have nothing else."""
    assert "twice" in _refusal(HTTP, SQS, HTTP)


def test_sinks_get_the_types_that_they_name() -> None:
    """A pattern or a word."""
    sinks = parse_sinks(
        json.dumps(
            [
                HTTP | {"types": ["upload.*"]},
                SQS | {"types": ["job.failed", "upload.completed"]},
                KAFKA,
            ]
        )
    )
    wanting = {kind: Sinks("/x", sinks).wanting(kind) for kind in Type}

    assert wanting[Type.UPLOAD_COMPLETED] == ["hook", "queue", "kafka"]
    assert wanting[Type.UPLOAD_ERASED] == ["hook", "kafka"]
    assert wanting[Type.JOB_FAILED] == ["queue", "kafka"]
    assert wanting[Type.JOB_SUCCEEDED] == ["kafka"]


def test_in_house_receivers_are_allowed_by_name() -> None:
    """Plain HTTP too, for who says so is in the same house."""
    inside = HTTP | {"url": "http://10.0.0.1/hook", "allowPrivate": True}
    (sink,) = parse_sinks(json.dumps([inside]))

    assert isinstance(sink, HttpSink)
    assert sink.allow_private


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),  # RFC 6598: behind a carrier
        ("0.0.0.0", False),
        ("255.255.255.255", False),
        ("224.0.0.1", False),
        ("239.1.1.1", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("fd00:ec2::254", False),
        ("ff02::1", False),
        ("ff0e::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:1.1.1.1", True),
        ("64:ff9b::a00:1", False),  # NAT64 of 10.0.0.1
        ("64:ff9b::101:101", True),
        ("2002:a00:1::", False),  # 6to4 of 10.0.0.1
        ("2001:0:4136:e378:8000:63bf:f5ff:fffe", False),  # Teredo
    ],
)
def test_what_an_address_of_the_internet_is(address: str, *, public: bool) -> None:
    """Whatever it is wrapped in."""
    assert is_public(ipaddress.ip_address(address)) is public
