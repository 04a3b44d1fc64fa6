"""What makes vectors of texts: what an operator says of it, checked before anything relies on it.

Rule: texts and the key of an endpoint go to the address that settings name, and to no other.
"""

import difflib
import re
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta
from typing_extensions import override

from coordinator.domain.issuers import is_allowed_address

# What an index of half-precision vectors can hold.
MAX_DIMENSIONS: Final = 4_000

_Name = Annotated[str, Meta(min_length=1, max_length=200)]


class EmbedderSettingError(ValueError):
    """A member cannot be used; the message names it and says what to do, without its value."""


class EndpointSetting(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True,
    tag_field="kind", tag="openai",
):  # fmt: skip
    """A server that speaks OpenAI's ``POST /embeddings``."""

    url: str  # up to and with its version, as in http://127.0.0.1:8000/v1
    model: _Name
    api_key: str = ""
    dimensions: Annotated[int, Meta(ge=1, le=MAX_DIMENSIONS)] | None = None  # asked for, if given
    batch: Annotated[int, Meta(ge=1, le=2_048)] = 256  # texts in one request
    requests_a_minute: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None  # of one process

    @override
    def __repr__(self) -> str:
        return f"EndpointSetting(url={self.url!r}, model={self.model!r})"


class LocalSetting(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True,
    tag_field="kind", tag="local",
):  # fmt: skip
    """A model on this machine: one that a package brings, or a folder that has one."""

    model: Literal["wordllama"] | None = None
    path: str = ""


EmbedderSetting = EndpointSetting | LocalSetting


def parse_embedder(text: str) -> EmbedderSetting:
    """Read a JSON object that names an embedder.

    >>> parse_embedder('{"kind": "local", "model": "wordllama"}').model
    'wordllama'

    Raises:
        EmbedderSettingError: it is no such object, or a member of it cannot be used.

    """
    try:
        setting: EmbedderSetting = msgspec.json.decode(text, type=EndpointSetting | LocalSetting)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise EmbedderSettingError(_readable(str(exc))) from None
    if isinstance(setting, LocalSetting):
        if (setting.model is None) == (not setting.path):
            raise EmbedderSettingError("model: set either it or path.")
        return setting
    if fault := _fault_of_address(setting):
        raise EmbedderSettingError(f"url: {fault}")
    if not setting.api_key.isascii() or not setting.api_key.replace(" ", "x").isprintable():
        raise EmbedderSettingError("apiKey: it has characters that no header can have.")
    return setting


def _fault_of_address(setting: EndpointSetting) -> str | None:
    try:
        parts = urlsplit(setting.url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "it is no address."
    if parts.scheme not in {"http", "https"} or not host:
        return "it must be like https://host/v1."
    if "@" in parts.netloc or parts.query or parts.fragment:
        return "it has no user, no ? and no #; a key is given as apiKey."
    if not re.fullmatch(r"[\x21-\x7e]+", setting.url):
        return "it has characters that no address has."
    if setting.api_key and not is_allowed_address(setting.url):
        return "a key is sent by https:// only (http:// on loopback)."
    return None


_UNKNOWN: Final = re.compile(r"contains unknown field `([^`]*)`")
_MEMBERS: Final = (
    "kind",
    *("url", "model", "apiKey", "dimensions", "batch", "requestsAMinute"),
    "path",
)


def _readable(message: str) -> str:
    """Say what msgspec found, and what to write instead. It never shows a secret's value."""
    message = message.replace("`$", "`")
    if unknown := _UNKNOWN.search(message):
        near = difflib.get_close_matches(unknown[1], _MEMBERS, n=1)
        known = f"did you mean {near[0]}?" if near else f"known are {', '.join(_MEMBERS)}"
        return f"{message}; {known}"
    if "kind" in message:
        return f"{message}; kind is openai or local."
    return f"{message}."
