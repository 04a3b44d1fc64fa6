"""The hand-off of a prepared data set: what trainers get, once in effect, and what is refused."""

import asyncio
import io
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coordinator.adapters.trainers.asking import TrainerAwayError
from coordinator.domain import callback_tokens
from coordinator.domain.job_parameters import PrepareTrainingDataset, TriggerFineTuning
from coordinator.domain.kinds import Kind
from coordinator.domain.trainers import OpenAiTrainer, SageMakerTrainer, Trainer, WebhookTrainer
from coordinator.jobs import prepare_training_dataset
from coordinator.jobs.trigger_fine_tuning import run
from coordinator.jobs.workspace import FatalJobError, Options, StoppedError, Workspace, Written
from tests.adapters.sinks.receiver import SECRET, receiving
from tests.jobs.conftest import MakeWorkspace, Put, body_of
from tests.training_servers import KEY, openai_server, sagemaker_server

_SECRET: Final = "a secret of the tests, long enough for all"
_URL: Final = "https://us.example/base/"
_KIND: Final = Kind.PREPARE_TRAINING_DATASET
_ROWS: Final = [
    {"messages": [{"role": "user", "content": f"Größe {n}", "name": None}], "score": None}
    for n in range(5)
]

Work = Callable[..., Workspace]


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    schema = pa.schema(
        [
            (
                "messages",
                pa.list_(
                    pa.struct([("role", "string"), ("content", "string"), ("name", "string")])
                ),
            ),
            ("score", "float64"),
        ]
    )
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), file)
    return file.getvalue()


@pytest.fixture
def work(put: Put, workspace: MakeWorkspace) -> Work:
    """A job on a data set that was prepared: two files to train on, one to validate with."""
    source = put(b"the upload")
    prepare = workspace(source, _KIND)
    files = {
        "train-00000-of-00002.parquet": _ROWS[:3],
        "train-00001-of-00002.parquet": _ROWS[3:4],
        "validation-00000-of-00001.parquet": _ROWS[4:],
    }
    written = {
        path: prepare.write(path, [_parquet(rows)], media_type="application/vnd.apache.parquet")
        for path, rows in files.items()
    }

    listed = prepare.write(
        "manifest.json", [_manifest(written, files)], media_type="application/json"
    )
    nothing = prepare.write("empty.json", [_manifest({}, files)], media_type="application/json")
    result = {"status": "done", "splits": {}, "manifest": "manifest.json"}

    def make(*trainers: Trainer, earlier: Any = ..., stopped: threading.Event | None = None) -> Any:
        prepared = result if earlier is ... else earlier
        return workspace(
            source,
            Kind.TRIGGER_FINE_TUNING,
            earlier={} if prepared is None else {_KIND: prepared},
            artifacts={
                (_KIND, path): (each.key, each.size)
                for path, each in {
                    **written,
                    "manifest.json": listed,
                    "empty.json": nothing,
                }.items()
            },
            options=Options(secret=_SECRET, public_url=_URL, trainers=trainers),
            stopped=stopped,
        )

    return make


def _manifest(written: Mapping[str, Written], files: Mapping[str, Any]) -> bytes:
    """What the job before has listed."""
    shards = [
        {
            "path": path,
            "split": path.partition("-")[0],
            "size": each.size,
            "sha256": each.sha256,
            "root": each.root,
            "rows": len(files[path]),
        }
        for path, each in written.items()
    ]
    return json.dumps({"version": 1, "shards": shards, "columns": []}).encode()


