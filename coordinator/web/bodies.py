"""What a body must be before a handler sees it: JSON, of exactly the types that were asked for."""

import json
import math
import re
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException

from coordinator.domain.errors import InvalidFieldError, MalformedJsonError

MAX_DEPTH: Final = 32

_JSON: Final = "application/json"
_TOO_DEEP: Final = f"The body nests more than {MAX_DEPTH} deep."
_PLACE: Final = re.compile(r" - at `\$\.?([^`]*)`$")
_NAMED: Final = re.compile(r"(?:missing required|contains unknown) field `([^`]+)`")


async def check_body(request: Request[Any, Any, Any]) -> None:
    """Refuse what the route's handler could not use.

    The framework would answer 500 to deep nesting and invalid UTF-8, and take ``"9"`` for 9.

    Raises:
        MalformedJsonError: broken JSON, invalid UTF-8, nesting beyond reason.
        InvalidFieldError: a value of another type, an unknown or missing field, a number beyond
            all range.
        HTTPException: 415, the body is declared to be something else than JSON, or packed.

    """
    declared = request.headers.get("content-type", _JSON).partition(";")[0].strip().lower()
    if declared != _JSON:
        raise HTTPException(status_code=415, detail=f"Send JSON, as {_JSON}.")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise HTTPException(status_code=415, detail="Send the body as it is, not packed.")
    tree = _decode(await request.body() or b"null")
    asked = request.route_handler.parsed_data_field
    assert asked is not None, "checked are the bodies that a handler asks for"
    try:
        msgspec.convert(tree, asked.annotation)
    except msgspec.ValidationError as exc:
        raise _wrong_shape(str(exc)) from exc


def _decode(body: bytes) -> Any:
    try:
        body.decode()
        tree = msgspec.json.decode(body)
    except UnicodeDecodeError as exc:
        raise MalformedJsonError(f"The body is not UTF-8 (byte {exc.start}).") from exc
    except RecursionError as exc:
        raise MalformedJsonError(_TOO_DEEP) from exc
    except msgspec.DecodeError as exc:
        if field := _impossible_number(body):
            raise InvalidFieldError(field, "The number is out of range.") from exc
        raise MalformedJsonError(f"{exc}.") from exc
    if isinstance(tree, dict | list):
        _check_depth(tree)
    return tree


def _check_depth(tree: Any) -> None:
    """Refuse nesting that the decoder could follow and nobody needs.

    Raises:
        MalformedJsonError: it is deeper than the limit.

    """
    level = [tree]
    for _ in range(MAX_DEPTH):
        inner = [each.values() if isinstance(each, dict) else each for each in level]
        level = [each for some in inner for each in some if isinstance(each, dict | list)]
        if not level:
            return
    raise MalformedJsonError(_TOO_DEEP)


def _wrong_shape(message: str) -> InvalidFieldError:
    place = _PLACE.search(message)
    named = _NAMED.search(message)
    path = [each for each in (place and place[1], named and named[1]) if each]
    return InvalidFieldError(".".join(path)[:200], f"{_PLACE.sub('', message)}.")


def _impossible_number(body: bytes) -> str | None:
    """Name the first number that no float can hold, as a path; msgspec does not say where it is.

    >>> _impossible_number(b'{"chunks": [{"chunkIndex": 1}, {"chunkIndex": 1e400}]}')
    'chunks[1].chunkIndex'
    >>> _impossible_number(b'{"fileSize": NaN}')
    'fileSize'
    >>> _impossible_number(b'{"fileSize": 1, }') is None
    True
    """
    try:
        tree = json.loads(body, parse_float=float, parse_int=float, parse_constant=float)
    except (ValueError, RecursionError):
        return None
    waiting: list[tuple[str, Any]] = [("", tree)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, float) and not math.isfinite(value):
            return path.removeprefix(".").encode(errors="replace").decode()[:200]
        inner: list[tuple[str, Any]] = []
        if isinstance(value, dict):
            inner = [(f"{path}.{name}", each) for name, each in value.items()]
        elif isinstance(value, list):
            inner = [(f"{path}[{at}]", each) for at, each in enumerate(value)]
        waiting += reversed(inner)
    return None
