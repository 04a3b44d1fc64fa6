"""Trainings after the hand-off: trainers call back, or are asked, until they are over."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from litestar import Litestar

from coordinator.adapters.stores import Stores
from coordinator.domain import callback_tokens
from coordinator.domain.errors import (
    InvalidFieldError,
    JobNotFoundError,
    RoleMissingError,
    UnauthenticatedError,
)
from coordinator.domain.jobs import Job
from coordinator.domain.trainers import OpenAiTrainer, Trainer, WebhookTrainer
from coordinator.operations.poll_trainings import poll_trainings
from coordinator.redaction import redact
from coordinator.settings import Settings
from tests.adapters.sinks.receiver import SECRET
from tests.builders import rows
from tests.conftest import MakeKey, client_of
from tests.training_servers import KEY, openai_server
from tests.web.driving import completed, problem
from tests.web.trainings import hand_over, public, training

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_AT_ONCE = timedelta(0)
_HOOK = WebhookTrainer(name="hook", url="https://train.example/", secret=SECRET, callback=True)


@pytest.fixture
async def upload_id(client: httpx.AsyncClient, s3_http: httpx.AsyncClient) -> str:
    """A completed upload."""
    return await completed(client, s3_http, b'{"a": 1}\n')


@pytest.fixture
async def running(stores: Stores, upload_id: str) -> Job:
    """A job that hands its data set over just now."""
    return await training(stores, upload_id)


@pytest.fixture
async def trainer(
    app: Litestar, settings: Settings, running: Job
) -> AsyncIterator[httpx.AsyncClient]:
    """Whoever got the job's message, with the token that was in it."""
    token = callback_tokens.mint(public(running), secret=settings.secret)
    async with client_of(app, token) as opened:
        yield opened


def _path(job: Job) -> str:
    return f"/api/jobs/{public(job)}/callback"


async def _result(client: httpx.AsyncClient, job: Job) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"/api/jobs/{public(job)}")).json()["result"]
    return {name: value for name, value in found.items() if name.startswith("external")}


async def test_a_trainer_tells_how_it_goes(
    client: httpx.AsyncClient, stores: Stores, running: Job, trainer: httpx.AsyncClient
) -> None:
    """Any number of times; the job's result says it, and the audit how it ended."""
    await hand_over(stores, running)
    first = await trainer.post(_path(running), json={"status": "running"})
    seen = await _result(client, running)
    last = {"status": "succeeded", "model": "s3://m/1", "detail": "3 epochs,\n  loss 0.1"}
    answers = [await trainer.post(_path(running), json=last) for _ in range(3)]

    assert (first.status_code, first.json()) == (
        200,
        {"jobId": public(running), "externalStatus": "running"},
    )
    assert seen["externalStatus"] == "running"
    assert {each.json()["externalStatus"] for each in answers} == {"succeeded"}
    assert await _result(client, running) == {
        "externalId": None,
        "externalStatus": "succeeded",
        "externalModel": "s3://m/1",
        "externalDetail": "3 epochs, loss 0.1",
    }
    audited = await rows(
        stores.pool,
        "SELECT actor, facts FROM audit WHERE action = 'training.ended' AND upload_id = %s",
        [running.upload_id],
    )
    assert audited == [
        {
            "actor": public(running),
            "facts": {"via": "trainer", "job": public(running), "status": "succeeded"},
        }
    ]


async def test_the_first_final_word_is_the_last(
    client: httpx.AsyncClient, stores: Stores, running: Job, trainer: httpx.AsyncClient
) -> None:
    """Messages come late and in another order."""
    await hand_over(stores, running)
    await trainer.post(_path(running), json={"status": "failed", "detail": "out of memory"})

    late = [
        (await trainer.post(_path(running), json={"status": status})).json()["externalStatus"]
        for status in ("running", "succeeded", "cancelled")
    ]

    assert late == ["failed", "failed", "failed"]
    assert (await _result(client, running))["externalDetail"] == "out of memory"


async def test_a_trainer_may_be_faster_than_we_are(
    client: httpx.AsyncClient, stores: Stores, running: Job, trainer: httpx.AsyncClient
) -> None:
    """What it says before the job has ended is kept, and told afterwards."""
    answer = await trainer.post(_path(running), json={"status": "succeeded", "model": "m"})
    await hand_over(stores, running)
    before = await _result(client, running)
    await poll_trainings(stores, [_HOOK])

    assert answer.json()["externalStatus"] == "succeeded"
    assert before["externalStatus"] == "submitted"
    after = await _result(client, running)
    assert (after["externalStatus"], after["externalModel"]) == ("succeeded", "m")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token[:-1] + ("0" if token[-1] != "0" else "1"),
        lambda token: token[:-1],
        lambda token: token.upper(),
        lambda _token: "cb_",
        lambda token: token.replace("cb_", "cb_0", 1)[:-1],
    ],
)
async def test_a_token_that_is_none_of_ours_is_refused(
    app: Litestar, settings: Settings, running: Job, spoil: Callable[[str], str]
) -> None:
    """Whatever was done to it."""
    token = spoil(callback_tokens.mint(public(running), secret=settings.secret))
    async with client_of(app, token) as stranger:
        answer = await stranger.post(_path(running), json={"status": "succeeded"})

    assert answer.status_code == 401
    assert answer.json()["code"] == UnauthenticatedError.code


