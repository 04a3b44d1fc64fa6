"""Examine the bucket: what S3 enforces, what browsers and rules may do, what is permitted."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import httpx
from botocore.exceptions import ClientError

from coordinator.adapters import clock
from coordinator.adapters.bucket_rules import UnreadableError, ask_as_page, read_abort_rules
from coordinator.adapters.permissions import Tried, try_actions
from coordinator.adapters.probe_checks import Found, probe_wholly
from coordinator.adapters.probing import NO_ANSWER, Probe, ProbeRefusedError, code_of
from coordinator.adapters.s3_clock import TOLERANCE, read_date
from coordinator.domain import bucket_rules
from coordinator.domain.capabilities import ESSENTIAL, MEANINGS, Check
from coordinator.domain.examination import Group, Line, Result, clock_line, lacking, ok, unknown
from coordinator.domain.permissions import NEEDS, Action
from coordinator.origins import fault_of
from coordinator.settings import DAY, Settings

_FAILURES: Final = (ClientError, ProbeRefusedError, *NO_ANSWER)
_FOREIGN: Final = "https://foreign.invalid"
_AGAIN: Final = "Mend what the other lines name, then run `coordinator doctor` again."


async def examine_bucket(
    probe: Probe, settings: Settings, accepted: frozenset[Check]
) -> list[Line]:
    """Say everything of S3; where it does not answer, only that."""
    before = clock.now()
    try:
        answer = await probe.knock()
    except NO_ANSWER as exc:
        return [
            lacking(
                "s3-answers",
                Group.S3,
                f"S3 does not answer ({type(exc).__name__}): nobody can upload or download.",
                do="Start it, or set COORDINATOR_S3_ENDPOINT right.",
                stops=True,
            )
        ]
    middle = before + (clock.now() - before) / 2
    return [
        ok("s3-answers", Group.S3, "S3 answers."),
        *_check_lines(await probe_wholly(probe), accepted),
        *await _examine_public_address(probe),
        *_own_pages_lines(settings),
        *[await _examine_origin(probe, origin) for origin in settings.page_origins],
        await _examine_foreign_origin(probe),
        await _examine_abort_rule(probe, settings),
        *_permission_lines(await try_actions(probe)),
        _clock_line(answer, middle),
    ]


def _check_lines(found: Found, accepted: frozenset[Check]) -> Iterator[Line]:
    for check, seen in found.items():
        meaning, stops = MEANINGS[check], check in ESSENTIAL - accepted
        match seen.result:
            case Result.OK:
                yield ok(check, Group.S3, meaning.enforced)
            case Result.UNKNOWN:
                yield unknown(check, Group.S3, seen.why, do=_AGAIN, stops=stops)
            case Result.LACKING:
                instead, todo = meaning.instead, meaning.do
                if check in accepted & ESSENTIAL:
                    instead = "COORDINATOR_ACCEPTED_WEAKNESSES accepts that."
                    todo = "Nothing, while that is what you want."
                yield lacking(
                    check,
                    Group.S3,
                    f"{meaning.lacking} {instead}",
                    do=todo,
                    stops=stops,
                )


async def _examine_public_address(probe: Probe) -> list[Line]:
    """Use a part URL as clients get it, where their way to S3 is not the service's."""
    if probe.public == probe.target:
        return []
    name = "public-address"
    try:
        async with probe.tiny() as tiny:
            answer = await probe.put(await probe.sign(tiny, target=probe.public))
    except _FAILURES as exc:
        why = f"S3 cannot be reached from here as clients reach it ({type(exc).__name__})."
        return [unknown(name, Group.BROWSERS, why, do="Try an upload from where clients are.")]
    if answer.is_success:
        means = "Part URLs work at the address that clients are given."
        return [ok(name, Group.BROWSERS, means)]
    return [
        lacking(
            name,
            Group.BROWSERS,
            f"Part URLs are refused at the address that clients get: {code_of(answer)}.",
            do="Set COORDINATOR_S3_PUBLIC_ENDPOINT right; a proxy there must keep Host and path.",
        )
    ]


def _own_pages_lines(settings: Settings) -> Iterator[Line]:
    """Say whether it is known where the service's own pages come from, and whether they work."""
    name, todo = "own-pages", "Set COORDINATOR_PUBLIC_URL to the https address that people open."
    if not settings.own_origins:
        why = "Nothing says at which address people open the service's own pages."
        yield unknown(name, Group.BROWSERS, why, do=todo)
    for origin in settings.own_origins:
        if fault := fault_of(origin):
            means = f"The service's own page at {origin} cannot upload: {fault}."
            yield lacking(name, Group.BROWSERS, means, do=todo)


