"""The matrix: every route of the OpenAPI document, every caller, whosever thing it is about."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import httpx
from litestar import Litestar

from tests.conftest import client_of
from tests.web.access_table import HERE, OF_TENANT, PROBES, Probe, Thing, Who, Whose, expected

_ALLOWED: Final = frozenset({200, 201, 202, 204, 307, 409})
_REFUSED: Final = frozenset({401, 403, 404})

Route = tuple[str, str]


class Operation(NamedTuple):
    """A route as the document has it, and the action that it says to be for."""

    route: Route
    action: str | None


class Cell(NamedTuple):
    """One request of the matrix and what came of it."""

    operation: Operation
    who: Who
    whose: Whose | None
    came: str
    refusal: Mapping[str, Any] | None  # its problem document without the request's id

    @property
    def is_right(self) -> bool:
        """Whether it came as it must."""
        probe = PROBES[self.operation.route]
        whose = None if probe.takes_all else self.whose
        return self.came == expected(probe.action, self.who, whose)


class Things:
    """Makes what requests are about, and whoever calls. Filled by the test's fixtures."""

    def __init__(
        self,
        app: Litestar,
        credentials: Mapping[Who, str],
        make: Callable[[Thing, Whose], Awaitable[str]],
        tokens: Mapping[str, str],
    ) -> None:
        self._app = app
        self._credentials = credentials
        self._make = make
        self._tokens = tokens
        self._kept: dict[tuple[Thing, Whose], str] = {}
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def thing(self, probe: Probe, whose: Whose) -> str:
        """Return a thing; one that a good request uses up is made anew each time."""
        assert probe.thing is not None
        place = (probe.thing, whose)
        if place not in self._kept or probe.uses_up:
            self._kept[place] = await self._make(*place)
        return self._kept[place]

    async def client(self, who: Who, probe: Probe) -> httpx.AsyncClient:
        """Return a caller; a token is always of the thing that is its own."""
        text: str | None = self._credentials.get(who)
        if who is Who.TOKEN:
            kind = probe.thing if probe.thing in {Thing.UPLOAD, Thing.ENDED} else Thing.UPLOAD
            place = (kind, Whose.MINE)
            if place not in self._kept:
                self._kept[place] = await self._make(*place)
            text = self._tokens[self._kept[place]]
        name = text or ""
        if name not in self._clients:
            self._clients[name] = client_of(self._app, text)
        return self._clients[name]

    async def close(self) -> None:
        """Close the clients."""
        for client in self._clients.values():
            await client.aclose()


def operations_of(document: Mapping[str, Any]) -> list[Operation]:
    """List the document's operations."""
    return [
        Operation((method, path), operation.get("x-action"))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


async def run(things: Things, operations: list[Operation]) -> list[Cell]:
    """Send the whole matrix."""
    return [
        await _ask(things, operation, who, whose)
        for operation in operations
        for who in Who
        for whose in _owners(PROBES[operation.route])
    ]


def _owners(probe: Probe) -> list[Whose | None]:
    if probe.thing is None:
        return [None]
    if probe.thing in OF_TENANT:
        return [Whose.MINE, Whose.STRANGERS, Whose.NOBODYS]
    return list(Whose)


async def _ask(things: Things, operation: Operation, who: Who, whose: Whose | None) -> Cell:
    probe = PROBES[operation.route]
    thing = None if whose is None else await things.thing(probe, whose)
    client = await things.client(who, probe)
    method, path = operation.route
    answer = await client.request(
        method, _fill(path, thing), json=_body(probe, thing), params=probe.query
    )
    if answer.status_code in _ALLOWED:
        return Cell(operation, who, whose, "yes", None)
    assert answer.status_code in _REFUSED, (operation.route, who, whose, answer.text)
    refusal = {name: each for name, each in answer.json().items() if name != "requestId"}
    return Cell(operation, who, whose, str(answer.status_code), refusal)


def _fill(path: str, thing: str | None) -> str:
    start, brace, rest = path.partition("{")
    filled = path if not brace else f"{start}{thing}{rest.partition('}')[2]}"
    return filled.replace("{sink}", "hook")


def _body(probe: Probe, thing: str | None) -> dict[str, Any] | None:
    if probe.body is None:
        return None
    return {name: thing if value is HERE else value for name, value in probe.body.items()}


def told_apart(cells: list[Cell]) -> list[tuple[Route, Who]]:
    """Name where somebody could tell a foreign thing from one that never was."""
    answers: dict[tuple[Route, Who], list[Mapping[str, Any]]] = {}
    for cell in cells:
        if cell.came == "404" and cell.refusal is not None:
            answers.setdefault((cell.operation.route, cell.who), []).append(cell.refusal)
    return [place for place, told in answers.items() if any(each != told[0] for each in told)]


def drawn(cells: list[Cell]) -> Iterator[str]:
    """Draw the matrix: a line a route, a column a caller, in it what came for each owner."""
    yield f"{'':<46}" + "".join(f"{who:<22}" for who in Who)
    yield f"{'of: ' + ' / '.join(Whose):<46}"
    by_route: dict[Route, dict[Who, list[str]]] = {}
    for cell in cells:
        mark = cell.came if cell.is_right else f"{cell.came}!"
        by_route.setdefault(cell.operation.route, {}).setdefault(cell.who, []).append(mark)
    for (method, path), row in by_route.items():
        name = f"{method.upper()} {path}"
        yield f"{name:<46}" + "".join(f"{'/'.join(row[who]):<22}" for who in Who)
