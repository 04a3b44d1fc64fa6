"""A failed job is run again: by operators, once more, and not while its upload is being erased."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar

from coordinator.adapters.stores import Stores
from coordinator.domain import ids
from coordinator.domain.access import Role
from coordinator.domain.attempts import attempts_of
from coordinator.domain.errors import JobNotFailedError, JobNotFoundError, RoleMissingError
from coordinator.domain.kinds import Kind
from coordinator.settings import Settings
from coordinator.worker.run_job import run_job
from tests.builders import rows
from tests.conftest import MakeKey, client_of
from tests.web.driving import completed, problem

MAX_ATTEMPTS = attempts_of(Kind.GENERATE_METADATA).most

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


@pytest.fixture
async def operator(app: Litestar, make_key: MakeKey) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody of the tenant who may run jobs again."""
    async with client_of(app, await make_key(user="olga", roles=(Role.OPERATOR,))) as opened:
        yield opened


async def _job(client: httpx.AsyncClient, upload_id: str) -> dict[str, Any]:
    [job] = (await client.get(f"/api/uploads/{upload_id}/jobs")).json()["jobs"]
    return dict(job)


@pytest.fixture
async def upload_id(client: httpx.AsyncClient, s3_http: httpx.AsyncClient) -> str:
    """A completed upload; its job is queued."""
    return await completed(client, s3_http, b'{"a": 1}\n')


@pytest.fixture
async def failed(client: httpx.AsyncClient, stores: Stores, upload_id: str) -> str:
    """The job of the upload, out of attempts."""
    job_id: str = (await _job(client, upload_id))["jobId"]
    await _change(
        stores,
        "UPDATE jobs SET state = 'failed', attempt = %s, error_code = 'OSError',"
        " started_at = now(), finished_at = now() WHERE id = %s",
        [MAX_ATTEMPTS, _number(job_id)],
    )
    return job_id


def _number(job_id: str) -> UUID:
    found = ids.decode(ids.JOB, job_id)
    assert found is not None
    return found


async def _change(stores: Stores, statement: Any, values: list[Any]) -> None:
    async with stores.pool.connection() as conn:
        await conn.execute(statement, values)


async def _entries(stores: Stores, job_id: str) -> int:
    found = await rows(
        stores.pool,
        "SELECT id FROM procrastinate_jobs WHERE args->>'job_id' = %s",
        [str(_number(job_id))],
    )
    return len(found)


async def test_a_failed_job_runs_once_more_and_succeeds(
    *,
    client: httpx.AsyncClient,
    operator: httpx.AsyncClient,
    stores: Stores,
    settings: Settings,
    upload_id: str,
    failed: str,
) -> None:
    """Attempts go on being counted, the pipeline follows, and the audit says who asked."""
    entries = await _entries(stores, failed)

    answer = await operator.post(f"/api/jobs/{failed}/retry")
    queued = (await client.get(f"/api/upload/status/{upload_id}")).json()["aiPipeline"]["status"]
    await run_job(stores, settings, _number(failed))

    assert answer.status_code == 202, answer.text
    told = answer.json()
    times = [told.pop(name) for name in ("createdAt", "startedAt", "finishedAt")]
    assert told == {
        "jobId": failed,
        "uploadId": upload_id,
        "kind": "generate_metadata",
        "parameters": {},
        "needs": [],
        "status": "queued",
        "attempt": MAX_ATTEMPTS,
        "progress": None,
        "result": None,
        "errorCode": "OSError",
        "blocks": None,
        "isCancelling": False,
    }
    assert [time is None for time in times] == [False, False, True]
    assert await _entries(stores, failed) == entries + 1
    assert queued == "initiated"
    job = await _job(client, upload_id)
    assert (job["status"], job["attempt"], job["errorCode"]) == (
        "succeeded",
        MAX_ATTEMPTS + 1,
        None,
    )
    [noted] = await rows(
        stores.pool,
        "SELECT actor, facts FROM audit WHERE action = 'job.retried' AND upload_id ="
        " (SELECT upload_id FROM jobs WHERE id = %s)",
        [_number(failed)],
    )
    assert noted["actor"].startswith("ck_")
    assert noted["facts"] == {"kind": "generate_metadata", "attempt": MAX_ATTEMPTS + 1}


