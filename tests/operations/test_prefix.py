"""One prefix of the bucket, one installation: the marker object says whose it is."""

import asyncio
import json
from functools import partial
from uuid import UUID, uuid4

import pytest
from anyio import to_thread
from click.testing import CliRunner

from coordinator.adapters import installation
from coordinator.adapters.stores import Stores, open_stores
from coordinator.cli import main
from coordinator.domain.names import is_plain, marker_key
from coordinator.operations.claim_prefix import PrefixTakenError, claim_prefix
from coordinator.settings import Settings
from tests.builders import rows


async def _marker(stores: Stores, prefix: str) -> str:
    body = await stores.bucket.read(marker_key(prefix), first=0, length=4_096)
    owner: str = json.loads(body)["installation"]
    return owner


async def _forget_own_id(stores: Stores) -> None:
    """Be another installation from now on: one with a database of its own."""
    await rows(stores.pool, "UPDATE installation SET id = %s RETURNING id", [uuid4()])


async def _own_id(stores: Stores) -> UUID:
    async with stores.pool.connection() as conn:
        return await installation.own_id(conn)


async def test_the_first_claim_writes_the_marker_and_the_next_ones_read_it(
    stores: Stores, settings: Settings
) -> None:
    """Service and worker claim at every start, many at once."""
    prefix = settings.s3_prefix
    await asyncio.gather(*(claim_prefix(stores, prefix) for _ in range(4)))
    first = await _marker(stores, prefix)

    await claim_prefix(stores, prefix)

    assert first == await _marker(stores, prefix) == str(await _own_id(stores))


@pytest.mark.parametrize("other", [None, b'{"installation": 7}', b"{", b" "])
async def test_another_installations_prefix_is_refused(
    stores: Stores, settings: Settings, *, other: bytes | None
) -> None:
    """So is one that nobody can say whose it is. The marker stays as it was."""
    prefix = settings.s3_prefix
    if other is None:
        await claim_prefix(stores, prefix)
        await _forget_own_id(stores)
    else:
        await stores.bucket.put(marker_key(prefix), other, file_type="application/json")
    before = await stores.bucket.facts(marker_key(prefix))

    with pytest.raises(PrefixTakenError, match="COORDINATOR_S3_PREFIX"):
        await claim_prefix(stores, prefix)

    assert await stores.bucket.facts(marker_key(prefix)) == before


async def test_of_two_that_race_for_a_prefix_one_gets_it(
    stores: Stores, settings: Settings
) -> None:
    """S3 writes the marker for one of them: the other reads whose it is."""
    mine, theirs = (
        {"installation": str(await _own_id(stores)), "about": ""},
        {"installation": str(uuid4()), "about": ""},
    )
    key = marker_key(settings.s3_prefix)
    puts = [
        stores.bucket.put_first(key, json.dumps(each).encode(), file_type="application/json")
        for each in (theirs, mine)
    ]

    answers = await asyncio.gather(*puts, return_exceptions=True)

    lost = [each for each in answers if each is not None]
    assert len(lost) == 1
    is_mine = await _marker(stores, settings.s3_prefix) == mine["installation"]
    if is_mine:
        await claim_prefix(stores, settings.s3_prefix)
    else:
        with pytest.raises(PrefixTakenError):
            await claim_prefix(stores, settings.s3_prefix)


@pytest.mark.parametrize("command", ["serve", "work"])
@pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)
async def test_neither_service_nor_worker_starts_in_somebody_elses_prefix(
    settings: Settings, environ: dict[str, str], command: str
) -> None:
    """The message names the setting that helps."""
    async with open_stores(settings) as stores:
        await claim_prefix(stores, settings.s3_prefix)
        await _forget_own_id(stores)

    refused = await to_thread.run_sync(partial(CliRunner().invoke, main, [command], env=environ))

    assert refused.exit_code == 1
    assert refused.output.startswith("Error: another installation uses this prefix of the bucket")
    assert "COORDINATOR_S3_PREFIX" in refused.output


def test_no_tenants_objects_meet_the_marker() -> None:
    """A tenant's name is the second part of its keys."""
    assert not is_plain(marker_key("p").removeprefix("p/"))
