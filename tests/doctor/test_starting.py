"""What the bucket does not enforce decides whether service and worker start."""

import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

import httpx
import msgspec
import psycopg
import pytest
from anyio import to_thread
from click.testing import CliRunner, Result
from psycopg.rows import DictRow
from typing_extensions import override

from coordinator.adapters import kept_capabilities
from coordinator.adapters.stores import bucket_options
from coordinator.cli import main
from coordinator.domain.capabilities import DECISIVE, Capabilities, Check
from coordinator.operations.learn_capabilities import NoAnswerError, learn_capabilities
from coordinator.settings import Settings
from tests.forwarding import Answer, Forwarding, Request, passing_to
from tests.forwarding import serving as serving_requests
from tests.sdk.installation import serving

_FATAL: Final = "expired-url,header-left-out,other-part,tampered-url"
_MADE_UP_FOR: Final = [
    *("composite-at-complete", "composite-checksum", "part-digest-at-complete", "wrong-bytes"),
]

Run = Callable[..., Awaitable[Result]]
Connection = psycopg.AsyncConnection[DictRow]
on_moto = pytest.mark.parametrize("s3_server", ["moto"], indirect=True)
on_seaweedfs = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


@pytest.fixture
def run(environ: dict[str, str]) -> Run:
    """Return a function that runs a command with the test's settings, changed or not."""

    async def run(*arguments: str, **changes: str) -> Result:
        invoke = partial(CliRunner().invoke, main, arguments, env={**environ, **changes})
        return await to_thread.run_sync(invoke)

    return run


@on_moto
async def test_the_service_refuses_a_server_that_checks_no_signature(
    environ: dict[str, str], conn: Connection, settings: Settings
) -> None:
    """It names every check, what it means, and how to accept it; the result is kept."""
    ran = await to_thread.run_sync(
        lambda: subprocess.run(
            [sys.executable, "-m", "coordinator", "serve"],
            env={**os.environ, **environ, "COORDINATOR_PORT": "0"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    )

    assert ran.returncode == 1
    _, _, message = ran.stderr.partition("Error: ")
    named = [line.strip().partition(": ") for line in message.splitlines()]
    assert [name for name, colon, meaning in named if colon and name in set(Check) and meaning] == [
        *_FATAL.split(","),
        *_MADE_UP_FOR,
    ]
    assert f"COORDINATOR_ACCEPTED_WEAKNESSES={_FATAL}\n" in message
    kept = await kept_capabilities.read(
        conn, endpoint=settings.s3_endpoint, bucket=settings.s3_bucket
    )
    assert kept is not None
    assert sorted(kept.lacking) == sorted([*_FATAL.split(","), *_MADE_UP_FOR])


@on_moto
async def test_it_refuses_while_one_of_them_is_not_accepted(run: Run) -> None:
    """The worker too: an operator accepts each by name, or not."""
    some = "expired-url,other-part,wrong-bytes,header-left-out"

    refused = await run("work", COORDINATOR_ACCEPTED_WEAKNESSES=some)

    assert refused.exit_code == 1
    assert "COORDINATOR_ACCEPTED_WEAKNESSES=tampered-url\n" in refused.output


@on_moto
async def test_it_starts_once_all_of_them_are_accepted(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """Doctor agrees, and says that it was accepted."""
    accepting = {
        **os.environ,
        **environ,
        "COORDINATOR_ACCEPTED_WEAKNESSES": _FATAL,
        "COORDINATOR_DRAIN_SECONDS": "0",
    }

    def start() -> int:
        with serving(accepting, tmp_path) as url:
            return httpx.get(f"{url}/readyz").status_code

    assert await to_thread.run_sync(start) == 200
    doctor = await to_thread.run_sync(
        lambda: CliRunner().invoke(main, ["doctor", "--json"], env=accepting)
    )
    [line] = [
        each
        for each in msgspec.json.decode(doctor.stdout)["lines"]
        if each["name"] == "tampered-url"
    ]
    assert (doctor.exit_code, line["result"], line["stops"]) == (0, "lacking", False)
    assert line["means"].endswith("COORDINATOR_ACCEPTED_WEAKNESSES accepts that.")


@on_seaweedfs
@pytest.mark.parametrize("command", ["serve", "doctor"])
async def test_a_mistyped_weakness_is_wrong_usage_and_the_nearest_is_named(
    run: Run, command: str
) -> None:
    """Silence would leave the operator with a service that does not start."""
    refused = await run(command, COORDINATOR_ACCEPTED_WEAKNESSES="tampered-ulr")

    assert refused.exit_code == 2
    assert "tampered-ulr is no check of S3. Did you mean tampered-url?" in refused.output


@on_seaweedfs
async def test_a_bucket_that_is_not_there_is_refused_with_the_reason(run: Run) -> None:
    """No traceback, no waiting: S3 has answered."""
    refused = await run("serve", COORDINATOR_S3_BUCKET="no-such-bucket")

    assert refused.exit_code == 1
    assert refused.output.splitlines()[-1] == (
        "Error: S3 refuses CreateMultipartUpload (NoSuchBucket), without which no upload is "
        "possible: run `coordinator doctor`"
    )


@on_seaweedfs
async def test_while_s3_is_away_the_earlier_result_counts_and_without_one_it_does_not_start(
    settings: Settings, conn: Connection
) -> None:
    """A service that restarts while S3 is away must come up: most of it works without."""
    away = msgspec.structs.replace(settings, s3_endpoint="http://127.0.0.1:1")
    options = bucket_options(away)

    async def learn() -> Capabilities:
        return await learn_capabilities(conn, options, prefix="x", patience=timedelta(0))

    with pytest.raises(NoAnswerError, match=r"^EndpointConnectionError$"):
        await learn()
    earlier = Capabilities(frozenset({Check.WRONG_BYTES, Check.IF_NONE_MATCH}))
    await kept_capabilities.keep(conn, earlier, endpoint=options.endpoint, bucket=options.name)

    assert await learn() == earlier


@on_moto
async def test_a_server_that_is_too_busy_has_refused_nothing(
    settings: Settings, conn: Connection
) -> None:
    """It is asked again, and an earlier result counts meanwhile."""
    pass_on = passing_to(settings.s3_endpoint)

    class Busy(Forwarding):
        @override
        def meet(self, request: Request) -> None:
            self.answer(Answer(503, {}, b"") if request.method == "PUT" else pass_on(request))

    with serving_requests(Busy) as endpoint:
        options = bucket_options(msgspec.structs.replace(settings, s3_endpoint=endpoint))
        with pytest.raises(NoAnswerError, match=r"^StoreFaultError$"):
            await learn_capabilities(conn, options, prefix="x", patience=timedelta(0))


@on_seaweedfs
async def test_what_was_kept_is_replaced_by_what_is_found_now(
    settings: Settings, conn: Connection, capabilities: Capabilities
) -> None:
    """Servers are upgraded. A name that this release does not know is no reason to fail."""
    where = {"endpoint": settings.s3_endpoint, "bucket": settings.s3_bucket}
    assert await kept_capabilities.read(conn, **where) == capabilities == Capabilities()

    await kept_capabilities.keep(conn, Capabilities(DECISIVE), **where)
    await conn.execute("UPDATE capabilities SET lacking = lacking || '{of-the-future}'")

    assert await kept_capabilities.read(conn, **where) == Capabilities(DECISIVE)
    await learn_capabilities(
        conn, bucket_options(settings), prefix=settings.s3_prefix, patience=timedelta(0)
    )
    assert await kept_capabilities.read(conn, **where) == Capabilities()
