"""A client that is told to slow down does, and its upload comes to a good end."""

import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from coordinator.embedded import Addresses
from coordinator.sdk import Client
from tests.sdk.installation import prepared, serving
from tests.web.driving import root_of

_TIGHT: Final = "open=1/s:1 sign=1/s:1 report=1/s:1 complete=1/s:1 read=1/s:1"


def _refused(url: str) -> dict[str, float]:
    """Return how many requests of each class were refused."""
    return {
        sample.labels["class"]: sample.value
        for family in text_string_to_metric_families(httpx.get(f"{url}/metrics").text)
        for sample in family.samples
        if sample.name == "rate_limited_total"
    }


def test_uploads_outlive_a_tight_limit(
    servers: Addresses, tmp_path: Path, make_file: Callable[..., Path]
) -> None:
    """One request a second, three at once: the refused are sent again when the service says."""
    secret = secrets.token_hex(32)  # of this test only, so that nobody else uses up its limits
    environ, key = prepared(
        servers,
        database=f"sdk_limits_{os.getpid()}",
        COORDINATOR_SECRET=secret,
        COORDINATOR_RATE_LIMITS_USER=_TIGHT,
    )
    paths = [make_file(1_000, f"{number}.bin") for number in range(3)]

    with (
        serving(environ, tmp_path) as url,
        Client(url, key) as client,
        ThreadPoolExecutor(3) as threads,
    ):
        handles = list(threads.map(client.upload, paths))
        refused = _refused(url)

    assert len({handle.upload_id for handle in handles}) == 3
    assert [handle.result.manifest.root for handle in handles] == [
        root_of([path.read_bytes()]) for path in paths
    ]
    assert refused["open"] >= 2
