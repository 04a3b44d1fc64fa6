"""A server that speaks OpenAI's protocol: files and a training, each once, whatever is lost."""

from collections.abc import Iterator
from typing import Any

import pytest

from coordinator.adapters.trainers import open_trainer
from coordinator.adapters.trainers.asking import TrainerAwayError, TrainerRefusedError
from coordinator.domain.trainers import OpenAiTrainer
from coordinator.domain.trainings import Handoff, Standing, TrainingStatus
from tests.training_servers import JOB, KEY, UPLOAD, Lines, OpenAiServer, a_handoff, openai_server

_TRAIN = b'{"messages": [{"role": "user", "content": "\xc3\xbc"}]}\n' * 3
_ROWS = {"train": _TRAIN, "validation": b'{"messages": []}\n'}


@pytest.fixture
def server() -> Iterator[OpenAiServer]:
    """A server that has others' files and trainings already, more than fit on a page."""
    with openai_server() as running:
        running.files = [{"id": f"file-{n}", "filename": f"{n}.jsonl"} for n in range(5)]
        running.jobs = [{"id": f"ftjob-{n}", "training_file": f"file-{n}"} for n in range(5)]
        yield running


def _trainer(server: OpenAiServer, **changes: Any) -> OpenAiTrainer:
    usual = {"url": server.url, "api_key": KEY, "model": "base", "allow_private": True}
    return OpenAiTrainer(**{**usual, **changes})


def _submit(
    trainer: OpenAiTrainer, handoff: Handoff | None = None, rows: Lines | None = None
) -> Standing:
    with open_trainer(trainer) as client:
        return client.submit(handoff or a_handoff(), rows or Lines(_ROWS))


def test_the_splits_are_sent_and_a_training_is_begun(server: OpenAiServer) -> None:
    """Byte for byte, under names that are made from the job's id."""
    handoff = a_handoff(model="mine", hyperparameters={"n_epochs": 2})

    standing = _submit(_trainer(server), handoff)

    assert standing == Standing(external_id="ftjob-5", status=TrainingStatus.SUBMITTED)
    train, validation = server.files[5:]
    assert train == {
        "id": "file-5",
        "object": "file",
        "bytes": len(_TRAIN),
        "filename": f"{JOB}-train.jsonl",
        "purpose": "fine-tune",
        "status": "processed",
    }
    assert validation["filename"] == f"{JOB}-validation.jsonl"
    assert server.contents == {"file-5": _TRAIN, "file-6": _ROWS["validation"]}
    job = server.jobs[5]
    assert (job["model"], job["training_file"], job["validation_file"]) == (
        "mine",
        "file-5",
        "file-6",
    )
    assert job["hyperparameters"] == {"n_epochs": 2}
    assert job["metadata"] == {"coordinator_job": JOB, "coordinator_upload": UPLOAD}


def test_without_a_wish_the_settings_name_the_model(server: OpenAiServer) -> None:
    """And a data set without a split for validation has no such file."""
    splits = {"train": a_handoff().splits["train"]}

    _submit(_trainer(server), a_handoff(splits=splits))

    assert server.jobs[5]["model"] == "base"
    assert "validation_file" not in server.jobs[5]
    assert "hyperparameters" not in server.jobs[5]


@pytest.mark.parametrize("lost", [("POST", "/files"), ("POST", "/fine_tuning/jobs")])
def test_a_lost_answer_leads_to_no_second_file_and_no_second_training(
    server: OpenAiServer, lost: tuple[str, str]
) -> None:
    """The next try finds what the first one did."""
    lose = [True]
    server.fault = lambda *call: call == lost and bool(lose and lose.pop())

    with pytest.raises(TrainerAwayError, match="connection-lost"):
        _submit(_trainer(server))
    again = Lines(_ROWS)
    standing = _submit(_trainer(server), rows=again)
    third = _submit(_trainer(server))

    assert standing == third == Standing(external_id="ftjob-5", status=TrainingStatus.SUBMITTED)
    assert len(server.files) == 7
    assert len(server.jobs) == 6
    assert "train" not in again.made


def test_a_file_that_the_server_could_not_read_is_sent_again(server: OpenAiServer) -> None:
    """An operator may have mended the server meanwhile."""
    server.files.append({"id": "file-5", "filename": f"{JOB}-train.jsonl", "status": "error"})

    _submit(_trainer(server))

    assert server.jobs[5]["training_file"] == "file-6"


@pytest.mark.parametrize("status", [500, 502, 429, 409])
def test_what_may_pass_is_tried_again(server: OpenAiServer, status: int) -> None:
    """By the job."""
    server.fault = lambda method, _path: status if method == "POST" else False

    with pytest.raises(TrainerAwayError, match=f"http-{status}"):
        _submit(_trainer(server))


def test_a_refusal_is_final_and_shows_no_key(server: OpenAiServer) -> None:
    """Though the server repeats it."""
    with pytest.raises(TrainerRefusedError) as refusal:
        _submit(_trainer(server, model="gone"))

    assert refusal.value.detail.startswith("http-400: The model does not exist.")
    assert KEY not in refusal.value.detail
    with pytest.raises(TrainerRefusedError, match="http-401: Incorrect API key"):
        _submit(_trainer(server, api_key="sk-another"))


def test_a_file_that_is_too_large_is_not_sent(server: OpenAiServer) -> None:
    """The trainer's limit is known before."""
    with pytest.raises(TrainerRefusedError, match="file-too-large"):
        _submit(_trainer(server, max_file_bytes=len(_TRAIN) - 1))

    assert len(server.files) == 5


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("queued", TrainingStatus.SUBMITTED),
        ("running", TrainingStatus.RUNNING),
        ("something new", TrainingStatus.RUNNING),
        ("succeeded", TrainingStatus.SUCCEEDED),
        ("failed", TrainingStatus.FAILED),
        ("cancelled", TrainingStatus.CANCELLED),
    ],
)
def test_it_can_be_asked_where_a_training_stands(
    server: OpenAiServer, said: str, status: TrainingStatus
) -> None:
    """In its words; ours are fewer."""
    server.jobs[2] |= {"status": said, "fine_tuned_model": "ft:x", "error": {"message": "no\nway"}}

    with open_trainer(_trainer(server)) as client:
        found = client.look("ftjob-2")

    assert found == Standing(external_id="ftjob-2", status=status, model="ft:x", detail="no way")


def test_a_training_that_is_gone_is_unknown(server: OpenAiServer) -> None:
    """Somebody has deleted it."""
    with open_trainer(_trainer(server)) as client:
        found = client.look("ftjob-99")

    assert found == Standing(external_id="ftjob-99", status=TrainingStatus.UNKNOWN)


def test_a_server_on_a_private_address_needs_a_word(server: OpenAiServer) -> None:
    """Where it is not allowed, nothing is sent: least of all the key."""
    with pytest.raises(TrainerRefusedError, match="address-refused"):
        _submit(_trainer(server, allow_private=False))

    assert server.asked == []
