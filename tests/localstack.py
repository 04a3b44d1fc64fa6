"""LocalStack in host mode: the strict S3 of the tests, from a virtual environment of its own."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from coordinator.embedded import EmbeddedError, Keeper, Server, bucket, home
from coordinator.embedded.server import Recipe

_ROOT: Final = Path(__file__).parents[1]
_KEY: Final = "test"


class S3Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where an S3 server is; named as in `coordinator.embedded.Addresses`."""

    s3_endpoint: str
    s3_bucket: str
    s3_region: str
    access_key: str
    secret_key: str


# LocalStack has one folder under /tmp for the objects of everybody: two users, or two runs, would
# meet there. No variable moves it.
_START: Final = """
import sys
from localstack.services.s3 import provider
provider.DEFAULT_S3_TMP_DIR = sys.argv[1]
from localstack.runtime.main import main
main()
"""


@contextmanager
def running_localstack(
    folder: Path, *, bucket_name: str = "datasets", cors_origins: tuple[str, ...] = ("*",)
) -> Iterator[S3Address]:
    """Run LocalStack with its files in ``folder`` and an empty bucket; it forgets all at the end.

    Raises:
        EmbeddedError: Its virtual environment is missing, or it does not start.
    """
    python = _python()
    with Keeper(folder) as keeper:
        port = home.ports(keeper.home, ["localstack"])["localstack"]
        address = S3Address(
            s3_endpoint=f"http://127.0.0.1:{port}",
            s3_bucket=bucket_name,
            s3_region=bucket.REGION,
            access_key=_KEY,
            secret_key=_KEY,
        )
        s3 = bucket.client(address.s3_endpoint, access_key=_KEY, secret_key=_KEY)
        Server(
            keeper,
            Recipe(
                name="localstack",
                argv=[python, "-c", _START, str(keeper.home / "objects")],
                folder=keeper.home,
                check=lambda: bucket.check(s3, bucket_name),
                env=_environment(keeper.home, port),
                # It keeps nothing, so there is nothing to wait for.
                stop_signal=signal.SIGKILL,
            ),
        ).start()
        bucket.prepare(s3, bucket_name, cors_origins=cors_origins)
        s3.close()
        yield address


def _python() -> Path:
    python = Path(
        os.environ.get("LOCALSTACK_PYTHON", _ROOT / ".venv-localstack" / "bin" / "python")
    )
    if not python.exists():
        raise EmbeddedError(
            f"LocalStack's virtual environment is missing ({python}): run `make test`, which "
            "prepares it, or let LOCALSTACK_PYTHON name the python of one."
        )
    return python


def _environment(folder: Path, port: int) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "FILESYSTEM_ROOT": str(folder / "files"),
        "SERVICES": "s3",
        "EAGER_SERVICE_LOADING": "1",
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        # Without this it listens on all addresses.
        "GATEWAY_SERVER": "hypercorn",
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DNS_ADDRESS": "0",
        # Without this it checks no signature.
        "S3_SKIP_SIGNATURE_VALIDATION": "0",
    }
