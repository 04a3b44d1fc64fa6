"""Bounds what a schema may cost a row.

References let a schema of a few lines double its work at every step: thirty such steps keep a core
busy for a minute a row, and no engine can be interrupted there. So the work is counted first.
"""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote, urljoin

# Parts of the schema that are looked at for one row.
MOST_WORK: Final = 100_000

# Deeper rows are not validated by schemas that refer to anything.
DEEPEST: Final = 64

_LISTS: Final = ("allOf", "anyOf", "oneOf")
_IN_PLACE: Final = ("not", "if", "then", "else")
_MAPS_IN_PLACE: Final = ("dependentSchemas", "dependencies")
_BELOW: Final = (
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "additionalItems",
    "unevaluatedItems",
    "contains",
    "items",
)
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")

# The engine has these in it.
_DIALECTS: Final = ("http://json-schema.org/", "https://json-schema.org/")


class NowhereError(ValueError):
    """A reference leads out of the schema, or to nothing in it."""


def deepest_row(schema: object) -> int | None:
    """Return how deep rows may be nested for ``schema`` to look at each in bounded work.

    ``None`` for any depth: without references no part looks at a value twice. A row of plain values
    is 2 deep.

    Raises:
        NowhereError: the schema refers to what cannot be found in it.

    """
    schemas = _Schemas(schema)
    if not schemas.have_references:
        return None
    if schemas.work(schema, DEEPEST) <= MOST_WORK:
        return DEEPEST
    depth = 0
    while schemas.work(schema, depth + 1) <= MOST_WORK:
        depth += 1
    return depth


def depth_of(value: object, limit: int) -> int:
    """Return how deep a value is nested, or ``limit`` if it is at least that."""
    level, depth = [value], 0
    while level and depth < limit:
        level = [
            child
            for each in level
            if isinstance(each, (dict, list))
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        depth += 1
    return depth


class _Schemas:
    """The parts of one schema, and what each costs a value nested so deep."""

    def __init__(self, root: object) -> None:
        self._known: dict[tuple[int, int], int] = {}
        self._bases: dict[int, str] = {}
        self._named: dict[str, object] = {"": root}
        self.have_references = False
        is_old = isinstance(root, dict) and "draft-04" in str(root.get("$schema"))
        unseen: list[tuple[object, str]] = [(root, "")]
        while unseen:
            part, base = unseen.pop()
            if isinstance(part, dict):
                base = self._name(part, base, "id" if is_old else "$id")
                unseen += [(each, base) for each in part.values()]
            elif isinstance(part, list):
                unseen += [(each, base) for each in part]

    def _name(self, part: dict[str, Any], base: str, key: str) -> str:
        """Note under what names a part can be referred to, and return the base below it."""
        name = part.get(key)
        if isinstance(name, str):
            base = urljoin(base, name).removesuffix("#")
            self._named[base] = part
        for anchor in ("$anchor", "$dynamicAnchor"):
            if isinstance(part.get(anchor), str):
                self._named[f"{base}#{part[anchor]}"] = part
        self._bases[id(part)] = base
        self.have_references |= any(isinstance(part.get(each), str) for each in _REFERENCES)
        return base

    def work(self, part: object, depth: int) -> int:
        """Count the parts that are looked at; those in a circle that stays in place count once."""
        if not isinstance(part, dict) or depth <= 0:
            return 1
        key = (id(part), depth)
        if key not in self._known:
            self._known[key] = 0
            here = sum(self.work(each, depth) for each in self._in_place(part))
            each_item = sum(self.work(below, depth - 1) for below in _everywhere(part))
            one_item = max((self.work(below, depth - 1) for below in _somewhere(part)), default=0)
            self._known[key] = min(1 + here + each_item + one_item, 10 * MOST_WORK)
        return self._known[key]

    def _in_place(self, part: dict[str, Any]) -> Iterator[object]:
        for key in _LISTS:
            yield from _items(part.get(key))
        for key in _IN_PLACE:
            yield part.get(key)
        for key in _MAPS_IN_PLACE:
            yield from _members(part.get(key))
        for key in _REFERENCES:
            if isinstance(part.get(key), str):
                yield self._target(urljoin(self._bases[id(part)], part[key]))

    def _target(self, reference: str) -> object:
        if reference.startswith(_DIALECTS):
            return True
        if reference in self._named:
            return self._named[reference]
        document, _, pointer = reference.partition("#")
        if document not in self._named or (pointer and not pointer.startswith("/")):
            raise NowhereError
        part = self._named[document]
        for token in unquote(pointer).split("/")[1:]:
            part = _step(part, token.replace("~1", "/").replace("~0", "~"))
        return part


def _everywhere(part: dict[str, Any]) -> Iterator[object]:
    """Yield what may look at any item or member."""
    for key in _BELOW:
        yield part.get(key)
    yield from _members(part.get("patternProperties"))


def _somewhere(part: dict[str, Any]) -> Iterator[object]:
    """Yield what looks at one item or member, each at another."""
    yield from _members(part.get("properties"))
    yield from _items(part.get("prefixItems"))
    yield from _items(part.get("items"))


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _members(value: object) -> list[object]:
    return list(value.values()) if isinstance(value, dict) else []


def _step(part: object, name: str) -> object:
    if isinstance(part, dict):
        return part.get(name)
    if isinstance(part, list) and name.isdecimal() and int(name) < len(part):
        return part[int(name)]
    return None
