#!/usr/bin/env python3
"""Write the pages that follow from code: errors, phases, settings, capabilities, roles, OpenAPI.

``docs/generate.py`` writes them, ``docs/generate.py --check`` exits 1 where one is stale.
"""

import ast
import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

import click
import msgspec

from coordinator import settings as settings_module
from coordinator.app import create_app
from coordinator.domain import errors
from coordinator.domain.access import GRANTABLE, NEEDS_SCOPE, RIGHTS, Reach, Role, Scope
from coordinator.domain.access import Action as Doing
from coordinator.domain.capabilities import ESSENTIAL, MEANINGS, Check
from coordinator.domain.jobs import PipelineStatus, State
from coordinator.domain.kinds import Kind
from coordinator.domain.permissions import NEEDS, Action
from coordinator.domain.phases import TRANSITIONS, Phase, Reason
from coordinator.domain.pipelines import PIPELINES, Step
from coordinator.settings import PREFIX, Settings
from coordinator.web.problems import HTTP_CODES, STATUS

_FOLDER: Final = Path(__file__).parent
_PACKAGE: Final = _FOLDER.parent / "coordinator"
_NOTE: Final = "<!-- Written by docs/generate.py; `make docs` renews it. -->\n"


def errors_page() -> str:
    """List every code of a problem document, with the members that it adds."""
    members = _members()
    rows = [
        (
            f"`{refusal.code}`",
            str(status),
            title,
            _first_line(refusal),
            ", ".join(f"`{name}`" for name in members[refusal.__name__]) or "-",
        )
        for refusal, (status, title) in STATUS.items()
    ]
    framework = [
        *((f"`{code}`", str(status)) for status, code in HTTP_CODES.items()),
        ("`internal`", "500"),
    ]
    return "\n".join(
        [
            "# Errors\n",
            _NOTE,
            "Every refusal is a problem document (RFC 9457, `application/problem+json`):",
            "`type`, `title`, `status`, `detail`, `code`, `requestId`, and what the table names.",
            "Codes are never renamed; `detail` is for people and may change. `field` is a path",
            "into the body, such as `chunks[3].sha256`, or the name of a header or parameter.",
            "A member in the last column is there where it says something.\n",
            _table(("code", "status", "title", "when", "members"), rows),
            "\n## Before a route is reached\n",
            "These come of HTTP itself: no such route, a method or media type that a route does",
            "not take, a body above 2 MiB; and of faults of ours, which the log explains.\n",
            _table(("code", "status"), framework),
        ]
    )


def phases_page() -> str:
    """Draw the life of an upload, and list the words for how uploads and jobs end."""
    arrows = [f"    {before} --> {after}: {event}" for (before, event), after in _transitions()]
    finals = [phase for phase in Phase if not any(phase == before for before, _ in TRANSITIONS)]
    kinds = [(f"`{kind}`", _job_summary(kind)) for kind in Kind]
    pipelines = [
        (f"`{purpose}`", ", ".join(_step(step) for step in chosen))
        for purpose, chosen in sorted(PIPELINES.items())
    ]
    summed_up = ", ".join(f"`{status}`" for status in PipelineStatus)
    return "\n".join(
        [
            "# Phases, reasons, jobs\n",
            _NOTE,
            "```mermaid",
            "stateDiagram-v2",
            f"    [*] --> {Phase.INIT}: init",
            *arrows,
            *(f"    {phase} --> [*]" for phase in finals),
            "```\n",
            _table(("phase", "means"), _explained(Phase)),
            "\n## Why an upload is FAILED\n",
            _table(("reason", "means"), _explained(Reason)),
            "\n## Jobs\n",
            _table(("kind", "does"), kinds),
            "\n`metadata.purpose` chooses which of them run; without a purpose, `archive`.\n",
            _table(("purpose", "jobs, in order"), pipelines),
            "",
            _table(("state of a job", "means"), _explained(State)),
            f"\n`aiPipeline.status` sums them up: {summed_up}.",
        ]
    )


