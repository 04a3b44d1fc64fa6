"""What the pages say about settings, targets, routes and files must be so."""

import re
from pathlib import Path
from typing import Final

import msgspec
import pytest
from litestar import Litestar

from coordinator.app import create_app
from coordinator.env_files import read_env_file
from coordinator.settings import KNOWN, PREFIX, Settings, read

_ROOT: Final = Path(__file__).parents[2]
_README: Final = (_ROOT / "README.md").read_text(encoding="utf-8")
_PAGES: Final = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "deploy/*.md", "localstack/*.md")
    for path in _ROOT.glob(pattern)
)
_LINK: Final = re.compile(r"\]\((?!https?:|#)([^)#]+)")
_VARIABLE: Final = re.compile(r"COORDINATOR_[A-Z0-9_]*[A-Z0-9]")
_ROUTE: Final = re.compile(r"(GET|POST|DELETE) (/[a-zA-Z/{}.]*)")


def _service() -> Litestar:
    values = {"database_url": "", "redis_url": "", "s3_bucket": "any", "secret": "s" * 32}
    return create_app(msgspec.convert(values, Settings))


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """A page that was moved is noticed here and not by a reader."""
    targets = _LINK.findall(page.read_text(encoding="utf-8"))

    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_ROOT)))
def test_variables_that_pages_name_are_settings(page: Path) -> None:
    """An unknown variable is an error at start, so a page must not suggest one."""
    named = set(_VARIABLE.findall(page.read_text(encoding="utf-8")))

    assert named - {PREFIX + name.upper() for name in KNOWN} == set()


def test_readme_tells_the_settings_defaults() -> None:
    """Its table repeats values that stand in ``settings.py``."""
    rows = re.findall(r"^\| (`COORDINATOR_.*?) \| .* \| (.*?) \|$", _README, re.MULTILINE)
    told = {
        name.removeprefix(PREFIX).lower(): value.strip("`")
        for names, values in rows
        for name, value in zip(_VARIABLE.findall(names), values.split(", "), strict=True)
    }
    words = {
        "s3_endpoint": "AWS",
        "s3_public_endpoint": "the same",
        "cors_origins": "none",
        "issuers": "none",
        "trusted_proxies": "none",
        "embeddings": "nothing",
        "event_sinks": "nobody",
        "trainers": "nobody",
    }
    true = {
        field.name: "required" if field.required else words.get(field.name, str(field.default))
        for field in msgspec.structs.fields(Settings)
    }

    whole = told.pop("rate_limits_user").removesuffix("` …")
    assert true["rate_limits_user"].startswith(f"{whole} ")
    assert told == {name: true[name] for name in told}
    assert {name for name, value in true.items() if value == "required"} <= set(told)


@pytest.mark.parametrize("name", [".env.example", "localstack/run.env"])
def test_environments_to_start_from_can_be_read(name: str) -> None:
    """An operator starts from them; each name and value must be accepted."""
    environ = read_env_file(_ROOT / name)

    assert read(environ).s3_bucket == environ["COORDINATOR_S3_BUCKET"]


def test_targets_that_pages_name_exist() -> None:
    """``make`` is the first thing that a newcomer types."""
    makefile = (_ROOT / "Makefile").read_text(encoding="utf-8")
    existing = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    named = {
        target
        for page in (_ROOT / "README.md", _ROOT / "docs" / "CONTRIBUTING.md")
        for target in re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8"))
    }

    assert named <= existing
    assert {"demo", "run", "test", "lint"} <= named


def test_routes_that_the_requirements_page_names_exist() -> None:
    """The page says where things are."""
    page = (_ROOT / "docs" / "requirements.md").read_text(encoding="utf-8")
    existing = {
        (method, re.sub(r"{(\w+)}", "{}", re.sub(r":\w+}", "}", route.path)))
        for route in _service().routes
        for method in getattr(route, "methods", ())
    }

    named = {(method, re.sub(r"{\w+}", "{}", path)) for method, path in _ROUTE.findall(page)}

    assert named <= existing
    assert ("POST", "/api/upload/complete") in named


def test_readme_and_the_browser_page_show_the_same_script() -> None:
    """The page's example is run in a browser; README's is a part of it."""
    page = (_ROOT / "docs" / "browser.md").read_text(encoding="utf-8")
    shown = re.search(r"```js\n(.*?)```", _README, re.DOTALL)

    assert shown is not None
    lines = [line for line in shown[1].splitlines() if line and "new Upload(" not in line]
    assert len(lines) == 4
    assert [line for line in lines if line not in page] == []
