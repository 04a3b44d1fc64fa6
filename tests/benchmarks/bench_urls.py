"""``POST /api/upload/urls`` as clients meet it: a running service, 1,000 chunks a request.

Every request is for chunks that were not signed before, so that each stores its digests.
"""

from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from typing import Final

import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from coordinator.cli.local import Local
from tests.benchmarks.installation import BATCH, CHUNKS, Client, counted, installed, started
from tests.benchmarks.measuring import Row, exactly, ratio

PATH: Final = "/api/upload/urls"
_ROUNDS: Final = 15
_COUNTED: Final = 5
_UVICORN: Final = (
    "-m",
    "uvicorn",
    "--log-level",
    "warning",
    "--no-access-log",
    "--factory",
    "tests.benchmarks.botocore_endpoint:create_app",
)
# psycopg prepares a statement at its sixth use on a connection, which costs one more round trip.
_WARM_UP: Final = 20
_KEY_SECONDS: Final = 5.1  # a service asks for an API key again after 5 s, so not while we count


def measure() -> list[Row]:
    """Return the rows for round trips, and for the speed over HTTP."""
    with installed() as local:
        return [*_round_trips(local), *_speed(local)]


def batches(client: Client) -> Iterator[bytes]:
    """Yield request bodies for ever, each for 1,000 chunks that nobody has signed yet."""
    while True:
        upload_id = client.new_upload()
        for first in range(0, CHUNKS, BATCH):
            chunks = [
                {"chunkIndex": index, "sha256": sha256(b"%d" % index).hexdigest()}
                for index in range(first, first + BATCH)
            ]
            yield msgspec.json.encode({"uploadId": upload_id, "chunks": chunks})


def _round_trips(local: Local) -> list[Row]:
    with counted(local) as service:
        bodies = batches(service.client)
        for body in islice(bodies, _WARM_UP):
            service.client.post(PATH, body)
        asked, warm = list(islice(bodies, _COUNTED)), next(bodies)
        service.client.pause(_KEY_SECONDS)
        service.client.post(PATH, warm)  # which looks the API key up again
        seen = [service.round_trips(PATH, body) for body in asked]
    postgres, redis, s3 = (max(counts) for counts in zip(*seen, strict=True))
    return [
        exactly("sign 1,000 over HTTP: round trips to Postgres", postgres, 1),
        exactly("sign 1,000 over HTTP: round trips to Redis", redis, 2),
        exactly("sign 1,000 over HTTP: round trips to S3", s3, 0),
    ]


def _speed(local: Local) -> list[Row]:
    ours_url = started(local, "ours", "-m", "coordinator", "serve")
    theirs_url = started(local, "botocore", *_UVICORN)
    service, botocore = (Client(url, local.api_key) for url in (ours_url, theirs_url))
    bodies = list(islice(batches(service), 2 * _ROUNDS + _WARM_UP))
    for body in bodies[:_WARM_UP]:
        service.post(PATH, body)
    ours, theirs = iter(bodies[_WARM_UP:]), iter(bodies)
    before = _seconds(ours_url)
    faster = ratio(
        lambda: botocore.post(PATH, next(theirs)),
        lambda: service.post(PATH, next(ours)),
        rounds=_ROUNDS,
    )
    request, signing = (
        after - then for after, then in zip(_seconds(ours_url), before, strict=True)
    )
    return [
        Row("sign 1,000 over HTTP: URLs/s of ours / of a botocore endpoint", faster),
        Row("sign 1,000 over HTTP: share of the request outside signing", 1 - signing / request),
    ]


def _seconds(url: str) -> tuple[float, float]:
    """Return what the service has spent so far: on signing requests, and within them on signing."""
    samples = {
        (sample.name, sample.labels.get("route")): sample.value
        for family in text_string_to_metric_families(httpx.get(f"{url}/metrics").text)
        for sample in family.samples
    }
    request = samples["http_request_duration_seconds_sum", PATH]
    return request, samples["signing_duration_seconds_sum", None]
