"""Sinks: where events go, as an operator says it, checked before anything relies on it.

Rule: addresses and secrets of sinks are in no log, repr, error or answer; a sink is its name.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Final, Literal
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
from msgspec import Meta
from typing_extensions import override

from coordinator.domain.events import Type
from coordinator.domain.outbound import WHSEC, faults_of_address, is_secret

_NAME: Final = r"^[a-z0-9][a-z0-9-]{0,39}\Z"
_Name = Annotated[str, Meta(pattern=_NAME)]
_Text = Annotated[str, Meta(min_length=1)]


class SinkSettingError(ValueError):
    """A member cannot be used; the message names it and says what to do, without its value."""


class _Sink(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    forbid_unknown_fields=True,
    tag_field="kind",
):
    name: _Name  # what operators see; rows of deliveries have it
    types: Annotated[tuple[_Text, ...], Meta(min_length=1)] = ("*",)

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def takes(self, kind: str) -> bool:
        """Whether it wants events of this type."""
        return any(_matches(pattern, kind) for pattern in self.types)

    @property
    def confidential(self) -> set[str]:
        """What no log may show."""
        return set()


class HttpSink(_Sink, tag="http", frozen=True, kw_only=True):
    """A webhook, signed as Standard Webhooks has it."""

    url: _Text
    secret: _Text | Annotated[tuple[_Text, ...], Meta(min_length=1)]  # several while one is changed
    allow_private: bool = False  # an address that is not of the Internet, and http://

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets, each of which signs."""
        return (self.secret,) if isinstance(self.secret, str) else self.secret

    @property
    @override
    def confidential(self) -> set[str]:
        query = urlsplit(self.url).query
        bare = {secret.removeprefix(WHSEC) for secret in self.secrets}
        return ({*self.secrets, query} | bare) - {""}


class SqsSink(_Sink, tag="sqs", frozen=True, kw_only=True):
    """A queue of SQS; credentials are botocore's chain's."""

    queue_url: _Text
    region: str = ""  # empty: as the queue's address has it
    endpoint: str = ""  # empty: AWS

    @property
    def is_fifo(self) -> bool:
        """Whether it keeps order and drops what it has."""
        return self.queue_url.endswith(".fifo")

    @property
    def signing_region(self) -> str:
        """The region that requests are signed for; empty where nothing says it."""
        found = re.fullmatch(
            r"sqs\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?", _host(self.queue_url) or ""
        )
        return self.region or (found[1] if found else "")


class KafkaSink(_Sink, tag="kafka", frozen=True, kw_only=True):
    """A topic of Kafka, or of what speaks its protocol."""

    servers: _Text  # host:port, separated by commas
    topic: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,249}\Z")]
    tls: bool = False
    username: str = ""
    password: str = ""
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"

    @property
    @override
    def confidential(self) -> set[str]:
        return {self.password} - {""}


class RabbitSink(_Sink, tag="rabbitmq", frozen=True, kw_only=True):
    """An exchange of RabbitMQ. It must exist, and route: what no queue gets is not delivered."""

    url: _Text
    exchange: str
    routing_key: str = ""  # empty: the event's type

    @property
    @override
    def confidential(self) -> set[str]:
        password = urlsplit(self.url).password or ""
        return {password, unquote(password)} - {""}


Sink = HttpSink | SqsSink | KafkaSink | RabbitSink
KINDS: Final = ("http", "sqs", "kafka", "rabbitmq")


def is_name(text: str) -> bool:
    """Whether a sink could have this name."""
    return re.match(_NAME, text) is not None


def kind_of(sink: Sink) -> str:
    """Return the kind, as settings have it."""
    tag: str = type(sink).__struct_config__.tag  # type: ignore[assignment] # of these it is a str
    return tag


class Sinks(msgspec.Struct, frozen=True):
    """All sinks, and in whose name events are sent."""

    source: str = "/upload-coordinator"
    all: tuple[Sink, ...] = ()

    def wanting(self, kind: str) -> list[str]:
        """Return the names of the sinks that want events of this type."""
        return [sink.name for sink in self.all if sink.takes(kind)]


