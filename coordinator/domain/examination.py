"""What `coordinator doctor` says: one line a thing that was looked at."""

from datetime import timedelta
from enum import StrEnum

import msgspec


class Result(StrEnum):
    """How something turned out."""

    OK = "ok"
    LACKING = "lacking"
    UNKNOWN = "unknown"  # it could not be found out; the line says why


class Group(StrEnum):
    """Where a line belongs."""

    S3 = "s3"
    BROWSERS = "browsers"
    PERMISSIONS = "permissions"
    CLOCKS = "clocks"
    POSTGRES = "postgres"
    REDIS = "redis"


class Seen(msgspec.Struct, frozen=True):
    """One thing as it was found, and what was found out besides."""

    result: Result
    why: str = ""


OK = Seen(Result.OK)
LACKING = Seen(Result.LACKING)


class Line(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One thing, what it means for the people who use the service, and what to do.

    ``stops``: the service does not start, or loses data, until somebody does what ``do`` says.
    """

    name: str
    group: Group
    result: Result
    means: str
    do: str = ""
    stops: bool = False


def ok(name: str, group: Group, means: str) -> Line:
    """Say that something is as it should be."""
    return Line(name=name, group=group, result=Result.OK, means=means)


def lacking(name: str, group: Group, means: str, *, do: str, stops: bool = False) -> Line:
    """Say that something is not as it should be, and what to do."""
    return Line(name=name, group=group, result=Result.LACKING, means=means, do=do, stops=stops)


def unknown(name: str, group: Group, why: str, *, do: str, stops: bool = False) -> Line:
    """Say that something could not be found out."""
    return Line(name=name, group=group, result=Result.UNKNOWN, means=why, do=do, stops=stops)


def clock_line(
    name: str, ahead: timedelta, *, tolerance: timedelta, beyond: str, stops: bool
) -> Line:
    """Say how far this host's clock is ahead of another, and what follows where it is too far."""
    seconds = ahead.total_seconds()
    told = f"This host's clock is {abs(seconds):.0f} s {'ahead' if seconds >= 0 else 'behind'}."
    if abs(ahead) <= tolerance:
        return ok(name, Group.CLOCKS, told)
    means, todo = f"{told} {beyond}", "Let NTP set this host's clock."
    return lacking(name, Group.CLOCKS, means, do=todo, stops=stops)
