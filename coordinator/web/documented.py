"""What the OpenAPI document says of refusals, roles and examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example, Operation

from coordinator.domain import errors
from coordinator.domain.access import NEEDS_SCOPE, Action, roles_for
from coordinator.web.problems import HTTP_CODES, MEDIA_TYPE, STATUS
from coordinator.web.shapes import Answer

UPLOAD_ID: Final = "upl_06agx5c9nerf9b0x5h0g2k7w3m"

# Every guarded route may refuse so.
_ALWAYS: Final = (
    errors.UnauthenticatedError,
    errors.RoleMissingError,
    errors.RateLimitedError,
    errors.UnavailableError,
)


class Problem(Answer):
    """RFC 9457 problem document; some codes add members that ``docs/errors.md`` names."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None


def documented(*refusals: type[errors.CoordinatorError]) -> Mapping[int, ResponseSpec]:
    """List what a guarded route may refuse, by status; those that all have are added."""
    by_status: dict[int, list[type[errors.CoordinatorError]]] = {}
    for refusal in dict.fromkeys((*refusals, *_ALWAYS)):
        by_status.setdefault(STATUS[refusal][0], []).append(refusal)
    codes = {
        # The framework would document a 400 of its own shape otherwise.
        **{status: f"`{HTTP_CODES[status]}`" for status in _framework(refusals)},
        **{
            status: "; ".join(f"`{each.code}`" for each in found)
            for status, found in by_status.items()
        },
    }
    return {
        status: ResponseSpec(
            data_container=Problem,
            media_type=MEDIA_TYPE,
            description=description,
            generate_examples=False,
        )
        for status, description in codes.items()
    }


def _framework(refusals: Sequence[type[errors.CoordinatorError]]) -> list[int]:
    """Return the statuses that requests get before a handler sees them."""
    reads_body = errors.MalformedJsonError in refusals
    return [400, 413, 414, 415] if reads_body else [400, 414]


def also(kind: Any, description: str, *, media_type: str = "application/json") -> ResponseSpec:
    """Document an answer beside the usual one, or the usual one where its type does not tell."""
    return ResponseSpec(
        data_container=kind,
        description=description,
        media_type=media_type,
        generate_examples=False,
    )


@cache
def operation_for(action: Action) -> type[Operation]:
    """Make the document's operation say who may call it: `x-action`, `x-roles`, `x-scope`."""
    roles = [role.value for role in roles_for(action)]
    scope = NEEDS_SCOPE.get(action)

    @dataclass
    class Guarded(Operation):
        x_action: str = field(default=action.value, metadata={"alias": "x-action"})
        x_roles: list[str] = field(
            default_factory=lambda: list(roles), metadata={"alias": "x-roles"}
        )
        x_scope: str | None = field(
            default=scope.value if scope else None, metadata={"alias": "x-scope"}
        )

        def __post_init__(self) -> None:
            needs = f"Needs the role {' or '.join(f'`{role}`' for role in roles)}"
            also = f" and the scope `{scope}`" if scope else ""
            self.description = f"{self.description or ''}\n\n{needs}{also}."

    return Guarded


def example(value: Any, summary: str = "Typical") -> list[Example]:
    """Show one value in the document."""
    return [Example(summary=summary, value=value)]
