"""Trainers: who is handed data sets to train on, as an operator says it, checked at the start.

Rule: secrets and addresses of trainers are in no log, repr, error or answer; a trainer is its name.
"""

import difflib
import re
from collections.abc import Iterator
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta
from typing_extensions import override

from coordinator.domain.outbound import WHSEC, faults_of_address, is_secret

_Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}\Z")]
_Text = Annotated[str, Meta(min_length=1, max_length=2_000)]

_MIB: Final = 1024 * 1024
_GIB: Final = 1024 * _MIB


class TrainerSettingError(ValueError):
    """A member cannot be used; the message names it and says what to do, without its value."""


class _Trainer(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    forbid_unknown_fields=True,
    tag_field="kind",
):
    name: _Name = "default"  # what callers choose by, and results show

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @property
    def confidential(self) -> set[str]:
        """What no log may show."""
        return set()


class WebhookTrainer(_Trainer, tag="webhook", frozen=True, kw_only=True):
    """Somebody's own trainer, told by a webhook that is signed as Standard Webhooks has it."""

    url: _Text
    secret: _Text
    callback: bool = False  # it will say by a request how the training goes
    allow_private: bool = False  # an address that is not of the Internet, and http://

    @property
    @override
    def confidential(self) -> set[str]:
        query = urlsplit(self.url).query
        return {self.secret, self.secret.removeprefix(WHSEC), query} - {""}


class SageMakerTrainer(_Trainer, tag="sagemaker", frozen=True, kw_only=True):
    """Training jobs of SageMaker; credentials are botocore's chain's."""

    region: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,40}\Z")]
    role_arn: _Text
    image: _Text
    instance_type: _Text
    output_path: Annotated[str, Meta(pattern=r"^s3://[^/]+", max_length=1_024)]
    endpoint: str = ""  # empty: AWS
    instance_count: Annotated[int, Meta(ge=1, le=1_000)] = 1
    volume_gib: Annotated[int, Meta(ge=1, le=16_384)] = 50
    max_runtime_seconds: Annotated[int, Meta(ge=60, le=2_419_200)] = 86_400
    kms_key: str = ""  # encrypts what it writes


class OpenAiTrainer(_Trainer, tag="openai", frozen=True, kw_only=True):
    """A server that speaks OpenAI's ``/files`` and ``/fine_tuning/jobs``."""

    url: _Text = "https://api.openai.com/v1"  # up to and with its version
    api_key: str = ""
    model: _Text
    allow_private: bool = False
    max_file_bytes: Annotated[int, Meta(ge=1, le=100 * _GIB)] = 512 * _MIB  # what OpenAI takes

    @property
    @override
    def confidential(self) -> set[str]:
        return {self.api_key} - {""}


Trainer = WebhookTrainer | SageMakerTrainer | OpenAiTrainer
KINDS: Final = ("webhook", "sagemaker", "openai")


def parse_trainers(text: str, *, can_call_back: bool = True) -> tuple[Trainer, ...]:
    """Read a JSON list of trainers. ``can_call_back``: it is known where they reach us.

    >>> parse_trainers('[{"kind": "openai", "model": "m", "apiKey": "hush"}]')
    (OpenAiTrainer('default'),)

    Raises:
        TrainerSettingError: it is no such list, or a member of it would be unsafe.

    """
    try:
        trainers = msgspec.json.decode(text, type=tuple[Trainer, ...])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise TrainerSettingError(_readable(str(exc))) from None
    for number, trainer in enumerate(trainers):
        for member, advice in _faults(trainer, can_call_back=can_call_back):
            raise TrainerSettingError(f"[{number}].{member}: {advice}")
    names = [each.name for each in trainers]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise TrainerSettingError(f"[{number}].name: it is in the list twice; rename one.")
    return trainers


def chosen(trainers: tuple[Trainer, ...], name: str | None) -> Trainer | None:
    """Return the trainer of that name, without a name the first."""
    return next((each for each in trainers if name in {None, each.name}), None)


def can_be_asked(trainer: Trainer) -> bool:
    """Whether a trainer tells where a training stands when it is asked."""
    return isinstance(trainer, SageMakerTrainer | OpenAiTrainer)


def kind_of(trainer: Trainer) -> str:
    """Return the kind, as settings have it."""
    tag: str = type(trainer).__struct_config__.tag  # type: ignore[assignment] # of these it is a str
    return tag


def _faults(trainer: Trainer, *, can_call_back: bool) -> Iterator[tuple[str, str]]:
    match trainer:
        case WebhookTrainer():
            yield from _faults_of_webhook(trainer)
            if trainer.callback and not can_call_back:
                yield "callback", "set COORDINATOR_PUBLIC_URL, too: where the trainer reaches us."
        case SageMakerTrainer():
            if trainer.endpoint:
                yield from faults_of_address("endpoint", trainer.endpoint, allow_private=True)
            if not re.fullmatch(r"arn:[a-z-]+:iam::[0-9]{12}:role/[\w+=,.@/-]+", trainer.role_arn):
                yield "roleArn", "write arn:aws:iam::<account>:role/<name>."
        case OpenAiTrainer():
            yield from _faults_of_openai(trainer)


def _faults_of_webhook(trainer: WebhookTrainer) -> Iterator[tuple[str, str]]:
    yield from faults_of_address("url", trainer.url, allow_private=trainer.allow_private)
    if not is_secret(trainer.secret):
        yield "secret", "whsec_ and the base64 of 24 to 64 random bytes."


def _faults_of_openai(trainer: OpenAiTrainer) -> Iterator[tuple[str, str]]:
    yield from faults_of_address("url", trainer.url, allow_private=trainer.allow_private)
    if "?" in trainer.url:
        yield "url", "it has no ?; a key is given as apiKey."
    if not re.fullmatch(r"[\x21-\x7e]*", trainer.api_key):
        yield "apiKey", "it has characters that no header can have."


_UNKNOWN: Final = re.compile(r"contains unknown field `([^`]*)`")


def _readable(message: str) -> str:
    """Say what msgspec found, and what to write instead. It never shows a secret's value."""
    message = message.replace("`$", "`")
    if unknown := _UNKNOWN.search(message):
        near = difflib.get_close_matches(unknown[1], _members(), n=1)
        return f"{message}; " + (
            f"did you mean {near[0]}?" if near else "docs/trainers.md lists them."
        )
    if ".kind" in message or "`kind`" in message:
        return f"{message}; possible are {', '.join(KINDS)}."
    return f"{message}; docs/trainers.md says what each member is."


def _members() -> set[str]:
    structs: tuple[Any, ...] = (WebhookTrainer, SageMakerTrainer, OpenAiTrainer)
    return {name for each in structs for name in each.__struct_encode_fields__}
