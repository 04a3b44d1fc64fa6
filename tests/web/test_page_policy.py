"""Policies of pages, and HSTS: what is made of settings, without a service."""

from typing import Any, Final

from coordinator.web.hygiene import page_policy, tidied

# What every answer of the service has, whoever gives it.
EVERYWHERE: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
    "vary": "Origin",
}


async def test_hsts_is_for_whoever_asks_for_it() -> None:
    """A browser that was told once refuses http for so long."""
    message: Any = {"type": "http.response.start", "status": 200, "headers": []}
    scope: Any = {}

    await tidied(hsts_seconds=60)(message, scope)

    assert (b"strict-transport-security", b"max-age=60") in message["headers"]


async def test_what_a_route_says_of_itself_stays() -> None:
    """Pages have a policy of their own, and some answers may be kept."""
    said = [(b"Cache-Control", b"public"), (b"Content-Security-Policy", b"script-src 'self'")]
    message: Any = {"type": "http.response.start", "status": 200, "headers": list(said)}
    scope: Any = {}

    await tidied(hsts_seconds=0)(message, scope)

    names = [name.lower() for name, _value in message["headers"]]
    assert set(said) <= set(message["headers"])
    assert len(names) == len(set(names))


def test_pages_may_run_and_reach_only_what_is_ours() -> None:
    """No inline script, no eval, no other server but the one that takes the chunks."""
    parts = page_policy(s3="https://s3.example:1/b").split("; ")
    policy = dict(each.split(" ", 1) for each in parts)

    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["connect-src"] == "'self' https://s3.example:1"
