"""Examine PostgreSQL and Redis: versions, schema, clock, and what Redis does when it is full."""

from collections.abc import Sequence
from typing import Final

from psycopg import OperationalError
from redis.exceptions import RedisError

from coordinator.adapters import clock
from coordinator.adapters.migrations import pending
from coordinator.adapters.s3_clock import TOLERANCE
from coordinator.adapters.server_facts import (
    PostgresFacts,
    RedisFacts,
    ask_postgres,
    ask_redis,
)
from coordinator.domain.examination import Group, Line, Result, clock_line, lacking, ok

_OLDEST_POSTGRES: Final = 14
_OLDEST_REDIS: Final = 7
_POSTGRES_SCALE: Final = 10_000  # 180006 is 18.6


async def examine_postgres(database_url: str) -> list[Line]:
    """Say everything of PostgreSQL; where it does not answer, only that."""
    before = clock.now()
    try:
        facts = await ask_postgres(database_url)
        middle = before + (clock.now() - before) / 2
        missing = await pending(database_url)
    except OperationalError as exc:
        return [
            lacking(
                "postgres-answers",
                Group.POSTGRES,
                f"PostgreSQL does not let us in ({type(exc).__name__}): nothing works.",
                do="Start it, or set COORDINATOR_DATABASE_URL right.",
                stops=True,
            )
        ]
    return [
        ok("postgres-answers", Group.POSTGRES, "PostgreSQL answers."),
        postgres_version_line(facts.version),
        migrations_line(missing),
        *audit_lines(facts),
        clock_line(
            "clock-postgres",
            middle - facts.time,
            tolerance=TOLERANCE,
            beyond="Uploads live by PostgreSQL's clock, and are safe; logs and URLs have ours.",
            stops=False,
        ),
    ]


def postgres_version_line(version: int) -> Line:
    """Say whether the version is one that the service is made for."""
    name, group = "postgres-version", Group.POSTGRES
    major, minor = divmod(version, _POSTGRES_SCALE)
    means = f"PostgreSQL {major}.{minor}."
    if major >= _OLDEST_POSTGRES:
        return ok(name, group, means)
    return lacking(
        name,
        group,
        f"{means} The service is made for {_OLDEST_POSTGRES} and newer.",
        do=f"Upgrade to PostgreSQL {_OLDEST_POSTGRES} or newer.",
        stops=True,
    )


def migrations_line(missing: Sequence[str]) -> Line:
    """Say whether the schema is the code's."""
    name, group = "migrations", Group.POSTGRES
    if not missing:
        means = "The schema is the one that this release needs."
        return ok(name, group, means)
    return lacking(
        name,
        group,
        f"The schema is behind this release: {', '.join(missing)}.",
        do="Run `coordinator migrate`.",
        stops=True,
    )


def audit_lines(facts: PostgresFacts) -> list[Line]:
    """Say whether the role that we run as could change what was noted; nothing without an audit."""
    name, group = "audit-role", Group.POSTGRES
    if facts.may_change_audit is None:
        return []
    if not facts.may_change_audit:
        means = "The role can add to the audit, and neither change nor remove anything of it."
        return [ok(name, group, means)]
    return [
        lacking(
            name,
            group,
            "The role could change the audit: `coordinator audit verify` would tell, later.",
            do="Run `coordinator migrate --service-role NAME` as this role, and services as NAME.",
        )
    ]


async def examine_redis(redis_url: str) -> list[Line]:
    """Say everything of Redis; where it does not answer, only that."""
    try:
        facts = await ask_redis(redis_url)
    except (RedisError, OSError) as exc:
        return [
            lacking(
                "redis-answers",
                Group.REDIS,
                f"Redis does not let us in ({type(exc).__name__}): progress is not shown and "
                "chunks cannot be reported; uploads still complete.",
                do="Start it, or set COORDINATOR_REDIS_URL right.",
            )
        ]
    answers = f"{facts.product} answers."
    return [
        ok("redis-answers", Group.REDIS, answers),
        redis_version_line(facts),
        eviction_line(facts),
        persistence_line(facts),
    ]


def redis_version_line(facts: RedisFacts) -> Line:
    """Say whether the version is one that the service is made for."""
    name, group = "redis-version", Group.REDIS
    means = f"{facts.product} {facts.version}."
    major, _, _ = facts.version.partition(".")
    if not major.isdigit():
        means = "The server does not say its version."
        return Line(name=name, group=group, result=Result.UNKNOWN, means=means)
    if int(major) >= _OLDEST_REDIS:
        return ok(name, group, means)
    return lacking(
        name,
        group,
        f"{means} The service is made for {_OLDEST_REDIS} and newer.",
        do=f"Upgrade to Redis {_OLDEST_REDIS}, or to Valkey.",
    )


def eviction_line(facts: RedisFacts) -> Line:
    """Say what happens when Redis is full."""
    name, group = "redis-eviction", Group.REDIS
    if not facts.eviction:
        means = "The server does not say what it does when it is full."
        return Line(name=name, group=group, result=Result.UNKNOWN, means=means)
    if facts.limit_bytes and facts.eviction == "noeviction":
        return lacking(
            name,
            group,
            "When Redis is full, chunks cannot be reported; uploads still complete.",
            do="Set maxmemory-policy to volatile-lru: what is dropped is rebuilt from S3.",
        )
    means = (
        f"Redis drops what was not used for long ({facts.eviction}); it is rebuilt from S3."
        if facts.limit_bytes
        else f"Redis has no limit of memory ({facts.eviction}); an upload needs 256 KiB at most."
    )
    return ok(name, group, means)


def persistence_line(facts: RedisFacts) -> Line:
    """Say what a restart of Redis costs; either way is fine, for it is a cache."""
    means = (
        "Redis keeps its data over a restart, which only saves time: all is rebuilt from S3."
        if facts.keeps_log or facts.saves_snapshots
        else "Redis forgets all when it restarts, which costs only time: all is rebuilt from S3."
    )
    return ok("redis-persistence", Group.REDIS, means)
