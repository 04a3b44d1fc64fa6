"""PostgreSQL, Valkey and SeaweedFS under one roof: started together, ended together."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import msgspec

from coordinator.embedded import bucket as buckets
from coordinator.embedded import home as homes
from coordinator.embedded import postgres, seaweedfs, valkey
from coordinator.embedded.keeper import Keeper
from coordinator.embedded.server import Server


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where the servers are and how to get in; what the settings of the service need."""

    database_url: str
    redis_url: str
    s3_endpoint: str
    s3_bucket: str
    s3_region: str
    access_key: str
    secret_key: str


class Servers(msgspec.Struct, frozen=True, kw_only=True):
    """The running servers. Each can be stopped, killed and started again; ports and data stay.

    ``keeper`` runs further processes that must end with this one, such as service and worker.
    """

    addresses: Addresses
    postgres: Server
    valkey: Server
    seaweedfs: Server
    keeper: Keeper


@contextmanager
def running(
    home: Path, *, bucket: str = "datasets", cors_origins: Sequence[str] = ("*",)
) -> Iterator[Servers]:
    """Run the servers with their data under ``home``, prepared and answering, until the block ends.

    Pages of ``cors_origins`` are let into the bucket; with none, its rules stay as they are.
    Data, ports and secrets are kept in ``home``: the next time everything is where it was. The
    servers end with this process, whatever ends it.

    Raises:
        EmbeddedError: ``home`` is in use, or a server does not start; the message says why.
    """
    with Keeper(home) as keeper:
        yield _start(keeper, bucket=bucket, cors_origins=cors_origins)


def _start(keeper: Keeper, *, bucket: str, cors_origins: Sequence[str]) -> Servers:
    secret = homes.credentials(keeper.home)
    ports = homes.ports(
        keeper.home, ["postgres", "valkey", *seaweedfs.PORTS], is_usable=seaweedfs.is_usable
    )
    endpoint = f"http://127.0.0.1:{ports['s3.port']}"

    def start_postgres() -> Server:
        server = Server(
            keeper,
            postgres.recipe(
                keeper,
                port=ports["postgres"],
                password=secret.database_password,
                account=postgres.choose_account(keeper),
            ),
        )
        server.start()
        postgres.prepare(ports["postgres"], secret.database_password)
        return server

    def start_valkey() -> Server:
        server = Server(
            keeper,
            valkey.recipe(keeper.home, port=ports["valkey"], password=secret.redis_password),
        )
        server.start()
        return server

    def start_seaweedfs() -> Server:
        s3 = buckets.client(endpoint, access_key=secret.access_key, secret_key=secret.secret_key)
        # A write that hangs while SeaweedFS comes up never ends; the next one does.
        hasty = buckets.client(
            endpoint, access_key=secret.access_key, secret_key=secret.secret_key, deadline_s=1.5
        )
        server = Server(
            keeper,
            seaweedfs.recipe(
                keeper.home,
                ports={flag: ports[flag] for flag in seaweedfs.PORTS},
                access_key=secret.access_key,
                secret_key=secret.secret_key,
                check=lambda: buckets.check(hasty, bucket),
            ),
        )
        server.start()
        buckets.prepare(s3, bucket, cors_origins=cors_origins)
        return server

    started = _together(keeper, [start_postgres, start_valkey, start_seaweedfs])
    return Servers(
        addresses=Addresses(
            database_url=postgres.address(ports["postgres"], secret.database_password),
            redis_url=f"redis://:{secret.redis_password}@127.0.0.1:{ports['valkey']}/0",
            s3_endpoint=endpoint,
            s3_bucket=bucket,
            s3_region=buckets.REGION,
            access_key=secret.access_key,
            secret_key=secret.secret_key,
        ),
        postgres=started[0],
        valkey=started[1],
        seaweedfs=started[2],
        keeper=keeper,
    )


def _together(keeper: Keeper, starts: Sequence[Callable[[], Server]]) -> list[Server]:
    """Start all at once. If one fails, or we are interrupted, the others are not waited for."""
    with ThreadPoolExecutor(len(starts)) as threads:
        futures = [threads.submit(start) for start in starts]
        try:
            return [future.result() for future in futures]
        except BaseException:
            keeper.close()
            raise
