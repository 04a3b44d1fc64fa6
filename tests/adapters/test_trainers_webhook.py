"""The webhook of a trainer: signed, the same bytes each time, and never to where it must not go."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typing_extensions import override

from coordinator.adapters.trainers import open_trainer
from coordinator.adapters.trainers.asking import TrainerAwayError, TrainerRefusedError
from coordinator.domain.trainers import WebhookTrainer
from coordinator.domain.trainings import Callback, Handoff, Standing, TrainingStatus
from tests.adapters.sinks.certificates import certified
from tests.adapters.sinks.receiver import SECRET, Receiver, receiving
from tests.training_servers import JOB, UPLOAD, Lines, a_handoff


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The receiver runs on asyncio."""
    return "asyncio"


def _trainer(url: str, **changes: Any) -> WebhookTrainer:
    return WebhookTrainer(**{"url": url, "secret": SECRET, "allow_private": True, **changes})


async def _submit(trainer: WebhookTrainer, handoff: Handoff) -> Standing:
    def submit() -> Standing:
        with open_trainer(trainer) as client:
            assert client.look("anything") is None
            return client.submit(handoff, Lines({}))

    return await asyncio.to_thread(submit)


async def test_a_receiver_learns_where_everything_is() -> None:
    """By a CloudEvent whose signature the receivers' library accepts."""
    callback = Callback("https://us.example/api/jobs/x/callback", "cb_token")
    handoff = a_handoff(model="m", hyperparameters={"n_epochs": 3}, callback=callback)
    async with receiving() as receiver:
        standing = await _submit(_trainer(receiver.url), handoff)

    assert standing == Standing(external_id=None, status=TrainingStatus.SUBMITTED)
    event = receiver.accepted[JOB]
    assert event.get_type() == "coordinator.training.requested"
    assert event.get_source() == "/upload-coordinator"
    assert event.get_subject() == UPLOAD
    assert event.get_data() == {
        "jobId": JOB,
        "uploadId": UPLOAD,
        "format": "parquet",
        "rows": 4,
        "manifest": "s3://b/k/manifest.json",
        "splits": {
            "train": {
                "rows": 3,
                "shards": [
                    {
                        "address": "s3://b/k/train-0.parquet",
                        "size": 9,
                        "sha256": "ab" * 32,
                        "root": "r-1",
                        "rows": 3,
                    }
                ],
            },
            "validation": {
                "rows": 1,
                "shards": [
                    {
                        "address": "s3://b/k/val-0.parquet",
                        "size": 5,
                        "sha256": "cd" * 32,
                        "root": "s-1",
                        "rows": 1,
                    }
                ],
            },
        },
        "model": "m",
        "hyperparameters": {"n_epochs": 3},
        "callback": {"url": callback.url, "token": "cb_token"},
    }


async def test_a_repeat_is_the_same_message() -> None:
    """A receiver that knows its id has it once, though the first answer was lost."""
    async with receiving() as receiver:
        receiver.moods = ["half", 200]
        with pytest.raises(TrainerAwayError, match="connection-lost"):
            await _submit(_trainer(receiver.url), a_handoff())
        first = receiver.accepted[JOB]
        await _submit(_trainer(receiver.url), a_handoff())

    assert receiver.ids == [JOB, JOB]
    assert list(receiver.accepted.values()) == [first]


@pytest.mark.parametrize(
    ("mood", "code"),
    [(500, "http-500"), (503, "http-503"), (429, "http-429"), (408, "http-408"), ("reset", "lost")],
)
async def test_what_may_pass_is_tried_again(mood: Any, code: str) -> None:
    """The job is; nothing is tried twice in here."""
    async with receiving() as receiver:
        receiver.mood = mood
        with pytest.raises(TrainerAwayError, match=code):
            await _submit(_trainer(receiver.url), a_handoff())

    assert len(receiver.requests) == 1


@pytest.mark.parametrize("mood", [400, 401, 404, 410, 422, 302, 307])
async def test_a_refusal_is_final(mood: int) -> None:
    """So is being sent elsewhere: nobody has checked that address."""
    async with receiving() as receiver:
        receiver.mood = mood
        with pytest.raises(TrainerRefusedError, match=f"http-{mood}"):
            await _submit(_trainer(receiver.url), a_handoff())

    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "10.1.2.3",
        "169.254.169.254",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
    ],
)
async def test_no_private_address_is_called_unless_allowed(host: str) -> None:
    """Wherever the name leads: it is the address that counts."""
    async with receiving() as receiver:
        port = receiver.url.split(":")[2].removesuffix("/hook")
        trainer = _trainer(f"http://{host}:{port}/hook", allow_private=False)
        with pytest.raises(TrainerRefusedError, match="address-refused"):
            await _submit(trainer, a_handoff())

    assert receiver.requests == []


async def test_nobody_there_is_tried_again() -> None:
    """A name that is unknown today, and a port that is closed."""
    async with receiving() as receiver:
        closed = receiver.url
    with pytest.raises(TrainerAwayError, match="not-reachable"):
        await _submit(_trainer(closed), a_handoff())
    with pytest.raises(TrainerAwayError, match="name-unknown"):
        await _submit(_trainer("http://no-such-host.invalid/"), a_handoff())


async def test_the_receivers_own_id_is_kept() -> None:
    """Where its answer has one."""
    answer = json.dumps({"id": "run-7", "more": [1]}).encode()

    class Answering(Receiver):
        @override
        async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            size = next(x for x in head.split("\r\n") if x.startswith("content-length"))
            await reader.readexactly(int(size.partition(":")[2]))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
            await writer.drain()

    server = await asyncio.start_server(Answering().serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        standing = await _submit(_trainer(f"http://127.0.0.1:{port}/"), a_handoff())

    assert standing.external_id == "run-7"


async def test_a_certificate_must_be_for_the_name_and_not_for_the_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The name is asked for once, and what it gave is what is connected to."""
    tls, public = certified(tmp_path, "train.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    asked = _resolving(monkeypatch, "127.0.0.1")
    async with receiving(tls) as receiver:
        port = receiver.url.split(":")[2]
        standing = await _submit(_trainer(f"https://train.example:{port}"), a_handoff())
        with pytest.raises(TrainerAwayError, match="tls-failed"):
            await _submit(_trainer(f"https://other.example:{port}"), a_handoff())

    assert standing.status is TrainingStatus.SUBMITTED
    assert asked == ["train.example", "other.example"]
    assert [headers["host"] for _, headers in receiver.requests] == [
        f"train.example:{port.partition('/')[0]}"
    ]


async def test_a_name_that_leads_home_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as where clouds keep a machine's credentials."""
    asked = _resolving(monkeypatch, "169.254.169.254")
    trainer = _trainer("https://train.example/", allow_private=False)

    with pytest.raises(TrainerRefusedError, match="address-refused"):
        await _submit(trainer, a_handoff())
    assert asked == ["train.example"]


def _resolving(monkeypatch: pytest.MonkeyPatch, address: str) -> list[str]:
    """Let every name lead to one address; return the names that are asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *args: Any, **named: Any) -> Any:
        if str(host).endswith(".example"):
            asked.append(host)
            host = address
        return real(host, port, *args, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


def test_a_callback_shows_no_token() -> None:
    """Not in a log of what was handed over."""
    handoff = a_handoff(callback=Callback("https://us.example", "cb_token"))

    assert "cb_token" not in repr(handoff)
    assert "cb_token" in msgspec.json.encode(handoff).decode()
