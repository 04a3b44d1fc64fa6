"""From claims to a caller: what an issuer may say of its users, and what it may not."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.access import GRANTABLE, Role
from coordinator.domain.bearer_tokens import Fault, TokenRefusedError
from coordinator.domain.claims import Identity, identity_of, seconds_left
from coordinator.domain.issuers import Algorithm, Issuer
from tests.domain.builders import START, at, patient

NOW: Final = int(START.timestamp())
ANYTHING: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def _issuer(**changes: Any) -> Issuer:
    usual: dict[str, Any] = {
        "issuer": "https://login.example",
        "audience": "coordinator",
        "algorithms": (Algorithm.RS256,),
        "tenant": "acme",
        "roles_claim": "roles",
    }
    if "tenant_claim" in changes:
        usual["tenant"] = ""
    return Issuer(**{**usual, **changes})


def _fault(claims: dict[str, Any], **changes: Any) -> Fault:
    with pytest.raises(TokenRefusedError) as refusal:
        identity_of({"sub": "dora", **claims}, _issuer(**changes))
    return refusal.value.fault


@pytest.mark.parametrize(
    ("value", "roles"),
    [
        ("uploader", {Role.UPLOADER}),
        ("viewer uploader", {Role.VIEWER, Role.UPLOADER}),
        (["operator", "unknown"], {Role.OPERATOR}),
        (["admin", 7, None, ["viewer"]], {Role.ADMIN}),
        (["upload-token"], set()),
        ("upload-token act-as every-tenant", set()),
        (["Admin", " admin", "ADMIN"], set()),
        ([], set()),
        ("", set()),
        (None, set()),
    ],
)
def test_our_own_roles_are_taken_and_nothing_else(value: object, roles: set[Role]) -> None:
    """Without a map; an upload's token and scopes are given by nobody but us."""
    identity = identity_of({"sub": "dora", "roles": value}, _issuer())

    assert identity == Identity("acme", "dora", frozenset(roles))


def test_a_map_alone_decides_where_there_is_one() -> None:
    """Our names mean nothing then: another's admin is not ours."""
    mapped = _issuer(roles={"data-team": Role.UPLOADER, "sre": Role.OPERATOR})

    assert identity_of({"sub": "d", "roles": ["sre", "admin"]}, mapped).roles == {Role.OPERATOR}


def test_a_role_that_nobody_is_granted_comes_from_no_settings_either() -> None:
    """Settings refuse it; should they once not, this does."""
    slipped = _issuer(roles={"x": Role.TOKEN}, default_roles=(Role.TOKEN,))

    assert identity_of({"sub": "d", "roles": "x"}, slipped).roles == frozenset()


def test_default_roles_are_for_those_to_whom_the_claim_gives_none() -> None:
    """A viewer does not become an uploader besides."""
    issuer = _issuer(default_roles=(Role.UPLOADER,))

    assert identity_of({"sub": "d"}, issuer).roles == {Role.UPLOADER}
    assert identity_of({"sub": "d", "roles": "nothing"}, issuer).roles == {Role.UPLOADER}
    assert identity_of({"sub": "d", "roles": "viewer"}, issuer).roles == {Role.VIEWER}


def test_a_claim_is_found_by_its_whole_name_or_by_its_path() -> None:
    """Keycloak nests them, Auth0 puts an address before them."""
    nested = {"sub": "d", "realm_access": {"roles": ["viewer"]}, "https://a.example/t": "beta"}
    issuer = _issuer(roles_claim="realm_access.roles", tenant_claim="https://a.example/t")

    assert identity_of(nested, issuer) == Identity("beta", "d", frozenset({Role.VIEWER}))


@pytest.mark.parametrize(
    "tenant", [..., None, "", "../other", "a/b", "a\0", "a\n", "x" * 65, ["acme"], {}, 7, "ä", "*"]
)
def test_a_tenant_is_plain(tenant: object) -> None:
    """It stands in object keys."""
    claims = {} if tenant is ... else {"org": tenant}

    assert _fault(claims, tenant_claim="org") is Fault.TENANT


@pytest.mark.parametrize("user", [None, "", "a b", "a\n", "x" * 129, "ä", "a\0", ["dora"], 7, {}])
def test_a_user_is_spelled_as_a_backend_must_spell_it(user: object) -> None:
    """1 to 128 characters of ASCII that can be seen."""
    assert _fault({"sub": user}) is Fault.USER
    assert _fault({"email": user}, user_claim="email") is Fault.USER


@pytest.mark.parametrize("roles", [7, True, {"admin": True}, 1.5])
def test_roles_of_another_type_are_refused(roles: object) -> None:
    """Nobody knows what its issuer meant."""
    assert _fault({"roles": roles}) is Fault.ROLES


@patient
@given(st.dictionaries(st.sampled_from(["sub", "org", "roles", "a"]), ANYTHING))
def test_whatever_the_claims_are_the_outcome_is_an_identity_or_a_refusal(
    claims: dict[str, Any],
) -> None:
    """Nothing else flies, and nobody gets what is not granted."""
    try:
        identity = identity_of(claims, _issuer(tenant_claim="org", roles_claim="a.b"))
    except TokenRefusedError:
        return
    assert identity.roles <= set(GRANTABLE)


def _times(**claims: Any) -> dict[str, Any]:
    usual = {"iat": NOW, "exp": NOW + 600}
    return {**usual, **claims}


@pytest.mark.parametrize(("second", "left"), [(0, 630.0), (600, 30.0), (629, 1.0), (-30, 660.0)])
def test_the_leeway_is_given_at_both_ends(second: int, left: float) -> None:
    """Clocks differ by a little."""
    assert seconds_left(_times(), _issuer(), as_of=at(second)) == left


@pytest.mark.parametrize(
    ("claims", "second", "fault"),
    [
        ({}, 630, Fault.EXPIRED),
        ({}, -31, Fault.NOT_YET),
        ({"nbf": NOW + 100}, 69, Fault.NOT_YET),
        ({"nbf": NOW, "iat": NOW + 100}, 69, Fault.NOT_YET),
        ({"exp": NOW + 86_401}, 0, Fault.LIFETIME),
        ({"iat": 0}, 0, Fault.LIFETIME),
        ({"exp": "1767226200"}, 0, Fault.TIME),
        ({"iat": "0"}, 0, Fault.TIME),
        ({"nbf": None}, 0, Fault.TIME),
        ({"exp": True}, 0, Fault.TIME),
        ({"exp": float("inf")}, 0, Fault.TIME),
        ({"exp": float("nan")}, 0, Fault.TIME),
        ({"exp": -1}, 0, Fault.TIME),
        ({"exp": 10**400}, 0, Fault.TIME),
        ({"exp": [NOW + 600]}, 0, Fault.TIME),
        ({"iat": -(10**12)}, 0, Fault.TIME),
    ],
)
def test_a_time_out_of_its_bounds_is_refused(
    claims: dict[str, Any], second: int, fault: Fault
) -> None:
    """By the time of the database, which the test sets."""
    with pytest.raises(TokenRefusedError) as refusal:
        seconds_left(_times(**claims), _issuer(), as_of=at(second))

    assert refusal.value.fault is fault


def test_without_leeway_the_second_counts() -> None:
    """An operator may trust both clocks; nbf may lie in the past, and times may be fractions."""
    strict = _issuer(leeway_seconds=0)

    assert seconds_left(_times(nbf=NOW - 5.5), strict, as_of=at(599)) == 1.0
    with pytest.raises(TokenRefusedError):
        seconds_left(_times(), strict, as_of=at(600))