def settings_page() -> str:
    """List every variable that service and worker read."""
    hints = get_type_hints(Settings, include_extras=True)
    rows = [
        (
            f"`{PREFIX}{field.name.upper()}`",
            _default(field.default),
            _meaning(hints[field.name]),
            _limits(hints[field.name]) or "-",
        )
        for field in msgspec.structs.fields(Settings)
    ]
    clients = ", ".join(f"`{PREFIX}{n.upper()}`" for n in sorted(settings_module.CLIENT_VARIABLES))
    return "\n".join(
        [
            "# Settings\n",
            _NOTE,
            "Environment variables, read once at the start. An unknown `COORDINATOR_*` is an error",
            f"that names the nearest known one. Clients read {clients}.",
            "AWS credentials and region are botocore's: `AWS_ACCESS_KEY_ID`, `AWS_REGION`,",
            "profiles, roles. `.env.example` shows a set to start from.\n",
            _table(("variable", "default", "meaning", "limits"), rows),
        ]
    )


def capabilities_page() -> str:
    """List what `coordinator doctor` looks at in S3, and what follows where it is lacking."""
    checks = [
        (
            f"`{check}`",
            "yes" if check in ESSENTIAL else "",
            MEANINGS[check].lacking,
            MEANINGS[check].instead,
            MEANINGS[check].do,
        )
        for check in Check
    ]
    actions = [(f"`{action}`", NEEDS[action].used, NEEDS[action].lacking) for action in Action]
    return "\n".join(
        [
            "# What S3 must do, and what the service does where it does not\n",
            _NOTE,
            "`coordinator doctor` tries all of this on the configured bucket with tiny uploads;",
            "service and worker try in short when they start, and keep the result. They do not",
            "start where something *essential* is lacking, unless",
            "`COORDINATOR_ACCEPTED_WEAKNESSES` names it.\n",
            _table(("check", "essential", "where it is lacking", "instead", "what to do"), checks),
            "\n## Permissions\n",
            "What a policy must allow, on the bucket and on everything under the prefix; the KMS",
            "actions only where the bucket is encrypted with a key of KMS.\n",
            _table(("action", "what for", "without it"), actions),
        ]
    )


def roles_page() -> str:
    """List what each role may do, whose uploads it reaches by that, and by which routes."""
    routes: dict[str, list[str]] = {}
    for path, operations in _document()["paths"].items():
        for method, operation in operations.items():
            if action := operation.get("x-action"):
                routes.setdefault(action, []).append(f"`{method.upper()} {path}`")
    meanings = dict(_explained(Doing))
    words = {Reach.ONE: "the token's", Reach.OWN: "own", Reach.TENANT: "the tenant's"}
    roles = [*GRANTABLE, Role.TOKEN, Role.TRAINER]
    rights = [
        (
            f"`{action}`",
            meanings[f"`{action}`"],
            *(words[RIGHTS[action][role]] if role in RIGHTS[action] else "" for role in roles),
            f"`{NEEDS_SCOPE[action]}`" if action in NEEDS_SCOPE else "",
        )
        for action in Doing
    ]
    return "\n".join(
        [
            "# Who may do what\n",
            _NOTE,
            "A caller may do what one of its roles may. The table says whose uploads an action",
            "reaches: all else looks as if it did not exist. A backend's own (`act-as`) are its",
            "tenant's. [access.md](access.md) says how roles and scopes are given.\n",
            _table(("action", "means", *(f"`{role}`" for role in roles), "scope"), rights),
            "",
            _table(("role", "is"), _explained(Role)),
            "",
            _table(("scope", "lets"), _explained(Scope)),
            "\n## Routes\n",
            "Also in the OpenAPI document: `x-action`, `x-roles`, `x-scope`. Every other route is",
            "for machines and needs no key.\n",
            _table(
                ("action", "routes"),
                [(f"`{action}`", "<br>".join(routes.get(action, ["-"]))) for action in Doing],
            ),
        ]
    )


def openapi() -> str:
    """Write the OpenAPI document."""
    return json.dumps(_document(), indent=2)


@cache
def _document() -> dict[str, Any]:
    """Build the document; no server, store or network is needed."""
    nowhere = Settings(database_url="-", redis_url="-", s3_bucket="none", secret="-" * 32)
    return create_app(nowhere).openapi_schema.to_schema()


