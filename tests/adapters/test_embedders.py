"""Embedders: what settings may say, and models that are files."""

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from safetensors.numpy import save_file

from coordinator.adapters import static_model
from coordinator.adapters.embedders import (
    EmbedderRefusedError,
    dimensions,
    numbers,
    open_embedder,
    read_embedder,
    secrets_of,
)
from coordinator.domain.embedders import EndpointSetting, LocalSetting
from coordinator.settings import SettingsError
from tests.embedding_server import KEY

_WORDLLAMA = LocalSetting(model="wordllama")


def test_nothing_is_set_and_nothing_is_there() -> None:
    """Embeddings are optional."""
    assert read_embedder(" ") is None
    assert secrets_of(None) == set()


def test_a_setting_can_be_a_file(tmp_path: Path) -> None:
    """Keys are mounted as files."""
    file = tmp_path / "embeddings.json"
    file.write_text(json.dumps({"kind": "openai", "url": "http://[::1]:1/v1", "model": "m"}))

    assert read_embedder(str(file)) == EndpointSetting(url="http://[::1]:1/v1", model="m")


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({}, "kind is openai or local"),
        ({"kind": "remote"}, "kind is openai or local"),
        ({"kind": "openai", "url": "http://h/v1"}, "model"),
        ({"kind": "openai", "url": "ftp://h/v1", "model": "m"}, "url: it must be like https://"),
        ({"kind": "openai", "url": "http://u:p@h/v1", "model": "m"}, "url: it has no user"),
        ({"kind": "openai", "url": "http://h:x/v1", "model": "m"}, "url: it is no address"),
        ({"kind": "openai", "url": "http://h/v 1", "model": "m"}, "url: it has characters"),
        ({"kind": "openai", "url": "http://h/v1", "model": "m", "apiKey": KEY}, "https:// only"),
        ({"kind": "openai", "url": "https://h/v1", "model": "m", "apiKey": "a\nb"}, "apiKey: it"),
        ({"kind": "openai", "url": "https://h/v1", "model": "m", "dimension": 3}, "dimensions?"),
        ({"kind": "openai", "url": "https://h/v1", "model": "m", "batch": 0}, "batch"),
        ({"kind": "local"}, "model: set either it or path"),
        ({"kind": "local", "model": "wordllama", "path": "/m"}, "model: set either it or path"),
        ({"kind": "local", "model": "gpt"}, "model"),
        ({"kind": "local", "path": "/nowhere"}, "path: it is no folder with a tokenizer.json"),
    ],
)
def test_a_setting_that_cannot_be_used_says_which_member(members: Any, told: str) -> None:
    """The operator reads it at the start, and not in a job's error a week later."""
    with pytest.raises(SettingsError, match="COORDINATOR_EMBEDDINGS: ") as refusal:
        read_embedder(json.dumps(members))

    assert told in str(refusal.value)
    assert KEY not in str(refusal.value)


@pytest.mark.parametrize("text", ["[1", "/no/such/file", "{", '["kind"]'])
def test_what_is_no_json_object_and_no_file_is_refused(text: str) -> None:
    """A typing mistake is no model."""
    with pytest.raises(SettingsError, match="COORDINATOR_EMBEDDINGS: "):
        read_embedder(text)


def test_the_key_is_in_no_repr() -> None:
    """Tracebacks show reprs."""
    setting = EndpointSetting(url="https://h/v1", model="m", api_key=KEY)

    assert KEY not in repr(setting)
    assert secrets_of(setting) == {KEY}


def test_wordllama_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its weights and its tokenizer come out of its wheel."""
    static_model._load.cache_clear()
    monkeypatch.setattr(socket.socket, "connect", pytest.fail)
    embedder = open_embedder(_WORDLLAMA, patience_s=0.0)

    cat, kitten, report = embedder.embed(
        ["a cat sat on the mat", "the kitten lay on a rug", "quarterly revenue report"]
    )

    def alike(left: bytes | None, right: bytes | None) -> float:
        pairs = zip(numbers(left or b""), numbers(right or b""), strict=True)
        return sum(a * b for a, b in pairs)

    assert dimensions(cat or b"") == 256
    assert alike(cat, cat) == pytest.approx(1.0, abs=1e-3)
    assert alike(cat, kitten) > alike(cat, report) + 0.2


def test_a_local_model_gives_the_same_bytes_whatever_else_is_embedded() -> None:
    """So pieces can be cut anywhere."""
    embedder = open_embedder(_WORDLLAMA, patience_s=0.0)
    texts = ["one", "a much longer text than the other " * 50, "", "\N{PILE OF POO} ß 漢"]

    together = embedder.embed(texts)

    assert together == [embedder.embed([text])[0] for text in texts]
    assert together[2] is None


def _folder(tmp_path: Path, **tables: Any) -> Path:
    """A model's folder, as Model2Vec has it."""
    names = static_model._of_wordllama()
    shutil.copy(names.tokenizer, tmp_path / "tokenizer.json")
    save_file(tables, str(tmp_path / "model.safetensors"))
    return tmp_path


def test_a_model_of_a_folder_is_read(tmp_path: Path) -> None:
    """And another model in the same folder has another name: their vectors are not compared."""
    table = np.random.default_rng(1).standard_normal((32_000, 16)).astype(np.float32)
    setting = read_embedder(
        json.dumps({"kind": "local", "path": str(_folder(tmp_path, embeddings=table))})
    )
    assert setting is not None

    embedder = open_embedder(setting, patience_s=0.0)
    found = embedder.embed(["one", ""])
    _folder(tmp_path, embeddings=table + 1)
    static_model._load.cache_clear()
    other = open_embedder(setting, patience_s=0.0)

    assert [None if each is None else dimensions(each) for each in found] == [16, None]
    assert embedder.name != other.name
    assert embedder.name.startswith(f"local/{tmp_path.name}@")


@pytest.mark.parametrize(
    "tables",
    [
        {"a": np.zeros((4, 4), np.float32), "b": np.zeros(4, np.float32)},
        {"a": np.zeros(4, np.float32)},
        {"a": np.zeros((4, 4_001), np.float32)},
    ],
)
def test_a_folder_with_another_kind_of_model_is_refused(tmp_path: Path, tables: Any) -> None:
    """It is said, and not guessed at."""
    setting = LocalSetting(path=str(_folder(tmp_path, **tables)))

    with pytest.raises(EmbedderRefusedError, match="no single table"):
        open_embedder(setting, patience_s=0.0)


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    """As what it is."""
    folder = _folder(tmp_path, a=np.zeros((4, 4), np.float32))
    (folder / "tokenizer.json").write_text("{}")

    with pytest.raises(EmbedderRefusedError, match="tokenizer"):
        open_embedder(LocalSetting(path=str(folder)), patience_s=0.0)


def test_settings_go_through_pipes_and_keep_what_they_are() -> None:
    """Pieces are embedded in other processes."""
    sent = msgspec.msgpack.encode(_WORDLLAMA)

    assert msgspec.msgpack.decode(sent, type=LocalSetting) == _WORDLLAMA
