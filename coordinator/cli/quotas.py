"""``coordinator quotas``: what a tenant may use, and what it uses."""

import re
from typing import Any, Final

import click
from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from coordinator.cli.asking import as_json, ask, show_json, tenant
from coordinator.cli.failures import EXIT_CODES, Exit, guarded
from coordinator.cli.view import printable

_SIZE: Final = re.compile(
    r"([0-9]{1,19})(?:\.([0-9]{1,3}))? ?(?:([kmgtp])(i?)b?|b)?", re.IGNORECASE
)
_MOST: Final = 2**63 - 1
_PATH: Final = "/api/quotas"
_NONE: Final = "none"

# The API's name, what it is called here, whether it counts bytes, what usage calls it.
_ROWS: Final = (
    ("openUploads", "open uploads", False, "openUploads"),
    ("bytesADay", "bytes a day", True, "dayBytes"),
    ("storedBytes", "bytes stored", True, "storedBytes"),
    ("largestFile", "largest file", True, None),
    ("chunksASecond", "chunks a second", False, None),
)


def parse_size(text: str) -> int:
    """Read a size in bytes, with a unit or without.

    >>> parse_size("500GB"), parse_size("2TiB"), parse_size("1.5k"), parse_size("7")
    (500000000000, 2199023255552, 1500, 7)

    Raises:
        ValueError: it is spelled otherwise, or beyond all sizes.

    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no size: write 500GB, 2TiB or bytes.")
    whole, fraction, unit, binary = match.groups()
    power = " kmgtp".index(unit.lower()) if unit else 0
    factor = (1024 if binary else 1000) ** power
    digits = fraction or ""
    size: int = (int(whole + digits) * factor) // 10 ** len(digits)
    if size > _MOST:
        raise ValueError(f"{text!r} is too large.")
    return size


def _size(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> int | str | None:
    if value is None or value == _NONE:
        return value
    try:
        return parse_size(value)
    except ValueError as exc:
        raise click.BadParameter(str(exc)) from exc


def _count(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> int | str | None:
    if value is None or value == _NONE:
        return value
    if not re.fullmatch(r"[0-9]{1,18}", value):
        raise click.BadParameter(f"{value!r} is no number.")
    return int(value)


@click.group("quotas")
def quotas_command() -> None:
    """What tenants may use. The default of all tenants is that of the tenant `*`."""


@quotas_command.command("show", epilog=EXIT_CODES)
@tenant
@as_json
@guarded
def show(*, tenant: str | None, as_json: bool) -> Exit:
    """Show limits and usage."""
    _print(ask("GET", _PATH, params={"tenant": tenant}), as_json=as_json)
    return Exit.OK


@quotas_command.command("set", epilog=EXIT_CODES)
@click.option(
    "--open-uploads", "openUploads", metavar="NUMBER", callback=_count, help="Open at once."
)
@click.option(
    "--bytes-a-day",
    "bytesADay",
    metavar="SIZE",
    callback=_size,
    help="Of uploads opened since 00:00 UTC.",
)
@click.option(
    "--stored-bytes",
    "storedBytes",
    metavar="SIZE",
    callback=_size,
    help="Of uploads that are open or completed.",
)
@click.option("--largest-file", "largestFile", metavar="SIZE", callback=_size, help="Of one file.")
@click.option(
    "--chunks-a-second",
    "chunksASecond",
    metavar="NUMBER",
    callback=_count,
    help="Chunks signed a second.",
)
@click.option("--file-type", "file_types", multiple=True, help="text/csv, image/*, ...; or none.")
@click.option("--type-check", "typeCheck", type=click.Choice(["off", "note", "refuse", _NONE]))
@tenant
@as_json
@guarded
def set_(
    *, tenant: str | None, as_json: bool, file_types: tuple[str, ...], **limits: int | str | None
) -> Exit:
    """Set limits; the others stay. `none`: as the default has it. Sizes: 500GB, 2TiB.

    Needs the role admin and the scope every-tenant.
    """
    own = ask("GET", _PATH, params={"tenant": tenant})["own"]
    given: dict[str, Any] = {name: value for name, value in limits.items() if value is not None}
    if file_types:
        given["fileTypes"] = _NONE if file_types == (_NONE,) else list(file_types)
    body = own | {name: None if value == _NONE else value for name, value in given.items()}
    _print(ask("PUT", _PATH, body=body, params={"tenant": tenant}), as_json=as_json)
    return Exit.OK


def _print(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(answer)
    else:
        Console(highlight=False).print(_table(answer))


def _table(answer: dict[str, Any]) -> Table:
    limits, own, usage = answer["limits"], answer["own"], answer["usage"]
    table = Table(box=box.SIMPLE_HEAD, title=f"tenant {printable(answer['tenant'])}")
    for name in ("quota", "limit", "from", "used"):
        table.add_column(name)
    for name, shown, is_bytes, used in _ROWS:
        table.add_row(
            shown,
            _told(limits[name], is_bytes=is_bytes),
            _source(own[name], limits[name]),
            "" if used is None else _told(usage[used], is_bytes=is_bytes),
        )
    types = limits["fileTypes"]
    table.add_row(
        "file types",
        "any" if types is None else printable(", ".join(types)),
        _source(own["fileTypes"], types),
        "",
    )
    check = limits["typeCheck"]
    table.add_row("type check", check, _source(own["typeCheck"], check), "")
    return table


def _told(value: int | None, *, is_bytes: bool) -> str:
    if value is None:
        return "no limit"
    return f"{decimal(value)} ({value})" if is_bytes else str(value)


def _source(own: object, limit: object) -> str:
    if own is not None:
        return "own"
    return "" if limit is None else "default"


COMMANDS: Final = [quotas_command]
