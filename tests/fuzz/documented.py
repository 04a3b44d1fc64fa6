"""Requests made up from the OpenAPI document, sent by every caller, judged by the same document."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

_CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_ERASES: Final = "/api/erasures"  # what was met there, nobody could meet again
# A stream of events lasts as long as its upload is open.
_STREAMS: Final = "/api/uploads/{upload_id}/events"


class World(NamedTuple):
    """A caller in a tenant of its own, and what exists there, by the names of parameters."""

    who: str
    credential: str | None
    known: Mapping[str, Sequence[str]]
    ended: Sequence[str]  # uploads that are over


class Outcome(NamedTuple):
    """How many requests were sent, by caller and class of status."""

    sent: Counter[tuple[str, str]]
    found: Counter[str]


def send_all(url: str, worlds: Sequence[World], *, count: int) -> Outcome:
    """Send ``count`` requests or a few more, as many in each world, and judge every answer."""
    schema = schemathesis.openapi.from_url(f"{url}/schema/openapi.json")
    results = list(schema.get_all_operations())
    operations = [result.ok() for result in results if isinstance(result, Ok)]
    assert len(operations) == len(results), "the document has operations that cannot be read"
    each = -(-count // (len(worlds) * len(operations)))
    outcome = Outcome(Counter(), Counter())
    with requests.Session() as session:
        for world in worlds:
            bearer = f"Bearer {world.credential}" if world.credential else ""
            session.headers["Authorization"] = bearer
            for operation in operations:
                _send(session, world, operation, count=each, outcome=outcome)
    return outcome


def _send(
    session: requests.Session, world: World, operation: Any, *, count: int, outcome: Outcome
) -> None:
    """Send requests of one operation, half of them as the document wants them, half not."""
    cases = st.one_of(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )

    @seed(0)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, choice=st.integers(0, 9))
    def send(case: Case[Any], choice: int) -> None:
        _aim(case, world, choice)
        answer = case.call(session=session, timeout=30)
        outcome.sent[world.who, f"{answer.status_code // 100}xx"] += 1
        try:
            case.validate_response(answer, checks=_CHECKS)
        except FailureGroup as exc:
            # One finding must not end the run; the same one is told once.
            for failure in exc.exceptions:
                outcome.found[f"{operation.label}: {failure}"] += 1

    send()


def _aim(case: Case[Any], world: World, choice: int) -> None:
    """Have half of the requests meet what exists: ids made up are never known."""
    if choice % 2 == 0 or case.path == _ERASES:
        return
    for place in (case.path_parameters, case.body if isinstance(case.body, dict) else None):
        for name in list(place or ()):
            known = world.ended if case.path == _STREAMS else world.known.get(name, ())
            if place is not None and known:
                place[name] = known[choice % len(known)]


def told(outcome: Outcome) -> Iterator[str]:
    """Say what was sent, and what was found."""
    for (who, status), number in sorted(outcome.sent.items()):
        yield f"  {who:<12} {status}  {number}"
    yield f"{sum(outcome.sent.values())} requests, {len(outcome.found)} findings"
    for finding, times in outcome.found.items():
        yield f"  {times} times {finding}"
