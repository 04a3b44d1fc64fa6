"""Uppy's Companion from npm, as its manual says to run it, signing for our SeaweedFS."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from coordinator.embedded import Addresses
from tests.sdk.installation import free_port

_PATIENCE_S: Final = 60.0
_BIN: Final = (
    Path(__file__).parents[1] / "node_modules" / "@uppy" / "companion" / "bin" / "companion"
)


@contextmanager
def companion(addresses: Addresses, folder: Path, *, s3: str, origins: str) -> Iterator[str]:
    """Run one that signs for S3 at the address ``s3``, until the block ends; give its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environ = {
        "PATH": os.environ["PATH"],
        "NODE_ENV": "production",
        "COMPANION_PORT": str(port),
        "COMPANION_DOMAIN": f"127.0.0.1:{port}",
        "COMPANION_PROTOCOL": "http",
        "COMPANION_SECRET": "a secret of the benchmark's Companion",
        "COMPANION_PREAUTH_SECRET": "another secret of the benchmark's Companion",
        "COMPANION_DATADIR": str(folder),
        "COMPANION_CLIENT_ORIGINS": origins,
        "COMPANION_UPLOAD_URLS": s3,
        "COMPANION_AWS_KEY": addresses.access_key,
        "COMPANION_AWS_SECRET": addresses.secret_key,
        "COMPANION_AWS_BUCKET": addresses.s3_bucket,
        "COMPANION_AWS_REGION": addresses.s3_region,
        "COMPANION_AWS_ENDPOINT": s3,
        "COMPANION_AWS_FORCE_PATH_STYLE": "true",
        "COMPANION_AWS_PREFIX": "companion/",
        # Else its SDK signs a CRC32 of nothing into each part's URL.
        "AWS_REQUEST_CHECKSUM_CALCULATION": "WHEN_REQUIRED",
    }
    log = folder / f"companion-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(["node", str(_BIN)], env=environ, stdout=output, stderr=output)
    try:
        _until_up(url, process, log)
        yield url
    finally:
        process.terminate()
        process.wait()


def _until_up(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            httpx.get(url, timeout=5.0)
        except httpx.TransportError:
            assert process.poll() is None, log.read_text(encoding="utf-8")[-2000:]
            assert time.monotonic() < deadline, f"Companion did not start: {log}"
            time.sleep(0.1)
        else:
            return
