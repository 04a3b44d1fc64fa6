"""Bearer tokens as they come in (JWT, RFC 7519), before anything of them is proven.

Rule: what is read here only chooses the issuer and the key by which the token must then be
proven. Of two readings of the same bytes there must be none: duplicate members, other encodings
than UTF-8 and numbers that are none are refused, so that every later reader sees the same.
"""

import base64
import binascii
import json
import re
from enum import StrEnum
from typing import Any, Final, NoReturn

import msgspec

MAX_CHARACTERS: Final = 8_192

_FORM: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

# They change what is signed or what must be understood: RFC 7515 4.1.11, RFC 7797, RFC 7516 4.1.3.
_REFUSED_HEADERS: Final = ("crit", "b64", "zip", "enc")


class Fault(StrEnum):
    """Why a token is refused: for the log, not for whoever sent it."""

    TOO_LONG = "too-long"
    MALFORMED = "malformed"
    HEADER = "header"  # a member that must not be there, or has another type
    TOKEN_TYPE = "token-type"  # noqa: S105 - a word of the log
    ISSUER = "issuer-unknown"
    ALGORITHM = "algorithm"
    KEY = "key-unknown"
    SIGNATURE = "signature"
    AUDIENCE = "audience"
    CLAIM = "claim"  # a required one is missing or has another type
    TIME = "time"  # exp, iat or nbf is no number
    EXPIRED = "expired"
    NOT_YET = "not-yet-valid"
    LIFETIME = "lifetime-too-long"
    TENANT = "tenant"
    USER = "user"
    ROLES = "roles"


class TokenRefusedError(Exception):
    """The token proves nobody. It holds a fixed word, and nothing that the token says."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class Unproven(msgspec.Struct, frozen=True):
    """What a token says of itself: good for looking up, for nothing else."""

    algorithm: str
    kid: str | None
    token_type: str
    issuer: str


def has_form(credential: str) -> bool:
    """Whether ``credential`` could be a signed token: three parts in base64url.

    >>> has_form("e30.e30.c2ln"), has_form("e30.e30."), has_form("e30.e30.c2ln.a.b")
    (True, False, False)
    """
    return _FORM.fullmatch(credential) is not None


def read_unproven(token: str) -> Unproven:
    """Read of a token what chooses the key.

    Raises:
        TokenRefusedError: it is too long, no token, or one that can be read in two ways.

    """
    if len(token) > MAX_CHARACTERS:
        raise TokenRefusedError(Fault.TOO_LONG)
    if not has_form(token):
        raise TokenRefusedError(Fault.MALFORMED)
    header_part, claims_part, _signature = token.split(".")
    header, claims = _object(header_part), _object(claims_part)
    kid, kind = header.get("kid"), header.get("typ", "")
    if any(name in header for name in _REFUSED_HEADERS) or not isinstance(kind, str):
        raise TokenRefusedError(Fault.HEADER)
    if "kid" in header and not isinstance(kid, str):
        raise TokenRefusedError(Fault.HEADER)
    algorithm, issuer = header.get("alg"), claims.get("iss")
    if not isinstance(algorithm, str):
        raise TokenRefusedError(Fault.ALGORITHM)
    if not isinstance(issuer, str):
        raise TokenRefusedError(Fault.ISSUER)
    return Unproven(algorithm, kid, kind.lower().removeprefix("application/"), issuer)


def _object(part: str) -> dict[str, Any]:
    try:
        data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        value = json.loads(
            data.decode(), object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant
        )
    except (binascii.Error, ValueError, RecursionError):
        raise TokenRefusedError(Fault.MALFORMED) from None
    if not isinstance(value, dict):
        raise TokenRefusedError(Fault.MALFORMED)
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member stands there twice")
    return members


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")
