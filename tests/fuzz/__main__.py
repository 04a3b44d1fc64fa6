"""``make fuzz``: a real service, every caller, requests from its document, and broken bodies."""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from coordinator import settings as settings_module
from coordinator.app import create_app
from coordinator.telemetry import configure_logs
from tests.faults.installation import breakable_installation
from tests.fuzz import broken, documented
from tests.fuzz.world import WHO, key_for, world_of

# Nobody is slowed down: what is looked for are answers, not refusals to answer.
UNLIMITED: Final = {
    "COORDINATOR_RATE_LIMITS_USER": "off",
    "COORDINATOR_RATE_LIMITS_ADDRESS": "off",
    "COORDINATOR_LOG_LEVEL": "warning",
}


def main() -> None:
    """Run it, and exit 1 where something was found."""
    configure_logs("error")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="made up from the document")
    parser.add_argument("--inputs", type=int, default=200_000, help="broken bodies")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="fuzz-") as folder,
        breakable_installation(Path(folder), **UNLIMITED) as installation,
    ):
        started = time.monotonic()
        url, environ = installation.url, installation.environ
        worlds = [asyncio.run(world_of(url, environ, who)) for who in WHO]
        judged = documented.send_all(url, worlds, count=asked.requests)
        _tell("from the document", documented.told(judged), started)
        started = time.monotonic()
        sent = asyncio.run(_break(url, environ, asked.inputs, asked.seed))
        _tell("broken bodies", broken.told(sent), started)
    sys.exit(bool(judged.found or sent.found))


async def _break(url: str, environ: dict[str, str], count: int, seed: int) -> broken.Outcome:
    os.environ.update({name: environ[name] for name in environ if name.startswith("AWS_")})
    # Quotas are of another tenant: what is set here by chance must not end what is tried there.
    # Whatever quotas the requests before have set are another tenant's.
    world = await world_of(url, environ, "everything", tenant="broken")
    assert world.credential is not None
    quotas = await key_for(environ, "installer", tenant="of-quotas")
    credentials = {"*": world.credential, "/api/quotas": quotas}
    app = create_app(settings_module.read(environ))
    async with app.lifespan():
        document = app.openapi_schema.to_schema()
        first = {name: found[0] for name, found in world.known.items() if found}
        routes = broken.entries(document, credentials, first)
        return await broken.send_broken(app, routes, count=count, seed=seed)


def _tell(what: str, lines: Iterator[str], started: float) -> None:
    print(what)  # noqa: T201 - it is a command
    for line in lines:
        print(line)  # noqa: T201
    print(f"in {time.monotonic() - started:.0f} s\n")  # noqa: T201


if __name__ == "__main__":
    main()
