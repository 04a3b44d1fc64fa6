"""The commands `erase`, `erasures`, `hold`, `unhold` and `retention`, as operators call them."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

import httpx
import pytest
from anyio import run_process
from litestar import Litestar

from coordinator.adapters.stores import Stores
from coordinator.domain.access import Role
from coordinator.operations.erase import erase
from tests.conftest import MakeKey
from tests.sdk.installation import COORDINATOR
from tests.web.driving import completed
from tests.web.listening import served

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


class Told(NamedTuple):
    """How a command ended, and what it said."""

    exit_code: int
    stdout: str
    stderr: str


Run = Callable[..., Awaitable[Told]]


@pytest.fixture
async def run(app: Litestar, make_key: MakeKey) -> AsyncIterator[Run]:
    """Run a command with an admin's key against the service on a port.

    In a process of its own: in this one the service writes to the same stdout.
    """
    key = await make_key(user="root", roles=(Role.ADMIN,))
    async with served(app, key) as service:
        env = {"COORDINATOR_URL": str(service.http.base_url), "COORDINATOR_API_KEY": key}

        async def call(*words: str) -> Told:
            done = await run_process([*COORDINATOR, *words], env={**os.environ, **env}, check=False)
            return Told(done.returncode, done.stdout.decode(), done.stderr.decode())

        yield call


async def test_an_admin_decides_by_commands_how_long_an_upload_is_kept(
    run: Run, client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """What is held is not erased; what is not is, with a report."""
    upload_id = await completed(client, s3_http, b"abc")

    told = [
        await run("retention", "show"),
        await run("retention", "set", "archive=365:archive", "*=90:delete"),
        await run("retention", "show"),
        await run("hold", upload_id, "--case", "2026-117"),
        await run("erase", upload_id),
        await run("unhold", upload_id),
        await run("erase", "--user", "alice"),
    ]
    await erase(stores)
    listed = await run("erasures")

    assert [each.exit_code for each in told] == [0, 0, 0, 0, 1, 0, 0]
    assert [each.stdout for each in told[:4]] == [
        "no rules: everything is kept\n",
        "2 rules are set\n",
        (
            "*  delete after 90 days; due now: 0 uploads, 0 bytes\n"
            "archive  archive after 365 days; due now: 0 uploads, 0 bytes\n"
        ),
        f"{upload_id} is on hold for 2026-117\n",
    ]
    assert "on hold" in told[4].stderr
    assert told[6].stdout.splitlines()[0].endswith("  running  alice  (request)")
    lines = listed.stdout.splitlines()
    assert lines[0].endswith("  finished  a user, erased  (request)")
    assert lines[1].startswith("  uploads 1  objects 2  versions 2  bytes ")


@pytest.mark.parametrize(
    "words",
    [
        ("erase",),
        ("erase", "upl_x", "--user", "bob"),
        ("erase", "../keys"),
        ("retention", "set", "archive"),
    ],
)
async def test_what_names_nothing_is_not_sent(run: Run, words: tuple[str, ...]) -> None:
    """A usage error, as click has it."""
    assert (await run(*words)).exit_code == 2
