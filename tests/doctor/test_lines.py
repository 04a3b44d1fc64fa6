"""What is said of findings that no server of the tests shows."""

from datetime import timedelta

import msgspec
import pytest

from coordinator.adapters.server_facts import RedisFacts
from coordinator.domain.examination import Line, Result, clock_line
from coordinator.operations.examine_servers import (
    eviction_line,
    migrations_line,
    postgres_version_line,
    redis_version_line,
)

_REDIS = RedisFacts(
    product="Redis",
    version="7.4.1",
    eviction="noeviction",
    limit_bytes=0,
    keeps_log=False,
    saves_snapshots=False,
)


def _is(line: Line) -> tuple[Result, bool]:
    assert bool(line.do) == (line.result is Result.LACKING)
    return line.result, line.stops


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({}, Result.OK),
        ({"limit_bytes": 1}, Result.LACKING),
        ({"limit_bytes": 1, "eviction": "volatile-lru"}, Result.OK),
        ({"limit_bytes": 1, "eviction": "allkeys-lru"}, Result.OK),
        ({"eviction": ""}, Result.UNKNOWN),
    ],
)
def test_a_redis_that_refuses_writes_when_it_is_full_is_named(
    changes: dict[str, object], result: Result
) -> None:
    """Reports would fail; without a limit it never is full."""
    facts = msgspec.structs.replace(_REDIS, **changes)

    assert _is(eviction_line(facts)) == (result, False)


@pytest.mark.parametrize(
    ("version", "result"),
    [
        ("6.2.14", Result.LACKING),
        ("7.0.15", Result.OK),
        ("10.0", Result.OK),
        ("", Result.UNKNOWN),
    ],
)
def test_versions_of_redis_are_compared_as_numbers(version: str, result: Result) -> None:
    """10 is newer than 7."""
    facts = msgspec.structs.replace(_REDIS, version=version)

    assert _is(redis_version_line(facts)) == (result, False)


@pytest.mark.parametrize(
    ("version", "result"), [(130_014, Result.LACKING), (140_000, Result.OK), (180_006, Result.OK)]
)
def test_an_old_postgres_is_a_reason_not_to_start(version: int, result: Result) -> None:
    """The migrations would fail on it."""
    assert _is(postgres_version_line(version)) == (result, result is Result.LACKING)


def test_migrations_that_are_pending_are_named() -> None:
    """`coordinator serve` does not start on such a schema."""
    line = migrations_line(["0004_add_sweeping"])

    assert _is(line) == (Result.LACKING, True)
    assert line.means == "The schema is behind this release: 0004_add_sweeping."


@pytest.mark.parametrize(
    ("ahead", "told"),
    [
        (timedelta(hours=2), "This host's clock is 7200 s ahead. Nobody can upload."),
        (timedelta(seconds=-61), "This host's clock is 61 s behind. Nobody can upload."),
        (timedelta(seconds=59), "This host's clock is 59 s ahead."),
    ],
)
def test_a_clock_that_is_off_says_by_how_much_and_what_follows(ahead: timedelta, told: str) -> None:
    """A minute is what signing tolerates."""
    line = clock_line(
        "clock-s3",
        ahead,
        tolerance=timedelta(seconds=60),
        beyond="Nobody can upload.",
        stops=True,
    )

    is_off = abs(ahead) > timedelta(seconds=60)
    assert line.means == told
    assert _is(line) == ((Result.LACKING, True) if is_off else (Result.OK, False))
