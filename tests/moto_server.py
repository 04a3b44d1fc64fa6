"""moto's server: an S3 that checks nothing, to show that the service notices."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coordinator.embedded import Keeper, Server, bucket, home
from coordinator.embedded.server import Recipe
from tests.localstack import S3Address


@contextmanager
def running_moto(folder: Path, *, bucket_name: str = "datasets") -> Iterator[S3Address]:
    """Run moto's server on a free port with an empty bucket until the block ends.

    Raises:
        EmbeddedError: It does not start.
    """
    with Keeper(folder) as keeper:
        port = home.ports(keeper.home, ["moto"])["moto"]
        address = S3Address(
            s3_endpoint=f"http://127.0.0.1:{port}",
            s3_bucket=bucket_name,
            s3_region=bucket.REGION,
            access_key="test",
            secret_key="test",
        )
        s3 = bucket.client(address.s3_endpoint, access_key="test", secret_key="test")
        Server(
            keeper,
            Recipe(
                name="moto",
                argv=[sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
                folder=keeper.home,
                check=lambda: bucket.check(s3, bucket_name),
                env={"HOME": str(keeper.home), "PATH": "/usr/bin:/bin"},
            ),
        ).start()
        bucket.prepare(s3, bucket_name, cors_origins=("*",))
        s3.close()
        yield address