async def _examine_origin(probe: Probe, origin: str) -> Line:
    name = f"cors {origin}"
    try:
        answer = await ask_as_page(probe, origin)
    except _FAILURES as exc:
        return unknown(name, Group.BROWSERS, f"Not tried ({type(exc).__name__}).", do=_AGAIN)
    if missing := bucket_rules.lacks(answer, origin):
        return lacking(
            name,
            Group.BROWSERS,
            "Pages of this origin cannot upload from the browser.",
            do=f"Run `coordinator bucket cors`. What is missing: {'; '.join(missing)}.",
        )
    means = "Pages of this origin can upload, and read ETag and checksum."
    return ok(name, Group.BROWSERS, means)


async def _examine_foreign_origin(probe: Probe) -> Line:
    name = "cors-foreign-origin"
    try:
        answer = await ask_as_page(probe, _FOREIGN)
    except _FAILURES as exc:
        return unknown(name, Group.BROWSERS, f"Not tried ({type(exc).__name__}).", do=_AGAIN)
    if not bucket_rules.lets_in(answer, _FOREIGN):
        means = "Pages of other origins cannot use a part URL that leaked to them."
        return ok(name, Group.BROWSERS, means)
    return lacking(
        name,
        Group.BROWSERS,
        "Pages of any origin can use a part URL that leaked to them.",
        do="Run `coordinator bucket cors`, and remove the rule that lets in anybody.",
    )


async def _examine_abort_rule(probe: Probe, settings: Settings) -> Line:
    name, group = "abort-rule", Group.S3
    lifetime = timedelta(seconds=settings.session_lifetime_seconds)
    days = -(-settings.session_lifetime_seconds // DAY) + 2
    todo = f"Add a lifecycle rule AbortIncompleteMultipartUpload of {days} days."
    try:
        first = bucket_rules.first_abort(await read_abort_rules(probe), f"{settings.s3_prefix}/")
    except UnreadableError:
        why = "The lifecycle rules may not be read: see s3:GetLifecycleConfiguration."
        return unknown(name, group, why, do=todo)
    except _FAILURES as exc:
        return unknown(name, group, f"Not read ({type(exc).__name__}).", do=_AGAIN)
    if first is None:
        means = "Parts that nobody completes are removed by this service's workers alone."
        return lacking(name, group, means, do=todo)
    if first <= lifetime:
        return lacking(
            name,
            group,
            f"S3 removes the chunks of uploads that are still open, after {first.days} days.",
            do=f"Let the lifecycle rule wait for {days} days, or shorten "
            "COORDINATOR_SESSION_LIFETIME_SECONDS.",
            stops=True,
        )
    means = (
        f"S3 removes parts that nobody completes after {first.days} days, later than uploads end."
    )
    return ok(name, group, means)


def _permission_lines(tried: Tried) -> Iterator[Line]:
    for action, seen in tried.items():
        need = NEEDS[action]
        match seen.result:
            case Result.OK:
                means, todo = need.used, ""
            case Result.LACKING:
                means, todo = need.lacking, f"Allow {action} to the service's credentials."
            case Result.UNKNOWN:
                means, todo = seen.why, _AGAIN
        yield Line(
            name=action,
            group=Group.PERMISSIONS,
            result=seen.result,
            means=means,
            do=todo,
            stops=_stops(action, seen.result),
        )


def _stops(action: Action, result: Result) -> bool:
    if result is Result.UNKNOWN:
        return action is Action.PUT_OBJECT
    return result is Result.LACKING and NEEDS[action].stops


def _clock_line(answer: httpx.Response, middle: datetime) -> Line:
    name = "clock-s3"
    try:
        date = read_date(answer.headers["date"])
    except (KeyError, ValueError):
        why = "S3 does not say what time it has."
        return unknown(name, Group.CLOCKS, why, do="Let NTP set this host's clock.")
    # It says whole seconds.
    ahead = middle - (date + timedelta(seconds=0.5))
    return clock_line(
        name,
        ahead,
        tolerance=TOLERANCE,
        beyond="S3 refuses what this service signs: nobody can upload.",
        stops=True,
    )
