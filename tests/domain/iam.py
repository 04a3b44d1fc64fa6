"""A small evaluator of IAM: does a set of policies let a request through?

Written from AWS's description of how policies are evaluated; it knows what our policies use.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple


class Asked(NamedTuple):
    """A request as policies see it."""

    action: str
    resource: str
    context: Mapping[str, str]


def lets_through(policies: Sequence[Mapping[str, Any]], asked: Asked) -> bool:
    """Say whether something allows it and nothing denies it."""
    effects = {
        statement["Effect"]
        for policy in policies
        for statement in policy["Statement"]
        if _applies(statement, asked)
    }
    return effects == {"Allow"}


def _applies(statement: Mapping[str, Any], asked: Asked) -> bool:
    assert statement.get("Principal", "*") == "*"
    if "NotAction" in statement:
        acts = not _is_like(asked.action, statement["NotAction"])
    else:
        acts = _is_like(asked.action, statement["Action"])
    return (
        acts
        and _is_like(asked.resource, statement["Resource"])
        and all(
            _holds(operator, asked.context.get(key), _many(values))
            for operator, conditions in statement.get("Condition", {}).items()
            for key, values in conditions.items()
        )
    )


def _holds(operator: str, found: str | None, values: list[str]) -> bool:
    """A key that is missing fulfils no condition but a negated one."""
    name = operator.replace("Not", "")
    matched = found is not None and any(_OPERATORS[name](found, value) for value in values)
    return matched is not ("Not" in operator)


def _many(values: str | list[str]) -> list[str]:
    return [values] if isinstance(values, str) else values


def _is_like(text: str, patterns: str | list[str]) -> bool:
    return any(_like(text, pattern) for pattern in _many(patterns))


def _like(text: str, pattern: str) -> bool:
    wild = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(wild, text, re.DOTALL) is not None


_OPERATORS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "StringEquals": str.__eq__,
    "StringLike": _like,
    "ArnEquals": _like,
    "Bool": str.__eq__,
    "NumericGreaterThan": lambda found, value: int(found) > int(value),
}