def _transitions() -> Iterator[tuple[tuple[Phase, str], Phase]]:
    for (before, event), after in TRANSITIONS.items():
        yield (before, event.value), after


def _explained(words: type[StrEnum]) -> list[tuple[str, str]]:
    """Read an enum's words with the comments that stand beside them."""
    source = inspect.getsource(words)
    comments = dict(
        re.findall(r'^ +\w+ = "([^"]+)"(?:  # (.+?))?(?:  # noqa.*)?$', source, re.MULTILINE)
    )
    return [(f"`{word}`", comments[word] or "-") for word in words]


def _members() -> dict[str, list[str]]:
    """Read from the source which members each refusal's problem may have."""
    trees = {path: ast.parse(path.read_text("utf-8")) for path in sorted(_PACKAGE.rglob("*.py"))}
    known = {refusal.__name__: refusal for refusal in STATUS}
    found: dict[str, list[str]] = {name: [] for name in known}
    for node in ast.walk(trees[_PACKAGE / "domain" / "errors.py"]):
        if isinstance(node, ast.ClassDef) and node.name in known:
            for call in _calls(node):
                if isinstance(call.func, ast.Attribute) and call.func.attr == "__init__":
                    found[node.name] += _keywords(call)
    for tree in trees.values():
        for call in _calls(tree):
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            if name in known and "facts" in inspect.signature(known[name]).parameters:
                found[name] += _keywords(call)
    return {name: [_camel(each) for each in dict.fromkeys(found[name])] for name in found}


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _keywords(call: ast.Call) -> list[str]:
    return [keyword.arg for keyword in call.keywords if keyword.arg]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def _first_line(refusal: type[errors.CoordinatorError]) -> str:
    text = inspect.getdoc(refusal)
    assert text, "every refusal says when it comes"
    return " ".join(text.split("\n\n")[0].replace("``", "`").split())


def _step(step: Step) -> str:
    needs = f" (needs {', '.join(f'`{kind}`' for kind in step.needs)})" if step.needs else ""
    return f"`{step.kind}`{needs}"


def _job_summary(kind: Kind) -> str:
    source = (_PACKAGE / "jobs" / f"{kind}.py").read_text("utf-8")
    text = ast.get_docstring(ast.parse(source))
    assert text, "every job says what it does"
    return " ".join(text.split("\n\n")[0].replace("``", "`").split())


def _metas(hint: Any) -> list[msgspec.Meta]:
    return [each for each in get_args(hint)[1:] if isinstance(each, msgspec.Meta)]


def _default(value: object) -> str:
    if value is msgspec.NODEFAULT:
        return "required"
    return f"`{value}`" if value != "" else "empty"


def _meaning(hint: Any) -> str:
    told = [meta.description for meta in _metas(hint) if meta.description]
    assert told, "every setting says what it means"
    return told[-1]


def _limits(hint: Any) -> str:
    bare = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if get_origin(bare) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(bare))
    limits: list[str] = []
    for meta in _metas(hint):
        limits += [f"from {meta.ge}"] if meta.ge is not None else []
        limits += [f"to {meta.le}"] if meta.le is not None else []
        limits += [f"{meta.min_length} or more characters"] if meta.min_length else []
        limits += [f"`{meta.pattern}`"] if meta.pattern else []
    return " ".join(limits)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def pages() -> Mapping[str, str]:
    """Make all pages, by the name of their file."""
    made = {
        "errors.md": errors_page(),
        "phases.md": phases_page(),
        "settings.md": settings_page(),
        "capabilities.md": capabilities_page(),
        "roles.md": roles_page(),
        "openapi.json": openapi(),
    }
    return {name: text.rstrip("\n") + "\n" for name, text in made.items()}


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where a page is stale.")
@click.option("--folder", default=_FOLDER, type=click.Path(path_type=Path), show_default=True)
def main(*, check: bool, folder: Path) -> None:
    """Write the generated pages, or check them."""
    stale = {
        name: text
        for name, text in pages().items()
        if not (folder / name).exists() or (folder / name).read_text("utf-8") != text
    }
    for name, text in stale.items():
        if not check:
            (folder / name).write_text(text, encoding="utf-8")
        click.echo(f"{name} is stale: run `make docs`" if check else f"{name} written")
    if check and stale:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