NO_SINKS: Final = Sinks()


def parse_sinks(text: str) -> tuple[Sink, ...]:
    """Read a JSON list of sinks.

    Raises:
        SinkSettingError: it is no such list, or a member of it would be unsafe.

    """
    try:
        sinks = msgspec.json.decode(text, type=tuple[Sink, ...])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise SinkSettingError(_readable(str(exc))) from None
    for number, sink in enumerate(sinks):
        for member, advice in _faults(sink):
            raise SinkSettingError(f"[{number}].{member}: {advice}")
    names = [each.name for each in sinks]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise SinkSettingError(f"[{number}].name: it is in the list twice; rename one.")
    return sinks


def _matches(pattern: str, kind: str) -> bool:
    if pattern.endswith("*"):
        return kind.startswith(pattern[:-1])
    return kind == pattern


def _faults(sink: Sink) -> Iterator[tuple[str, str]]:
    for pattern in sink.types:
        plain = pattern in {"*", *Type} or pattern in {"upload.*", "job.*"}
        if not plain:
            yield "types", f"possible are *, upload.*, job.*, {', '.join(Type)}."
    match sink:
        case HttpSink():
            yield from _faults_of_http(sink)
        case SqsSink():
            yield from _faults_of_sqs(sink)
        case KafkaSink():
            yield from _faults_of_kafka(sink)
        case RabbitSink():
            if _host(sink.url) is None or _split(sink.url).scheme not in {"amqp", "amqps"}:
                yield "url", "write amqp://user:password@host:port/vhost, or amqps://."


def _faults_of_http(sink: HttpSink) -> Iterator[tuple[str, str]]:
    yield from faults_of_address("url", sink.url, allow_private=sink.allow_private)
    if not all(map(is_secret, sink.secrets)):
        yield "secret", "whsec_ and the base64 of 24 to 64 random bytes."


def _faults_of_sqs(sink: SqsSink) -> Iterator[tuple[str, str]]:
    for member, url in (("queueUrl", sink.queue_url), ("endpoint", sink.endpoint)):
        if url and (_host(url) is None or _split(url).scheme not in {"https", "http"}):
            yield member, "it must begin with https:// or http://."
    if not sink.signing_region:
        yield "region", "set it: the queue's address does not say it."


def _faults_of_kafka(sink: KafkaSink) -> Iterator[tuple[str, str]]:
    for server in sink.servers.split(","):
        parts = _split(f"kafka://{server.strip()}")
        if _host(parts.geturl()) is None or parts.port is None or parts.path:
            yield "servers", "write host:port, separated by commas."
    if bool(sink.username) != bool(sink.password):
        yield "password", "set both username and password, or neither."


def _split(url: str) -> SplitResult:
    """Split an address; one that is none becomes an empty one."""
    try:
        parts = urlsplit(url)
        _port = parts.port
    except ValueError:
        return urlsplit("")
    return parts


def _host(url: str) -> str | None:
    parts = _split(url)
    return parts.hostname if re.fullmatch(r"[\x21-\x7e]+", url) else None


_UNKNOWN: Final = re.compile(r"contains unknown field `([^`]*)`")


def _readable(message: str) -> str:
    """Say what msgspec found, and what to write instead. It never shows a secret's value."""
    message = message.replace("`$", "`")
    if unknown := _UNKNOWN.search(message):
        near = difflib.get_close_matches(unknown[1], _members(), n=1)
        advice = f"did you mean {near[0]}?" if near else "docs/events.md lists them."
        return f"{message}; {advice}"
    if ".kind" in message or "`kind`" in message:
        return f"{message}; possible are {', '.join(KINDS)}."
    return f"{message}; docs/events.md says what each member is."


def _members() -> Iterable[str]:
    structs = (HttpSink, SqsSink, KafkaSink, RabbitSink)
    return {name for each in structs for name in each.__struct_encode_fields__}
