"""Issuers of bearer tokens: what an operator says of each, checked before anything relies on it.

Rule: which algorithms count is said here and nowhere else, least of all by a token
(RFC 8725, section 3.1).
"""

import difflib
import ipaddress
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from coordinator.domain.access import GRANTABLE, Role
from coordinator.domain.names import is_plain

_Name = Annotated[str, Meta(min_length=1)]


class Algorithm(StrEnum):
    """What tokens may be signed by. ``none`` is no algorithm."""

    RS256 = "RS256"
    RS384 = "RS384"
    RS512 = "RS512"
    PS256 = "PS256"
    PS384 = "PS384"
    PS512 = "PS512"
    ES256 = "ES256"
    ES384 = "ES384"
    ES512 = "ES512"
    EDDSA = "EdDSA"
    HS256 = "HS256"
    HS384 = "HS384"
    HS512 = "HS512"


# RFC 7518, section 3.2: the secret is as long as the hash.
_SECRET_BYTES: Final = {Algorithm.HS256: 32, Algorithm.HS384: 48, Algorithm.HS512: 64}


class IssuerSettingError(ValueError):
    """A member cannot be used; the message names it and says what to do, without its value."""


class Issuer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One issuer. A claim's name is a member of the token, or a dotted path into it."""

    issuer: _Name  # exactly what its tokens have as `iss`
    audience: _Name | Annotated[tuple[_Name, ...], Meta(min_length=1)]  # what they are for: us
    algorithms: Annotated[tuple[Algorithm, ...], Meta(min_length=1)]
    secret: str = ""  # for HS only
    jwks_url: str = ""  # where its keys are; empty: discovery says
    tenant: str = ""  # of all its users
    tenant_claim: str = ""  # or: what says each one's
    user_claim: _Name = "sub"
    roles_claim: str = ""
    roles: dict[str, Role] | None = None  # a value of the claim: our role; None: our own names
    default_roles: tuple[Role, ...] = ()  # of users to whom the claim gives none
    leeway_seconds: Annotated[int, Meta(ge=0, le=300)] = 30
    max_lifetime_seconds: Annotated[int, Meta(ge=1)] = 86_400
    required_claims: tuple[_Name, ...] = ()
    token_type: str = ""  # the header's `typ`, such as at+jwt; empty: any

    @property
    def is_symmetric(self) -> bool:
        """Whether a shared secret signs, and no key that could be fetched."""
        return any(each in _SECRET_BYTES for each in self.algorithms)

    @property
    def audiences(self) -> tuple[str, ...]:
        """The audiences, one of which a token must name."""
        return (self.audience,) if isinstance(self.audience, str) else self.audience


def parse_issuers(text: str) -> tuple[Issuer, ...]:
    """Read a JSON list of issuers.

    Raises:
        IssuerSettingError: it is no such list, or a member of it would be unsafe.

    """
    try:
        issuers = msgspec.json.decode(text, type=tuple[Issuer, ...])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise IssuerSettingError(_readable(str(exc))) from None
    for number, issuer in enumerate(issuers):
        for member, advice in _faults(issuer):
            raise IssuerSettingError(f"[{number}].{member}: {advice}")
    names = [each.issuer for each in issuers]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise IssuerSettingError(f"[{number}].issuer: it is in the list twice; leave one.")
    return issuers


def is_allowed_address(url: str) -> bool:
    """Whether keys may be fetched from there: by TLS, or from this very host.

    >>> is_allowed_address("https://login.example/keys"), is_allowed_address("http://[::1]:80/")
    (True, True)
    >>> is_allowed_address("http://login.example/"), is_allowed_address("https://u:p@login.example")
    (False, False)
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or not re.fullmatch(r"[\x21-\x7e]+", url):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _faults(issuer: Issuer) -> Iterator[tuple[str, str]]:
    yield from _faults_of_keys(issuer)
    yield from _faults_of_addresses(issuer)
    yield from _faults_of_mapping(issuer)


def _faults_of_keys(issuer: Issuer) -> Iterator[tuple[str, str]]:
    shared = [each for each in issuer.algorithms if each in _SECRET_BYTES]
    if not shared:
        if issuer.secret:
            yield "secret", "only HS algorithms have one; take it out, it is not used."
        return
    if len(shared) < len(issuer.algorithms):
        yield "algorithms", "HS stands alone: never beside RS, PS, ES or EdDSA (RFC 8725, 2.1)."
    needed = max(_SECRET_BYTES[each] for each in shared)
    if len(issuer.secret.encode()) < needed:
        yield "secret", f"{', '.join(shared)} needs a random secret of {needed} bytes or more."
    if issuer.jwks_url:
        yield "jwks_url", "HS has a secret and no key to fetch; take one of them out."


def _faults_of_addresses(issuer: Issuer) -> Iterator[tuple[str, str]]:
    is_url = issuer.issuer.startswith(("https://", "http://"))
    is_discovered = not issuer.is_symmetric and not issuer.jwks_url
    if (is_url or is_discovered) and not is_allowed_address(issuer.issuer):
        yield "issuer", "it must begin with https:// (http:// on loopback only), or set jwks_url."
    if is_discovered and ("?" in issuer.issuer or "#" in issuer.issuer):
        yield "issuer", "discovery needs an address without ? and #, or set jwks_url."
    if issuer.jwks_url and not is_allowed_address(issuer.jwks_url):
        yield "jwks_url", "it must begin with https:// (http:// on loopback only)."


def _faults_of_mapping(issuer: Issuer) -> Iterator[tuple[str, str]]:
    if bool(issuer.tenant) == bool(issuer.tenant_claim):
        yield "tenant", "set either it or tenant_claim."
    if issuer.tenant and not is_plain(issuer.tenant):
        yield "tenant", "letters, digits and . _ @ + -, at most 64."
    if not issuer.roles_claim and not issuer.default_roles:
        yield "roles_claim", "set it or default_roles, else nobody may do anything."
    if issuer.roles is not None and not issuer.roles_claim:
        yield "roles", "it maps the values of roles_claim; set that too."
    granted = {"roles": (issuer.roles or {}).values(), "default_roles": issuer.default_roles}
    for member, roles in granted.items():
        if any(role not in GRANTABLE for role in roles):
            yield member, f"a token can give {', '.join(GRANTABLE)}, nothing else."


_UNKNOWN: Final = re.compile(r"contains unknown field `([^`]*)`")


def _readable(message: str) -> str:
    """Say what msgspec found, and what to write instead. It never shows a secret's value."""
    message = message.replace("`$", "`")
    if unknown := _UNKNOWN.search(message):
        near = difflib.get_close_matches(unknown[1], Issuer.__struct_fields__, n=1)
        known = f"did you mean {near[0]}?" if near else "known are " + _members()
        return f"{message}; {known}"
    if ".algorithms" in message:
        return f"{message}; possible are {', '.join(Algorithm)}, and never none."
    return f"{message}; docs/access.md says what each member is."


def _members() -> str:
    return ", ".join(Issuer.__struct_fields__)
