"""JSON Schemas that somebody sent: taken only if they can be used, offline and in bounded work."""

from functools import lru_cache
from typing import Final

import jsonschema_rs
import msgspec

from coordinator.domain.schema_cost import NowhereError, deepest_row

_MESSAGE: Final = 200
_PLAIN_ROW: Final = 2

# Patterns run in time linear in the text, by an engine that knows no look-around.
_PATTERNS: Final = jsonschema_rs.RegexOptions(size_limit=4 * 2**20, dfa_size_limit=4 * 2**20)


class SchemaError(ValueError):
    """The schema cannot be used. ``reason`` is a code: ``schema-invalid schema-too-much``."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@lru_cache(maxsize=4)
def compiled(schema: str) -> tuple[jsonschema_rs.Validator, int | None]:
    """Return what validates by a schema, and how deep rows may be nested for it.

    No reference leads out of the schema: nothing is ever fetched.

    Raises:
        SchemaError: it is no JSON Schema, or would take too much work.

    """
    try:
        plain = msgspec.json.decode(schema)
        deepest = deepest_row(plain)
        validator = jsonschema_rs.validator_for(
            plain,
            validate_formats=True,
            offline=True,
            mask="the value",
            pattern_options=_PATTERNS,
        )
    except NowhereError as exc:
        detail = "The schema refers to what is not in it, and nothing is fetched."
        raise SchemaError("schema-invalid", detail) from exc
    except jsonschema_rs.ValidationError as exc:
        raise SchemaError("schema-invalid", exc.message.partition("\n")[0][:_MESSAGE]) from exc
    except (ValueError, RecursionError) as exc:
        raise SchemaError("schema-invalid", "The schema is nested too deep.") from exc
    if deepest is not None and deepest < _PLAIN_ROW:
        raise SchemaError("schema-too-much", "The schema would take too much work for a row.")
    return validator, deepest
