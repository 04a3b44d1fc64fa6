"""What the commands of operators share: one request to the service, its answer for people or JSON.

Rule: they speak HTTP with the key of an operator, as anybody could; what needs the database itself
(``keys``, ``migrate``) stands elsewhere.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import click
import msgspec

from coordinator.sdk import ConfigurationError
from coordinator.sdk.service import Service, is_plain_id

as_json: Final[Callable[..., Any]] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON on stdout."
)
tenant: Final[Callable[..., Any]] = click.option(
    "--tenant", help="Another tenant than the key's; needs the scope every-tenant."
)


def plain_id(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Let an id stand in a path as it is."""
    if value is not None and not is_plain_id(value):
        raise click.BadParameter("an id is upl_ or job_, and letters and digits")
    return value


def ask(
    method: str, path: str, *, body: Any = None, params: Mapping[str, Any] | None = None
) -> Any:
    """Ask the service that ``COORDINATOR_URL`` and ``COORDINATOR_API_KEY`` name; return its JSON.

    ``params`` that are ``None`` are left out. ``None`` comes back where the answer is empty.

    Raises:
        ClientError: see :mod:`coordinator.sdk.errors`; ``failures.guarded`` tells it.

    """
    given = {name: str(value) for name, value in (params or {}).items() if value is not None}
    with service() as opened:
        answer = opened.ask(method, path, body=body, params=given)
    return msgspec.json.decode(answer.content) if answer.content else None


@contextmanager
def service() -> Iterator[Service]:
    """Open the service that the variables name, for more than one request."""
    opened = Service(_given("COORDINATOR_URL"), _given("COORDINATOR_API_KEY"))
    try:
        yield opened
    finally:
        opened.close()


def show_json(value: Any) -> None:
    """Print JSON, an object a line."""
    click.echo(msgspec.json.encode(value).decode())


def _given(variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise ConfigurationError(f"{variable} is not set.")
    return value
