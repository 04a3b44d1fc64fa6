"""Redis and Postgres frozen for 30 s each, one after the other, while clients upload."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import pytest

from tests.faults.installation import Installation, frozen
from tests.faults.uploading import as_promised, found, loaded
from tests.faults.watching import Watch, connections, until, watched

pytestmark = pytest.mark.alone

_FREEZE_S: Final = 30.0
_NOTICED_S: Final = 3.0  # by then readiness has noticed
_RECOVERY_S: Final = 10.0
_REFUSED_S: Final = 13.5  # 4 s for a connection, 8 s for the answer, and a busy machine
_AT_ONCE: Final = 40
_POOL: Final = 10
_QUEUE_POOL: Final = 5  # with the listener
_ATTEMPTS: Final = 3  # to connect, of each pool; one that was given up is closed a little later


@pytest.fixture
def api(installation: Installation) -> Iterator[httpx.Client]:
    """A client without patience: it sees every answer."""
    headers = {"Authorization": f"Bearer {installation.key}"}
    with httpx.Client(base_url=installation.url, headers=headers, timeout=30.0) as client:
        yield client


def _ask(api: httpx.Client) -> tuple[float, httpx.Response]:
    started = time.monotonic()
    answer = api.get("/api/uploads?limit=1")
    return time.monotonic() - started, answer


def _ask_many(api: httpx.Client) -> list[tuple[float, httpx.Response]]:
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(lambda _: _ask(api), range(_AT_ONCE)))


def _frozen_redis(installation: Installation, api: httpx.Client, watch: Watch) -> None:
    """Everything goes on but reports; nobody waits for Redis but a moment."""
    with frozen(installation.servers.valkey.pid or 0):
        began = time.monotonic()
        time.sleep(_NOTICED_S)
        asked = _ask_many(api)
        before = len(found(installation))
        time.sleep(_FREEZE_S - (time.monotonic() - began))
        ended = time.monotonic()
        assert len(found(installation)) > before, "uploads go on"

    assert {answer.status_code for _, answer in asked} == {200}
    assert watch.told("/readyz", since=began, until=ended) == {200}


def _frozen_postgres(installation: Installation, api: httpx.Client, watch: Watch) -> None:
    """Requests are refused in time, and connections do not pile up."""
    port = urlsplit(installation.database_url).port or 0
    with frozen(installation.servers.postgres.pid or 0):
        began = time.monotonic()
        asked = _ask_many(api)
        time.sleep(_FREEZE_S - (time.monotonic() - began))
        ended = time.monotonic()
        held = connections(installation.service.pid, port)
        held_by_worker = connections(installation.worker.pid, port)

    assert {answer.status_code for _, answer in asked} == {503}
    assert {answer.json()["code"] for _, answer in asked} == {"unavailable"}
    assert all("retry-after" in answer.headers for _, answer in asked)
    assert max(seconds for seconds, _ in asked) < _REFUSED_S
    assert held <= _POOL + _ATTEMPTS
    assert held_by_worker <= _POOL + _QUEUE_POOL + 2 * _ATTEMPTS
    assert watch.told("/readyz", since=began + _NOTICED_S, until=ended) == {503}


def test_freezes_of_half_a_minute_cost_time_only(
    installation: Installation, api: httpx.Client, tmp_path: Path
) -> None:
    """Health answers all the time; what was under way is finished; jobs run soon afterwards."""
    with loaded(installation, tmp_path) as load, watched(installation.url) as watch:
        until(lambda: len(load.completed) >= 3, within_s=30)
        _frozen_redis(installation, api, watch)
        until(lambda: '"redis":"ok"' in watch.seen_last("/readyz"), within_s=_RECOVERY_S)

        _frozen_postgres(installation, api, watch)
        until(lambda: _ask(api)[1].is_success, within_s=_RECOVERY_S)
        back = time.monotonic()
        done = len(load.completed)
        until(lambda: len(load.completed) >= done + 3, within_s=20)
        steady = time.monotonic()

    assert watch.slowest("/healthz") < 1.0
    assert watch.slowest("/readyz") < 2.5
    assert watch.slowest("/metrics") < 2.5
    assert watch.told("/readyz", since=back + 2.0, until=steady) <= {200}
    until(lambda: as_promised(installation, load.completed), within_s=15)
