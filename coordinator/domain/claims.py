"""From the claims of a proven token to a tenant, a user and roles.

Rule: scopes and the role of upload tokens never come from a token, whatever it says.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from coordinator.domain.access import GRANTABLE, Role
from coordinator.domain.bearer_tokens import Fault, TokenRefusedError
from coordinator.domain.issuers import Issuer
from coordinator.domain.names import is_plain, is_user

# PyJWT refuses a token without one of these.
REQUIRED: Final = ("exp", "iat", "aud", "iss", "sub")


class Identity(msgspec.Struct, frozen=True):
    """Whom a token is about, in our words."""

    tenant: str
    user_id: str
    roles: frozenset[Role]


def identity_of(claims: Mapping[str, Any], issuer: Issuer) -> Identity:
    """Map the claims as the settings of ``issuer`` say.

    Raises:
        TokenRefusedError: the tenant or the user is missing or not plain, or the roles' claim is
            neither a text nor a list.

    """
    tenant = issuer.tenant or _claim(claims, issuer.tenant_claim)
    if not isinstance(tenant, str) or not is_plain(tenant):
        raise TokenRefusedError(Fault.TENANT)
    user = _claim(claims, issuer.user_claim)
    if not isinstance(user, str) or not is_user(user):
        raise TokenRefusedError(Fault.USER)
    return Identity(tenant, user, _roles(claims, issuer))


def seconds_left(claims: Mapping[str, Any], issuer: Issuer, *, as_of: datetime) -> float:
    """Return for how long the token is still good; ``as_of`` is the database's time.

    Raises:
        TokenRefusedError: it has expired, is not valid yet, or was made to live too long.

    """
    now, leeway = as_of.timestamp(), issuer.leeway_seconds
    expires, issued = _moment(claims["exp"]), _moment(claims["iat"])
    begins = _moment(claims["nbf"]) if "nbf" in claims else issued
    if max(issued, begins) > now + leeway:
        raise TokenRefusedError(Fault.NOT_YET)
    if expires - issued > issuer.max_lifetime_seconds:
        raise TokenRefusedError(Fault.LIFETIME)
    left = expires + leeway - now
    if left <= 0:
        raise TokenRefusedError(Fault.EXPIRED)
    return left


def _moment(value: object) -> float:
    """Read a NumericDate (RFC 7519, section 2): a number, not a text that looks like one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefusedError(Fault.TIME)
    if not 0 <= value < _END_OF_TIME:  # which NaN is not, either
        raise TokenRefusedError(Fault.TIME)
    return float(value)


_END_OF_TIME: Final = 253_402_300_800  # the year 10000


def _claim(claims: Mapping[str, Any], name: str) -> object:
    """Return a member of that whole name, or else what lies at the end of the dotted path."""
    if name in claims:
        return claims[name]
    value: object = claims
    for step in name.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def _roles(claims: Mapping[str, Any], issuer: Issuer) -> frozenset[Role]:
    known = {str(role): role for role in GRANTABLE} if issuer.roles is None else issuer.roles
    given = [known[word] for word in _words(claims, issuer.roles_claim) if word in known]
    return frozenset(role for role in given or issuer.default_roles if role in GRANTABLE)


def _words(claims: Mapping[str, Any], name: str) -> Sequence[str]:
    value = _claim(claims, name) if name else None
    match value:
        case None:
            return ()
        case str():
            return value.split()
        case list():
            return [each for each in value if isinstance(each, str)]
        case _:
            raise TokenRefusedError(Fault.ROLES)