async def test_the_attempt_that_was_asked_for_is_the_last_again(
    operator: httpx.AsyncClient, stores: Stores, settings: Settings, failed: str
) -> None:
    """One, not three more: whoever asked sees soon that it did not help."""
    await operator.post(f"/api/jobs/{failed}/retry")
    await _change(
        stores,
        "UPDATE uploads SET object_key = 'nowhere' WHERE id ="
        " (SELECT upload_id FROM jobs WHERE id = %s)",
        [_number(failed)],
    )
    entries = await _entries(stores, failed)

    await run_job(stores, settings, _number(failed))

    [job] = await rows(stores.pool, "SELECT * FROM jobs WHERE id = %s", [_number(failed)])
    assert (job["state"], job["attempt"]) == ("failed", MAX_ATTEMPTS + 1)
    assert await _entries(stores, failed) == entries


async def test_of_many_who_ask_at_once_one_is_heard(
    operator: httpx.AsyncClient, stores: Stores, failed: str
) -> None:
    """One more entry in the queue, whatever the number of clicks."""
    entries = await _entries(stores, failed)

    asked = [operator.post(f"/api/jobs/{failed}/retry") for _ in range(5)]
    answers = await asyncio.gather(*asked)

    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409, 409]
    assert await _entries(stores, failed) == entries + 1
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert refused.json() == problem(JobNotFailedError, state="queued")


async def test_a_job_that_has_not_failed_is_left_alone(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, upload_id: str
) -> None:
    """It waits for its first attempt."""
    before = await _job(client, upload_id)

    refused = await operator.post(f"/api/jobs/{before['jobId']}/retry")

    assert refused.json() == problem(JobNotFailedError, state="queued")
    assert await _job(client, upload_id) == before


async def test_a_foreign_job_looks_like_none_at_all(
    app: Litestar, make_key: MakeKey, stores: Stores, failed: str
) -> None:
    """Unknown, misspelled and another tenant's: one answer, and nothing happens."""
    stranger = await make_key(tenant="elsewhere", roles=(Role.OPERATOR, Role.ADMIN))
    own = await make_key(roles=(Role.OPERATOR,))
    entries = await _entries(stores, failed)

    told = []
    unknown = f"job_{'0' * 26}"
    for key, job_id in [(stranger, failed), (own, unknown), (own, "job_x%00")]:
        async with client_of(app, key) as client:
            told.append((await client.post(f"/api/jobs/{job_id}/retry")).json())

    assert told == [problem(JobNotFoundError, field="jobId")] * 3
    assert await _entries(stores, failed) == entries


async def test_nothing_runs_on_an_upload_that_is_being_erased(
    operator: httpx.AsyncClient, stores: Stores, failed: str
) -> None:
    """What it would make would outlive the erasure."""
    await _change(
        stores,
        "UPDATE uploads SET erasing_since = now() WHERE id ="
        " (SELECT upload_id FROM jobs WHERE id = %s)",
        [_number(failed)],
    )
    entries = await _entries(stores, failed)

    refused = await operator.post(f"/api/jobs/{failed}/retry")

    assert refused.json() == problem(JobNotFoundError, field="jobId")
    assert await _entries(stores, failed) == entries


@pytest.mark.parametrize("role", [Role.UPLOADER, Role.VIEWER])
async def test_others_may_not(app: Litestar, make_key: MakeKey, failed: str, role: Role) -> None:
    """Not even for jobs of their own uploads: each run costs."""
    async with client_of(app, await make_key(roles=(role,))) as client:
        refused = await client.post(f"/api/jobs/{failed}/retry")

    assert refused.json() == problem(RoleMissingError, roles=["operator", "admin"])
