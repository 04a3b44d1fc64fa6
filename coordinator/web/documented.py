"""What the OpenAPI document says of refusals and examples."""

from collections.abc import Mapping
from typing import Any, Final

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example

from coordinator.domain import errors
from coordinator.web.problems import MEDIA_TYPE, STATUS
from coordinator.web.shapes import Answer

UPLOAD_ID: Final = "upl_06agx5c9nerf9b0x5h0g2k7w3m"


class Problem(Answer):
    """RFC 9457 problem document; some codes add members that ``docs/errors.md`` names."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None


def documented(*refusals: type[errors.CoordinatorError]) -> Mapping[int, ResponseSpec]:
    """List what a route may refuse, by status; those that every route has are added."""
    every = (*refusals, errors.UnauthenticatedError, errors.UnavailableError)
    by_status: dict[int, list[type[errors.CoordinatorError]]] = {}
    for refusal in every:
        by_status.setdefault(STATUS[refusal][0], []).append(refusal)
    codes = {
        # The framework would document a 400 of its own shape otherwise.
        400: "`bad-request`",
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


def example(value: Any, summary: str = "Typical") -> list[Example]:
    """Show one value in the document."""
    return [Example(summary=summary, value=value)]
