"""What comes before service and worker: settings, a schema that fits, a bucket that can be trusted.

Whatever is wrong ends in one message that says what to do.
"""

import asyncio
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import click
import structlog
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from coordinator import redaction
from coordinator import settings as settings_module
from coordinator.adapters.embedders import read_embedder, secrets_of
from coordinator.adapters.issuers import read_issuers
from coordinator.adapters.migrations import pending
from coordinator.adapters.probing import ProbeRefusedError
from coordinator.adapters.sinks import sinks_of
from coordinator.adapters.stores import bucket_options, open_stores
from coordinator.adapters.trainers import read_trainers
from coordinator.domain.capabilities import MEANINGS, Capabilities, Check, named
from coordinator.domain.errors import CoordinatorError
from coordinator.operations.claim_prefix import PrefixTakenError, claim_prefix
from coordinator.operations.learn_capabilities import NoAnswerError, learn_capabilities
from coordinator.operations.prove_object import NO_ANSWER
from coordinator.settings import Settings, SettingsError
from coordinator.telemetry import configure_logs
from coordinator.web.limits import rules_of

_log = structlog.get_logger(__name__)

ACCEPTED: Final = "COORDINATOR_ACCEPTED_WEAKNESSES"

_PATIENCE: Final = timedelta(seconds=30)


def read_settings() -> Settings:
    """Read the settings, and set up logs and botocore's region by them."""
    try:
        settings = settings_module.read(os.environ)
        accepted_weaknesses(settings)
        issuers = read_issuers(settings.issuers)
        embedder = read_embedder(settings.embeddings)
        sinks = sinks_of(settings)
        trainers = read_trainers(settings)
        rules_of(settings)
    except SettingsError as exc:
        raise click.UsageError(str(exc)) from exc
    shared = {each.secret for each in issuers if each.secret} | secrets_of(embedder)
    shared |= {secret for sink in sinks.all for secret in sink.confidential}
    shared |= {secret for trainer in trainers for secret in trainer.confidential}
    redaction.remember(settings.confidential | redaction.known_in(os.environ) | shared)
    configure_logs(settings.log_level)
    if region := os.environ.get("AWS_REGION"):
        # What all other AWS tools read; botocore knows the older name only, and guesses without.
        os.environ["AWS_DEFAULT_REGION"] = region
    return settings


def accepted_weaknesses(settings: Settings) -> frozenset[Check]:
    """Return what the operator lets S3 not enforce.

    Raises:
        SettingsError: there is no such check.

    """
    try:
        return named(settings.accepted_weaknesses)
    except ValueError as exc:
        raise SettingsError(f"{ACCEPTED}: {exc}") from exc


def migrated(settings: Settings) -> Settings:
    """Refuse to start on a schema that is behind the code."""
    if missing := asyncio.run(pending(settings.database_url)):
        raise click.ClickException(
            f"the database lacks {', '.join(missing)}: run `coordinator migrate` first"
        )
    return settings


def claimed(settings: Settings) -> Settings:
    """Refuse to start on a prefix that belongs to another installation.

    While S3 is away nobody can tell; the sweeper asks again before it touches anything.
    """

    async def claim() -> None:
        async with asyncio.timeout(_PATIENCE.total_seconds()), open_stores(settings) as stores:
            await claim_prefix(stores, settings.s3_prefix)

    try:
        asyncio.run(claim())
    except PrefixTakenError as exc:
        raise click.ClickException(str(exc)) from exc
    except (CoordinatorError, *NO_ANSWER) as exc:
        _log.warning("prefix not claimed", error=type(exc).__name__)
    return settings


def learned(settings: Settings) -> Capabilities:
    """Probe the bucket, and refuse to start where no upload could be trusted."""
    try:
        capabilities = asyncio.run(_learn(settings))
    except ProbeRefusedError as exc:
        raise click.ClickException(
            f"{exc}, without which no upload is possible: run `coordinator doctor`"
        ) from exc
    except NoAnswerError as exc:
        raise click.ClickException(
            f"S3 does not answer ({exc}), so that it is not known what it enforces: start it, or "
            "set COORDINATOR_S3_ENDPOINT right; `coordinator doctor` examines it"
        ) from exc
    if fatal := capabilities.fatal(accepted_weaknesses(settings)):
        raise click.ClickException(_refusal(capabilities, fatal))
    return capabilities


async def _learn(settings: Settings) -> Capabilities:
    connect = AsyncConnection[DictRow].connect
    async with await connect(settings.database_url, autocommit=True, row_factory=dict_row) as conn:
        return await learn_capabilities(
            conn, bucket_options(settings), prefix=settings.s3_prefix, patience=_PATIENCE
        )


def _refusal(capabilities: Capabilities, fatal: Sequence[Check]) -> str:
    others = sorted(capabilities.lacking - set(fatal))
    names = ",".join(fatal)
    return "\n".join(
        [
            "S3 does not enforce what every upload relies on.",
            *(f"  {check}: {MEANINGS[check].lacking}" for check in fatal),
            *(["Not enforced either, but made up for:"] if others else []),
            *(f"  {check}: {MEANINGS[check].instead}" for check in others),
            "Use another store, or, if you want all of that, start with",
            f"  {ACCEPTED}={names}",
            "`coordinator doctor` examines everything.",
        ]
    )
