"""Settings of issuers: what would be unsafe is refused at the start, and named."""

import json
from typing import Any, Final

import pytest

from coordinator.domain.access import Role
from coordinator.domain.issuers import (
    Algorithm,
    IssuerSettingError,
    is_allowed_address,
    parse_issuers,
)

_SECRET: Final = "a password that is shown to nobody, 0123456789, and that is as long as it must be"
GOOD: Final = {
    "issuer": "https://login.example",
    "audience": "coordinator",
    "algorithms": ["RS256", "ES256"],
    "tenant": "acme",
    "default_roles": ["uploader"],
}
SHARED: Final = GOOD | {"algorithms": ["HS256"], "secret": _SECRET}


def _refusal(*issuers: dict[str, Any]) -> str:
    with pytest.raises(IssuerSettingError) as refusal:
        parse_issuers(json.dumps(issuers))
    assert _SECRET not in str(refusal.value)
    return str(refusal.value)


def test_a_short_entry_suffices() -> None:
    """The rest has defaults, which are the strict ones."""
    (issuer,) = parse_issuers(json.dumps([GOOD]))

    assert issuer.algorithms == (Algorithm.RS256, Algorithm.ES256)
    assert issuer.audiences == ("coordinator",)
    assert (issuer.user_claim, issuer.leeway_seconds) == ("sub", 30)
    assert issuer.max_lifetime_seconds == 86_400
    assert issuer.default_roles == (Role.UPLOADER,)
    assert not issuer.is_symmetric


@pytest.mark.parametrize(
    ("changes", "member", "advice"),
    [
        ({"audiences": "x"}, "audiences", "did you mean audience?"),
        ({"qqqq": 1}, "qqqq", "known are issuer, audience"),
        ({"algorithms": []}, "algorithms", "possible are RS256"),
        ({"algorithms": ["none"]}, "algorithms", "never none"),
        ({"algorithms": ["rs256"]}, "algorithms", "possible are RS256"),
        ({"algorithms": ["ES256K"]}, "algorithms", "possible are RS256"),
        ({"algorithms": ["HS256"]}, "secret", "32 bytes"),
        ({"algorithms": ["HS256"], "secret": "short"}, "secret", "32 bytes"),
        ({"algorithms": ["HS512"], "secret": "x" * 63}, "secret", "64 bytes"),
        ({"algorithms": ["HS256", "RS256"], "secret": _SECRET}, "algorithms", "stands alone"),
        ({"algorithms": ["EdDSA", "HS384"], "secret": _SECRET}, "algorithms", "stands alone"),
        ({"secret": _SECRET}, "secret", "take it out"),
        (SHARED | {"jwks_url": "https://login.example/keys"}, "jwks_url", "take one"),
        ({"issuer": "http://login.example"}, "issuer", "https://"),
        ({"issuer": "login.example"}, "issuer", "set jwks_url"),
        ({"issuer": "https://login.example?a=b"}, "issuer", "set jwks_url"),
        ({"issuer": "https://user:word@login.example"}, "issuer", "https://"),
        ({"issuer": "http://127.0.0.1.example"}, "issuer", "https://"),
        ({"issuer": "https://["}, "issuer", "https://"),
        ({"issuer": ""}, "issuer", "docs/access.md"),
        ({"jwks_url": "http://login.example/keys"}, "jwks_url", "https://"),
        ({"jwks_url": "file:///etc/passwd"}, "jwks_url", "https://"),
        ({"tenant": ""}, "tenant", "tenant_claim"),
        ({"tenant_claim": "org"}, "tenant", "either"),
        ({"tenant": "../other"}, "tenant", "letters"),
        ({"default_roles": []}, "roles_claim", "default_roles"),
        ({"default_roles": ["upload-token"]}, "default_roles", "nothing else"),
        ({"default_roles": ["root"]}, "default_roles", "docs/access.md"),
        ({"roles_claim": "r", "roles": {"a": "upload-token"}}, "roles", "nothing else"),
        ({"roles": {"a": "admin"}}, "roles", "roles_claim"),
        ({"leeway_seconds": 301}, "leeway_seconds", "docs/access.md"),
        ({"leeway_seconds": "30"}, "leeway_seconds", "docs/access.md"),
        ({"max_lifetime_seconds": 0}, "max_lifetime_seconds", "docs/access.md"),
        ({"audience": []}, "audience", "docs/access.md"),
        ({"audience": ""}, "audience", "docs/access.md"),
        ({"scopes": ["act-as"]}, "scopes", "known are"),
    ],
)
def test_an_unsafe_member_is_named_with_what_to_do(
    changes: dict[str, Any], member: str, advice: str
) -> None:
    """Nobody finds out with the first token, or never."""
    message = _refusal(GOOD, GOOD | {"issuer": "https://second.example"} | changes)

    assert member in message
    assert "[1]" in message
    assert advice in message


def test_an_issuer_stands_in_the_list_once() -> None:
    """Else the second would be ignored, silently."""
    assert "[1].issuer: it is in the list twice" in _refusal(GOOD, GOOD)


@pytest.mark.parametrize("text", ["{}", "[", "[1]", "null", '"x"', "[" * 5_000, '["\\ud800"]'])
def test_what_is_no_list_of_issuers_is_refused(text: str) -> None:
    """As an error of the setting, not as a traceback."""
    with pytest.raises(IssuerSettingError):
        parse_issuers(text)


def test_a_shared_secret_is_possible_when_it_is_asked_for() -> None:
    """An issuer of one's own, without discovery; its name need not be an address."""
    (issuer,) = parse_issuers(json.dumps([SHARED | {"issuer": "our-backend"}]))

    assert issuer.is_symmetric
    assert parse_issuers("[]") == ()


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("https://login.example/keys", True),
        ("http://localhost:8080/realms/x", True),
        ("http://127.0.0.1/", True),
        ("http://[::1]:9/", True),
        ("http://10.0.0.1/", False),
        ("http://169.254.169.254/", False),
        ("http://localhost.example/", False),
        ("ftp://login.example/", False),
        ("https:///keys", False),
        ("https://login.example:x/", False),
        ("https://login.example/\r\nX: y", False),
        ("//login.example/", False),
        ("", False),
    ],
)
def test_keys_come_by_tls_or_from_this_host(url: str, *, is_allowed: bool) -> None:
    """Whoever can change keys on their way can be anybody."""
    assert is_allowed_address(url) is is_allowed
