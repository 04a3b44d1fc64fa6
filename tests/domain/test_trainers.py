"""What operators may say of trainers, and what is refused before anything relies on it."""

import json
from typing import Any

import pytest

from coordinator.domain.trainers import (
    TrainerSettingError,
    chosen,
    kind_of,
    parse_trainers,
)

_SECRET = "whsec_c2VjcmV0IG9mIHRoZSByZWNlaXZlciBvZiB0ZXN0cw=="
_WEBHOOK = {"kind": "webhook", "url": "https://train.example/hook?key=hush", "secret": _SECRET}
_SAGEMAKER = {
    "kind": "sagemaker",
    "name": "aws",
    "region": "eu-central-1",
    "roleArn": "arn:aws:iam::123456789012:role/train",
    "image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/train:1",
    "instanceType": "ml.g5.xlarge",
    "outputPath": "s3://models/out",
}
_OPENAI = {"kind": "openai", "name": "llm", "apiKey": "sk-hush", "model": "gpt-4o-mini"}


def _text(*trainers: dict[str, Any]) -> str:
    return json.dumps(trainers)


def test_trainers_are_chosen_by_name() -> None:
    """Without one, it is the first."""
    trainers = parse_trainers(_text(_WEBHOOK, _SAGEMAKER, _OPENAI))

    assert [kind_of(each) for each in trainers] == ["webhook", "sagemaker", "openai"]
    assert chosen(trainers, None) == trainers[0]
    assert chosen(trainers, "llm") == trainers[2]
    assert chosen(trainers, "nobody") is None


def test_secrets_do_not_show() -> None:
    """Neither in a repr, nor in what is said of a fault; and logs are told what to hide."""
    trainers = parse_trainers(_text(_WEBHOOK, _OPENAI))

    assert "hush" not in repr(trainers)
    assert _SECRET not in repr(trainers)
    assert set().union(*(each.confidential for each in trainers)) == {
        _SECRET,
        _SECRET.removeprefix("whsec_"),
        "key=hush",
        "sk-hush",
    }


@pytest.mark.parametrize(
    ("trainer", "said"),
    [
        ({**_WEBHOOK, "url": "http://train.example/"}, "[0].url: it must begin with https://"),
        ({**_WEBHOOK, "url": "https://me:hush@train.example/"}, "[0].url: write https://"),
        ({**_WEBHOOK, "url": "file:///etc/passwd"}, "[0].url: write"),
        ({**_WEBHOOK, "secret": "hush"}, "[0].secret: whsec_ and"),
        ({**_WEBHOOK, "secret": "whsec_aHVzaA=="}, "[0].secret: whsec_ and"),
        ({**_WEBHOOK, "callBack": True}, "did you mean callback?"),
        ({**_WEBHOOK, "name": "A name"}, "docs/trainers.md"),
        ({**_WEBHOOK, "kind": "carrier-pigeon"}, "possible are webhook, sagemaker, openai."),
        ({**_SAGEMAKER, "roleArn": "train"}, "[0].roleArn: write arn:"),
        ({**_SAGEMAKER, "outputPath": "/out"}, "outputPath"),
        ({**_SAGEMAKER, "endpoint": "sagemaker"}, "[0].endpoint: write"),
        ({**_OPENAI, "url": "http://api.example/v1"}, "[0].url: it must begin with https://"),
        ({**_OPENAI, "url": "https://api.example/v1?key=hush"}, "[0].url: it has no ?"),
        ({**_OPENAI, "apiKey": "hush\n"}, "[0].apiKey: it has characters"),
    ],
)
def test_what_cannot_be_used_is_refused_with_advice(trainer: dict[str, Any], said: str) -> None:
    """The member is named, and its value is not."""
    with pytest.raises(TrainerSettingError) as refusal:
        parse_trainers(_text(trainer))

    assert said in str(refusal.value)
    assert "hush" not in str(refusal.value)


def test_names_are_unique() -> None:
    """The default one, too."""
    with pytest.raises(TrainerSettingError, match=r"\[1\]\.name: it is in the list twice"):
        parse_trainers(_text(_WEBHOOK, _WEBHOOK))


def test_a_callback_needs_an_address_of_ours() -> None:
    """Else the trainer would be told of none."""
    text = _text({**_WEBHOOK, "callback": True})

    assert parse_trainers(text)
    with pytest.raises(TrainerSettingError, match="COORDINATOR_PUBLIC_URL"):
        parse_trainers(text, can_call_back=False)


def test_plain_http_is_for_private_addresses_only() -> None:
    """Where the operator says so."""
    private = {**_WEBHOOK, "url": "http://10.0.0.7/hook", "allowPrivate": True}

    assert parse_trainers(_text(private))


@pytest.mark.parametrize("text", ["{}", "[", "nothing", "[1]", '[{"kind": "webhook"}]'])
def test_what_is_no_list_of_trainers_is_refused(text: str) -> None:
    """With a sentence."""
    with pytest.raises(TrainerSettingError, match=r"\.$"):
        parse_trainers(text)
