"""Redis emptied, killed and absent, Postgres killed: time is lost, and nothing else."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import redis

from tests.builders import SMALLEST, cut, some_bytes
from tests.faults.installation import Installation
from tests.faults.uploading import as_promised, found, loaded
from tests.faults.watching import until
from tests.web.driving import a_file, sha256

_CHUNKS: Final = cut(some_bytes(SMALLEST + 3), SMALLEST)


@pytest.fixture
def api(installation: Installation) -> Iterator[httpx.Client]:
    """A client without patience: it sees every answer."""
    headers = {"Authorization": f"Bearer {installation.key}"}
    with httpx.Client(base_url=installation.url, headers=headers, timeout=20.0) as client:
        yield client


def _upload(
    api: httpx.Client, name: str, between: Any, *, query: str = ""
) -> list[tuple[str, int]]:
    """Upload as a client does, call by call; ``between`` happens before each of them."""
    answers: list[tuple[str, int]] = []

    def call(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        between(len(answers))
        answer = api.request(method, path, json=body)
        answers.append((f"{method} {path.partition('upl_')[0]}", answer.status_code))
        told: dict[str, Any] = answer.json()
        return told

    size = sum(map(len, _CHUNKS))
    upload_id = call("POST", "/api/upload/init", a_file(size, fileName=name))["uploadId"]
    wanted = [{"chunkIndex": index, "sha256": sha256(chunk)} for index, chunk in enumerate(_CHUNKS)]
    signed = call("POST", "/api/upload/urls", {"uploadId": upload_id, "chunks": wanted})["chunks"]
    for each in signed:
        between(len(answers))
        chunk = _CHUNKS[each["chunkIndex"]]
        httpx.put(each["url"], content=chunk, headers=each["headers"]).raise_for_status()
        report = {"uploadId": upload_id, "chunkIndex": each["chunkIndex"]}
        call("POST", "/api/upload/chunk", report)
        seen = call("GET", f"/api/upload/status/{upload_id}{query}")
        assert each["chunkIndex"] not in seen["missingChunks"]
    call("POST", "/api/upload/complete", {"uploadId": upload_id})
    done = call("GET", f"/api/upload/status/{upload_id}")
    assert (done["status"], done["progress"]["percentage"]) == ("COMPLETED", 100.0)
    return answers


def _jobs_done(installation: Installation, name: str) -> bool:
    jobs = [row["jobs"] for row in found(installation) if row["file_name"] == name]
    return jobs == [["generate_metadata succeeded"]]


def test_redis_may_be_emptied_before_every_call_of_an_upload(
    installation: Installation, api: httpx.Client
) -> None:
    """Each step rebuilds what it needs from S3 and the signings."""
    with redis.Redis.from_url(installation.servers.addresses.redis_url) as cache:
        answers = _upload(api, "emptied.jsonl", lambda _: cache.flushall())

    assert {status for _, status in answers} == {200, 201}
    until(lambda: _jobs_done(installation, "emptied.jsonl"), within_s=60)


@pytest.mark.parametrize("killed_at", [0, 3], ids=["before-the-first-call", "in-the-middle"])
def test_redis_may_be_away_from_any_call_on(
    installation: Installation, api: httpx.Client, killed_at: int
) -> None:
    """Reports are refused, as the table in docs/stores.md has it; status asks S3 instead."""
    name = f"away-{killed_at}.jsonl"
    valkey = installation.servers.valkey

    answers = _upload(api, name, lambda at: valkey.kill() if at == killed_at else None)
    valkey.start()

    refused = {call for call, status in answers[killed_at:] if status == 503}
    assert refused == {"POST /api/upload/chunk"}
    assert {status for _, status in answers} == {200, 201, 503}
    until(lambda: _jobs_done(installation, name), within_s=60)
    until(lambda: api.get("/readyz").json()["redis"] == "ok", within_s=10)


def test_redis_may_come_back_in_the_middle_of_an_upload(
    installation: Installation, api: httpx.Client
) -> None:
    """What it knew before the crash is right, or asked anew."""
    valkey = installation.servers.valkey

    def restart(at: int) -> None:
        if at == 3:
            valkey.kill()
            valkey.start()

    answers = _upload(api, "back.jsonl", restart)

    assert {status for _, status in answers} == {200, 201}
    until(lambda: _jobs_done(installation, "back.jsonl"), within_s=60)


def test_a_redis_that_is_full_is_as_good_as_none(
    installation: Installation, api: httpx.Client
) -> None:
    """It answers, and refuses to write. What it knows is old then, unless S3 is asked."""
    with redis.Redis.from_url(installation.servers.addresses.redis_url) as cache:
        cache.config_set("maxmemory", "1")
        try:
            answers = _upload(api, "full.jsonl", lambda _: None, query="?verify=true")
        finally:
            cache.config_set("maxmemory", "0")

    refused = {call for call, status in answers if status == 503}
    assert refused == {"POST /api/upload/chunk"}
    assert {status for _, status in answers} == {200, 201, 503}


def test_a_crash_of_postgres_under_load_loses_no_upload(
    installation: Installation, tmp_path: Path
) -> None:
    """Clients and worker go on by themselves; each file is completed once, with its jobs once."""
    postgres = installation.servers.postgres
    before = [row["file_name"] for row in found(installation) if row["phase"] == "COMPLETED"]

    with loaded(installation, tmp_path) as load:
        until(lambda: len(load.completed) >= 4, within_s=20)
        postgres.kill()
        time.sleep(1.0)
        postgres.start()
        back = until(lambda: _answers(installation), within_s=10)
        done = len(load.completed)
        until(lambda: len(load.completed) >= done + 4, within_s=20)

    assert back < 10.0
    until(lambda: as_promised(installation, before + load.completed), within_s=30)
    assert installation.worker.is_running


def _answers(installation: Installation) -> bool:
    headers = {"Authorization": f"Bearer {installation.key}"}
    return httpx.get(f"{installation.url}/api/uploads", headers=headers, timeout=20).is_success
