"""Origins of pages: what browsers would send is taken, everything else refused by name."""

import pytest

from coordinator.origins import fault_of
from coordinator.settings import SettingsError, read
from tests.test_settings import NEEDED


@pytest.mark.parametrize(
    "origin",
    [
        *("https://pages.example", "https://pages.example:8443", "https://xn--mller-kva.example"),
        *("https://10.0.0.1", "https://[2001:db8::1]:8443", "https://localhost"),
        *("http://localhost", "http://localhost:5173", "http://app.localhost:1"),
        *("http://127.0.0.1:3000", "http://[::1]:3000", "http://127.8.8.8"),
    ],
)
def test_what_a_browser_sends_can_be_named(origin: str) -> None:
    """Plain http from this machine only: nobody is in between."""
    assert fault_of(origin) is None


@pytest.mark.parametrize(
    "origin",
    [
        *("*", "https://*", "https://*.example", "null", "", "pages.example", "//pages.example"),
        *(
            "https://pages.example/",
            "https://pages.example/a",
            "https://pages.example?",
            "https://",
        ),
        *("https://user@pages.example", "https://pages.example#", "ftp://pages.example"),
        *("https://Pages.example", "HTTPS://pages.example", "https://müller.example"),
        *("https://pages.example:443", "https://pages.example:0", "https://pages.example:65536"),
        *("https://pages.example:", "https://pages..example", "https://pages.example."),
        *("https://-a.example", "https://1.2.3", "https://1.2.3.04", "https://[::0001]"),
        *("http://pages.example", "http://10.0.0.1", "http://192.168.1.2:3000"),
        *("http://localhost:80", "http://localhost.example", "http://127.0.0.1.example"),
        *("https://a b", "https://a\n", "https://a\\b", "https://" + "a" * 64 + ".example"),
    ],
)
def test_what_no_browser_sends_or_anybody_could_is_refused_at_the_start(origin: str) -> None:
    """An origin that never matches is found when the service starts, not when pages fail."""
    assert fault_of(origin) is not None


def test_the_message_names_the_origin_and_what_to_do() -> None:
    """Of several, the one that is wrong."""
    origins = "https://pages.example, http://pages.example"

    with pytest.raises(SettingsError) as refusal:
        read({**NEEDED, "COORDINATOR_CORS_ORIGINS": origins})

    assert str(refusal.value) == (
        "COORDINATOR_CORS_ORIGINS: http://pages.example cannot be used: it is http, so that "
        "anybody on the way can change the page: use https."
    )
