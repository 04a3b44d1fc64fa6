"""The setting of sinks: text or file, checked at the start, its secrets known to be hidden."""

import json
from importlib import util
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner

from coordinator import settings as settings_module
from coordinator.adapters.sinks import sinks_of
from coordinator.cli import main
from coordinator.domain.sinks import NO_SINKS, Sinks
from coordinator.settings import SettingsError

_SECRET: Final = "whsec_c2VjcmV0IG9mIHRoZSByZWNlaXZlciBvZiB0ZXN0cw=="
_HTTP: Final = {"name": "hook", "kind": "http", "url": "https://x.example/", "secret": _SECRET}
_RABBIT: Final = {"name": "r", "kind": "rabbitmq", "url": "amqp://u:hidden@h/", "exchange": ""}
_KAFKA: Final = {"name": "k", "kind": "kafka", "servers": "a:1", "topic": "t"}
_NEEDED: Final = {
    "COORDINATOR_DATABASE_URL": "postgresql://u@h/d",
    "COORDINATOR_REDIS_URL": "redis://h",
    "COORDINATOR_S3_BUCKET": "datasets",
    "COORDINATOR_SECRET": "a secret of the tests, long enough for all",
}


def _read(text: str, **more: str) -> Sinks:
    return sinks_of(settings_module.read(_NEEDED | {"COORDINATOR_EVENT_SINKS": text} | more))


def test_without_the_setting_nobody_listens() -> None:
    """Nor with an empty one."""
    assert _read("") == _read("  ") == _read("[]") == NO_SINKS


def test_it_is_a_list_or_the_path_of_a_file_with_one(tmp_path: Path) -> None:
    """The source is another setting's."""
    file = tmp_path / "sinks.json"
    file.write_text(json.dumps([_HTTP]), encoding="utf-8")
    sinks = _read(str(file), COORDINATOR_EVENT_SOURCE="https://uploads.example/")

    assert sinks.all == _read(json.dumps([_HTTP])).all
    assert sinks.source == "https://uploads.example/"


@pytest.mark.parametrize("source", ["", "with space", "x" * 201, "a\n"])
def test_a_source_is_a_reference_to_somewhere(source: str) -> None:
    """CloudEvents 1.0: a non-empty URI-reference."""
    with pytest.raises(SettingsError, match="COORDINATOR_EVENT_SOURCE"):
        _read("", COORDINATOR_EVENT_SOURCE=source)


@pytest.mark.parametrize(
    ("sink", "module", "advice"),
    [
        (_HTTP, "standardwebhooks", "pip install upload-coordinator[jobs]"),
        (_KAFKA, "aiokafka", "pip install upload-coordinator[kafka]"),
        (_RABBIT, "aio_pika", "pip install upload-coordinator[rabbitmq]"),
    ],
)
def test_a_library_that_is_missing_is_told_at_the_start(
    monkeypatch: pytest.MonkeyPatch, sink: dict[str, Any], module: str, advice: str
) -> None:
    """And not when the first event is due."""
    assert len(_read(json.dumps([sink])).all) == 1
    find = util.find_spec

    def without(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == module else find(name, package)

    monkeypatch.setattr(util, "find_spec", without)
    with pytest.raises(SettingsError) as refusal:
        _read(json.dumps([sink]))

    assert advice in str(refusal.value)


@pytest.mark.parametrize("command", ["serve", "work"])
def test_neither_service_nor_worker_starts_with_a_sink_that_cannot_be_used(command: str) -> None:
    """The message names the member, and no secret."""
    wrong = json.dumps([_HTTP | {"url": "http://hidden.example/"}])
    told = CliRunner().invoke(main, [command], env=_NEEDED | {"COORDINATOR_EVENT_SINKS": wrong})

    assert told.exit_code == 2
    assert "COORDINATOR_EVENT_SINKS: [0].url: it must begin with https://" in told.output
    assert _SECRET not in told.output
    assert "hidden" not in told.output
