"""The sinks that settings name: read and checked at the start, opened by the worker alone.

Rule: each kind is one module that is imported only where a sink of it is opened, for its library
may not be installed.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import util
from typing import Final, NamedTuple, assert_never

from coordinator.adapters.setting_text import text_of
from coordinator.adapters.sinks.sending import Send, TemporaryError
from coordinator.domain.deliveries import SEND_SECONDS, Fault
from coordinator.domain.events import Recorded
from coordinator.domain.sinks import (
    HttpSink,
    KafkaSink,
    RabbitSink,
    Sink,
    Sinks,
    SinkSettingError,
    SqsSink,
    kind_of,
    parse_sinks,
)
from coordinator.settings import Settings, SettingsError

SETTING: Final = "COORDINATOR_EVENT_SINKS"

# What a kind needs beyond the extra `server`: the module, and the extra that has it.
_NEEDS: Final = {
    "http": ("standardwebhooks", "jobs"),
    "kafka": ("aiokafka", "kafka"),
    "rabbitmq": ("aio_pika", "rabbitmq"),
}


class Outlet(NamedTuple):
    """An opened sink."""

    sink: Sink
    send: Send

    async def deliver(self, event: Recorded) -> Fault | None:
        """Send an event and return once the sink has confirmed it; else say what was wrong.

        Whatever was wrong, it may have arrived all the same.
        """
        try:
            async with asyncio.timeout(SEND_SECONDS):
                return await self.send(event)
        except TimeoutError:
            return Fault("timeout")
        except TemporaryError as exc:
            return Fault(exc.code)


@asynccontextmanager
async def open_outlet(sink: Sink) -> AsyncGenerator[Outlet]:
    """Open a sink. Nothing is asked of it before there is something to send."""
    async with AsyncExitStack() as stack:
        match sink:
            case HttpSink():
                from coordinator.adapters.sinks.http import open_http  # noqa: PLC0415

                send = await stack.enter_async_context(open_http(sink))
            case SqsSink():
                from coordinator.adapters.sinks.sqs import open_sqs  # noqa: PLC0415

                send = await stack.enter_async_context(open_sqs(sink))
            case KafkaSink():
                from coordinator.adapters.sinks.kafka import open_kafka  # noqa: PLC0415

                send = await stack.enter_async_context(open_kafka(sink))
            case RabbitSink():
                from coordinator.adapters.sinks.rabbitmq import open_rabbitmq  # noqa: PLC0415

                send = await stack.enter_async_context(open_rabbitmq(sink))
            case _ as never:
                assert_never(never)
        yield Outlet(sink, send)


def sinks_of(settings: Settings) -> Sinks:
    """Read ``COORDINATOR_EVENT_SINKS``: a JSON list, the path of a file with one, or nothing.

    Raises:
        SettingsError: it cannot be used, or a library is missing; the message says what to do.

    """
    text = text_of("event_sinks", settings.event_sinks)
    if not text:
        return Sinks(settings.event_source)
    try:
        sinks = parse_sinks(text)
    except SinkSettingError as exc:
        raise SettingsError(f"{SETTING}: {exc}") from None
    for number, sink in enumerate(sinks):
        module, extra = _NEEDS.get(kind_of(sink), ("", ""))
        if module and util.find_spec(module) is None:
            raise SettingsError(
                f"{SETTING}: [{number}] needs {module}: pip install upload-coordinator[{extra}]"
            )
    return Sinks(settings.event_source, sinks)