async def test_a_token_is_good_for_its_own_job_and_for_nothing_else(
    app: Litestar, settings: Settings, running: Job, trainer: httpx.AsyncClient
) -> None:
    """Another job is not found, whether or not there is one; other routes are not for it."""
    other = "job_00000000000000000000000001"
    answers = [
        await trainer.post(f"/api/jobs/{name}/callback", json={"status": "running"})
        for name in (other, "job_x")
    ]
    elsewhere = [
        await trainer.get(f"/api/jobs/{public(running)}"),
        await trainer.get("/api/uploads"),
        await trainer.post(f"/api/jobs/{public(running)}/retry"),
    ]
    async with client_of(app, callback_tokens.mint(other, secret=settings.secret)) as nobody:
        unknown = await nobody.post(f"/api/jobs/{other}/callback", json={"status": "running"})

    assert [each.status_code for each in answers] == [404, 404]
    assert all(each.json() | problem(JobNotFoundError) == each.json() for each in answers)
    assert {each.json()["code"] for each in elsewhere} == {RoleMissingError.code}
    assert unknown.status_code == 401


async def test_others_may_not_speak_for_a_trainer(
    app: Litestar, running: Job, make_key: MakeKey
) -> None:
    """Not even an admin."""
    async with client_of(app, None) as nobody:
        assert (await nobody.post(_path(running), json={"status": "running"})).status_code == 401
    async with client_of(app, await make_key()) as uploader:
        answer = await uploader.post(_path(running), json={"status": "running"})

    assert (answer.status_code, answer.json()["code"]) == (403, RoleMissingError.code)


@pytest.mark.parametrize(
    "body",
    [{}, {"status": "submitted"}, {"status": 1}, {"status": "running", "more": 1}, {"model": "m"}],
)
async def test_what_means_nothing_is_refused(
    running: Job, trainer: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    """A status that only we give, too."""
    answer = await trainer.post(_path(running), json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, InvalidFieldError.code)


async def test_a_token_is_hidden_in_logs(settings: Settings, running: Job) -> None:
    """Wherever it stands; whose it was may be read."""
    token = callback_tokens.mint(public(running), secret=settings.secret)
    secret = token.rpartition("_")[2]

    for text in (token, f'{{"token": "{token}"}}', f"Bearer {token}", f"sent {token}."):
        assert secret not in redact(text)
    assert token.removesuffix(secret) in redact(token)


async def test_trainers_are_asked_until_it_is_over(
    client: httpx.AsyncClient, stores: Stores, running: Job
) -> None:
    """While one is away nothing changes; when it is over, nobody asks again."""
    asked = []
    with openai_server() as server:
        llm: Trainer = OpenAiTrainer(
            name="llm", url=server.url, api_key=KEY, model="m", allow_private=True
        )
        server.jobs = [{"id": "ftjob-0", "status": "running"}]
        await hand_over(stores, running, trainer="llm", followedBy="polling", externalId="ftjob-0")
        await poll_trainings(stores, [llm], every=_AT_ONCE)
        asked.append((await _result(client, running))["externalStatus"])
        assert await poll_trainings(stores, [llm], every=timedelta(minutes=5)) == 0
        server.fault = lambda *_: 500
        assert await poll_trainings(stores, [llm], every=_AT_ONCE) == 1
        server.fault = lambda *_: False
        server.jobs = [{"id": "ftjob-0", "status": "succeeded", "fine_tuned_model": "ft:m:1"}]
        await poll_trainings(stores, [llm], every=_AT_ONCE)
        calls = len(server.asked)
        assert await poll_trainings(stores, [llm], every=_AT_ONCE) == 0

    assert asked == ["running"]
    assert len(server.asked) == calls
    assert await _result(client, running) == {
        "externalId": "ftjob-0",
        "externalStatus": "succeeded",
        "externalModel": "ft:m:1",
        "externalDetail": None,
    }


async def test_a_training_of_which_nobody_hears_is_unknown_after_a_month(
    client: httpx.AsyncClient, stores: Stores, running: Job
) -> None:
    """Its trainer may have left the settings."""
    await hand_over(stores, running, trainer="gone", followedBy="polling", externalId="x")
    await poll_trainings(stores, [], every=_AT_ONCE)
    before = await _result(client, running)
    async with stores.pool.connection() as conn:
        await conn.execute(
            "UPDATE trainings SET begun_at = now() - interval '31 days' WHERE job_id = %s",
            [running.id],
        )
    await poll_trainings(stores, [], every=_AT_ONCE)

    assert before["externalStatus"] == "submitted"
    assert (await _result(client, running))["externalStatus"] == "unknown"


async def test_nothing_is_left_of_a_training_when_its_job_goes(
    stores: Stores, running: Job, trainer: httpx.AsyncClient
) -> None:
    """As an erasure removes it; the trainer's token ends with it."""
    await trainer.post(_path(running), json={"status": "running"})
    async with stores.pool.connection() as conn:
        await conn.execute("DELETE FROM jobs WHERE id = %s", [running.id])

    left = await rows(stores.pool, "SELECT FROM trainings WHERE job_id = %s", [running.id])
    answer = await trainer.post(_path(running), json={"status": "succeeded"})

    assert left == []
    assert answer.status_code in {401, 404}