def _webhook(url: str, **changes: Any) -> WebhookTrainer:
    usual = {"name": "hook", "url": url, "secret": SECRET, "allow_private": True}
    return WebhookTrainer(**{**usual, **changes})


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The receiver of webhooks runs on asyncio."""
    return "asyncio"


async def test_a_webhook_says_where_the_files_are(work: Work) -> None:
    """With what proves them, and where to tell how it goes."""
    async with receiving() as receiver:
        job = work(_webhook(receiver.url, callback=True))
        parameters = TriggerFineTuning(model="m", hyperparameters={"lr": 0.1})
        outcome = await asyncio.to_thread(run, job, parameters)

    assert outcome.rows == 5
    assert outcome.result == {
        "status": "submitted",
        "reason": None,
        "detail": None,
        "trainer": "hook",
        "trainerKind": "webhook",
        "rows": 5,
        "model": "m",
        "followedBy": "callback",
        "externalId": None,
        "externalStatus": "submitted",
        "externalModel": None,
        "externalDetail": None,
    }
    data = receiver.accepted[job.job_id].get_data()
    train = data["splits"]["train"]
    assert data["manifest"].endswith("/manifest.json")
    assert list(data["splits"]) == ["train", "validation"]
    assert [each["rows"] for each in train["shards"]] == [3, 1]
    for shard in train["shards"]:
        bucket, _, key = shard["address"].removeprefix("s3://").partition("/")
        path = key.rpartition("/")[2]
        source = job.artifact(_KIND, path)
        assert (bucket, key, shard["size"]) == (source.bucket, source.key, source.size)
        assert pq.read_table(io.BytesIO(body_of(source))).num_rows == shard["rows"]
    assert data["callback"] == {
        "url": f"https://us.example/base/api/jobs/{job.job_id}/callback",
        "token": callback_tokens.mint(job.job_id, secret=_SECRET),
    }


async def test_attempts_send_one_message(work: Work) -> None:
    """The receiver failed, then its answer was lost, then it took a repeat: it has it once."""
    bodies = []
    async with receiving() as receiver:
        receiver.moods = [503, "half", 200]
        for _ in range(2):
            with pytest.raises(TrainerAwayError):
                await asyncio.to_thread(run, work(_webhook(receiver.url)), TriggerFineTuning())
            bodies.append(dict(receiver.accepted))
        outcome = await asyncio.to_thread(run, work(_webhook(receiver.url)), TriggerFineTuning())

    assert outcome.result["followedBy"] is None
    assert len(receiver.ids) == 3
    assert len(receiver.accepted) == 1


async def test_a_refusal_fails_the_job_for_good(work: Work) -> None:
    """By one code; the log says more, and no secret."""
    async with receiving() as receiver:
        receiver.mood = 404
        with pytest.raises(FatalJobError) as refusal:
            await asyncio.to_thread(run, work(_webhook(receiver.url)), TriggerFineTuning())

    assert refusal.value.code == "trainer-refused"
    assert str(refusal.value) == "trainer-refused: hook: http-404"


def test_an_openai_server_gets_the_rows_as_lines(work: Work) -> None:
    """Those of the splits that it reads, without the nulls that a table needs."""
    with openai_server() as server:
        trainer = OpenAiTrainer(
            name="llm", url=server.url, api_key=KEY, model="base", allow_private=True
        )
        hook = _webhook("http://127.0.0.1:1/")
        first = run(work(hook, trainer), TriggerFineTuning(trainer="llm"))
        again = run(work(hook, trainer), TriggerFineTuning(trainer="llm"))

    assert first == again
    assert (first.result["externalId"], first.result["followedBy"]) == ("ftjob-0", "polling")
    lines = [[json.loads(line) for line in body.splitlines()] for body in server.contents.values()]
    wanted = [{"messages": [{"role": "user", "content": f"Größe {n}"}]} for n in range(5)]
    assert lines == [wanted[:4], wanted[4:]]


def test_sagemaker_gets_lists_of_files(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real objects, whose entries are real objects."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    absent = (400, {"__type": "ValidationException", "message": "Requested resource not found"})
    running = (200, {"TrainingJobStatus": "InProgress"})
    job = work()
    with sagemaker_server([absent, (200, {"TrainingJobArn": "arn"}), running]) as (address, _):
        trainer = SageMakerTrainer(
            name="aws",
            region="eu-central-1",
            endpoint=address,
            role_arn="arn:aws:iam::123456789012:role/train",
            image="image",
            instance_type="ml.g5.xlarge",
            output_path="s3://models/out",
        )
        job = work(trainer)
        outcome = run(job, TriggerFineTuning())

    assert outcome.result["externalStatus"] == "running"
    assert [job.path_of(each) for each in job.written] == [
        "train.files.json",
        "validation.files.json",
    ]
    written = job.written[0]
    listed = json.loads(body_of(job._host.source(written.key, written.size_bytes)))
    files = [job.artifact(_KIND, f"train-0000{n}-of-00002.parquet") for n in range(2)]
    prefix = listed[0]["prefix"]
    assert [prefix + name for name in listed[1:]] == [
        f"s3://{each.bucket}/{each.key}" for each in files
    ]


@pytest.mark.parametrize(
    ("earlier", "wished", "reason"),
    [
        (None, None, "nothing-prepared"),
        ({"status": "skipped", "reason": "empty"}, None, "nothing-prepared"),
        ({"status": "partial", "manifest": "empty.json"}, None, "nothing-prepared"),
        (..., "nobody", "trainer-unknown"),
    ],
)
def test_what_cannot_be_handed_over_is_skipped(
    work: Work, earlier: Any, wished: str | None, reason: str
) -> None:
    """With a reason, and without a word to anybody."""
    job = work(_webhook("http://127.0.0.1:1/"), earlier=earlier)

    outcome = run(job, TriggerFineTuning(trainer=wished))

    assert (outcome.result["status"], outcome.result["reason"]) == ("skipped", reason)
    assert outcome.result["externalStatus"] is None


def test_without_a_trainer_nothing_is_handed_over(work: Work) -> None:
    """An installation that has none runs the pipeline all the same."""
    outcome = run(work(), TriggerFineTuning())

    assert (outcome.result["status"], outcome.result["reason"]) == ("skipped", "no-trainer")


def test_a_stopped_job_hands_nothing_over(work: Work) -> None:
    """Not even its first file."""
    stopped = threading.Event()
    stopped.set()
    with openai_server() as server:
        trainer = OpenAiTrainer(url=server.url, api_key=KEY, model="base", allow_private=True)
        with pytest.raises(StoppedError):
            run(work(trainer, stopped=stopped), TriggerFineTuning())

    assert (server.files, server.jobs) == ([], [])


def test_what_the_job_before_makes_is_what_is_handed_over(
    put: Put, workspace: MakeWorkspace
) -> None:
    """Both jobs, one after the other."""
    rows = [{"messages": [{"role": "user", "content": f"row {n}"}]} for n in range(200)]
    source = put(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    before = workspace(source, _KIND)
    prepared = prepare_training_dataset.run(before, PrepareTrainingDataset(validation=0.2, test=0))
    artifacts = {
        (_KIND, before.path_of(each)): (each.key, each.size_bytes) for each in before.written
    }
    with openai_server() as server:
        trainer = OpenAiTrainer(url=server.url, api_key=KEY, model="base", allow_private=True)
        outcome = run(
            workspace(
                source,
                Kind.TRIGGER_FINE_TUNING,
                earlier={_KIND: prepared.result},
                artifacts=artifacts,
                options=Options(trainers=(trainer,)),
            ),
            TriggerFineTuning(),
        )

    sent = [json.loads(line) for body in server.contents.values() for line in body.splitlines()]
    assert outcome.rows == 200
    assert sorted(map(json.dumps, sent)) == sorted(map(json.dumps, rows))
