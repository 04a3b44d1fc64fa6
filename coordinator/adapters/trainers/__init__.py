"""The trainers that settings name: read and checked at the start, opened where they are asked.

Rule: each kind is one module that is imported only where a trainer of it is opened.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import util
from typing import Final, assert_never

from coordinator.adapters.setting_text import text_of
from coordinator.adapters.trainers.asking import TrainerClient
from coordinator.domain.trainers import (
    OpenAiTrainer,
    SageMakerTrainer,
    Trainer,
    TrainerSettingError,
    WebhookTrainer,
    parse_trainers,
)
from coordinator.settings import PREFIX, Settings, SettingsError

_NAME: Final = "trainers"


def read_trainers(settings: Settings) -> tuple[Trainer, ...]:
    """Return the trainers that the setting names, itself a JSON list or the path of one.

    Raises:
        SettingsError: it is neither, or one of them cannot be used.

    """
    text = text_of(_NAME, settings.trainers)
    if not text:
        return ()
    try:
        trainers = parse_trainers(text, can_call_back=bool(settings.public_url))
        if any(isinstance(each, WebhookTrainer) for each in trainers):
            _check_installed()
    except TrainerSettingError as exc:
        raise SettingsError(f"{PREFIX}{_NAME.upper()}: {exc}") from None
    return trainers


def _check_installed() -> None:
    if util.find_spec("standardwebhooks") is None:
        raise TrainerSettingError("kind: webhooks need the extra upload-coordinator[jobs].")


@contextmanager
def open_trainer(trainer: Trainer) -> Iterator[TrainerClient]:
    """Open a trainer. Nothing is asked of it before there is something to ask."""
    client = _client(trainer)
    try:
        yield client
    finally:
        client.close()


def _client(trainer: Trainer) -> TrainerClient:
    match trainer:
        case WebhookTrainer():
            from coordinator.adapters.trainers.webhook import WebhookClient  # noqa: PLC0415

            return WebhookClient(trainer)
        case SageMakerTrainer():
            from coordinator.adapters.trainers.sagemaker import SageMakerClient  # noqa: PLC0415

            return SageMakerClient(trainer)
        case OpenAiTrainer():
            from coordinator.adapters.trainers.openai import OpenAiClient  # noqa: PLC0415

            return OpenAiClient(trainer)
        case _:
            assert_never(trainer)
