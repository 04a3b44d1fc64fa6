"""Limits as an operator sets them: what is wrong ends the start, and says which variable."""

from typing import Final

import msgspec
import pytest

from coordinator.domain.limits import Rate, RouteClass
from coordinator.settings import Settings, SettingsError
from coordinator.web.limits import rules_of

_SETTINGS: Final = Settings(database_url="", redis_url="", s3_bucket="bucket", secret="s" * 32)


def _with(**changes: str) -> Settings:
    return msgspec.structs.replace(_SETTINGS, **changes)


def test_every_class_has_a_default_and_addresses_may_do_more() -> None:
    """An office behind one address is several busy users. Failures are no class of a user."""
    rules = rules_of(_SETTINGS)

    assert set(rules.address) == set(RouteClass)
    assert set(rules.user) == set(RouteClass) - {RouteClass.REFUSED}
    for route_class, user in rules.user.items():
        address = rules.address[route_class]
        assert address.count / address.seconds >= 2 * user.count / user.seconds
        assert address.burst >= 2 * user.burst
    assert rules.trusted == ()


def test_a_class_that_is_set_leaves_the_others_at_their_defaults() -> None:
    """Of the same setting, and of the other."""
    rules = rules_of(_with(rate_limits_user="read=1/h:2"))

    assert rules.user == {**rules_of(_SETTINGS).user, RouteClass.READ: Rate(1, 3_600, 2)}
    assert rules.address == rules_of(_SETTINGS).address


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate_limits_user", "read=fast"),
        ("rate_limits_user", "refused=1/s:1"),
        ("rate_limits_address", "write=1/s:1"),
        ("trusted_proxies", "10.0.0.1/8"),
    ],
)
def test_a_wrong_value_is_named_as_the_operator_knows_it(name: str, value: str) -> None:
    """The variable, and what was written."""
    with pytest.raises(SettingsError, match=rf"^COORDINATOR_{name.upper()}: .*{value[:5]}"):
        rules_of(_with(**{name: value}))
