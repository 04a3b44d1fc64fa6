"""Keys of issuers: fetched when needed, kept with sense, and only such as may prove something."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import pytest

from coordinator.adapters.issuer_keys import MAX_BYTES, IssuerAwayError
from coordinator.adapters.issuers import Issuers, open_issuers, read_issuers
from coordinator.domain.bearer_tokens import Fault, TokenRefusedError
from coordinator.settings import SettingsError
from tests.issuer import (
    DISCOVERY,
    KEYS,
    Issuer,
    an_issuer,
    answer,
    private_key,
    public_jwk,
    settings_of,
)

_HOUR: Final = 3_600.0
_ONE_FETCH: Final = [DISCOVERY, KEYS]


class _Clock:
    """Time passes when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class _Bench:
    """An issuer, what we know of it, and the time."""

    def __init__(self, issuer: Issuer, issuers: Issuers, clock: _Clock) -> None:
        self.issuer = issuer
        self.issuers = issuers
        self.clock = clock

    async def accepts(self, token: str) -> bool:
        _issuer, claims = await self.issuers.prove(token)
        return bool(claims["iss"] == self.issuer.url)

    async def fault(self, token: str) -> Fault:
        with pytest.raises(TokenRefusedError) as refusal:
            await self.issuers.prove(token)
        return refusal.value.fault


@asynccontextmanager
async def _bench(*algorithms: str, **changes: Any) -> AsyncGenerator[_Bench]:
    clock = _Clock()
    async with an_issuer(*algorithms) as issuer:
        setting = msgspec.json.encode([settings_of(issuer, **changes)]).decode()
        async with open_issuers(read_issuers(setting), elapsed=clock) as issuers:
            yield _Bench(issuer, issuers, clock)


async def test_keys_are_fetched_with_the_first_token_and_kept_for_an_hour() -> None:
    """Nobody is asked before, and not with every token; afterwards nobody waits."""
    async with _bench() as bench:
        assert bench.issuer.fetches == []
        for _ in range(3):
            assert await bench.accepts(bench.issuer.token())
        assert bench.issuer.fetches == _ONE_FETCH

        bench.clock.now = _HOUR
        bench.issuer.delay_s = 0.05
        assert await bench.accepts(bench.issuer.token())
        # It answered from what it had; a second token finds the fetch under way and adds none.
        assert await bench.accepts(bench.issuer.token())
        assert bench.issuer.fetches == _ONE_FETCH
        bench.issuer.asked.clear()
        await bench.issuer.asked.wait()
        bench.issuer.add_key("new", "RS256", number=1)
        assert await bench.accepts(bench.issuer.token("new"))
        assert bench.issuer.fetches == _ONE_FETCH * 2


async def test_many_tokens_at_once_cost_one_fetch() -> None:
    """Also the very first ones."""
    async with _bench() as bench:
        tokens = [bench.issuer.token(sub=f"user-{number}") for number in range(20)]
        bench.issuer.delay_s = 0.05

        assert all(await asyncio.gather(*map(bench.accepts, tokens)))
        assert bench.issuer.fetches == _ONE_FETCH


async def test_a_client_that_hangs_up_takes_nobodys_keys_away() -> None:
    """The fetch serves all who wait for it."""
    async with _bench() as bench:
        bench.issuer.delay_s = 0.05
        first = asyncio.create_task(bench.accepts(bench.issuer.token()))
        second = asyncio.create_task(bench.accepts(bench.issuer.token()))
        await bench.issuer.asked.wait()
        first.cancel()

        assert await second
        assert bench.issuer.fetches == _ONE_FETCH


async def test_a_new_key_is_found_at_once_and_made_up_ones_cost_a_fetch_a_minute() -> None:
    """Rotation needs no restart; nobody can make us hammer the issuer."""
    async with _bench() as bench:
        assert await bench.accepts(bench.issuer.token())
        bench.issuer.add_key("second", "RS256", number=1)
        assert await bench.accepts(bench.issuer.token("second"))
        assert bench.issuer.fetches == _ONE_FETCH * 2

        for number in range(50):
            stranger = bench.issuer.token(header={"kid": f"made-up-{number}"})
            assert await bench.fault(stranger) is Fault.KEY
        assert bench.issuer.fetches == _ONE_FETCH * 2

        bench.clock.now = 60.0
        bench.issuer.add_key("third", "RS256", number=2)
        assert await bench.accepts(bench.issuer.token("third"))
        assert bench.issuer.fetches == _ONE_FETCH * 3


async def test_a_key_that_was_withdrawn_ends_with_the_next_fetch() -> None:
    """What was stolen must not be good for ever."""
    async with _bench("RS256", "RS256") as bench:
        token = bench.issuer.token("one")
        assert await bench.accepts(token)
        bench.issuer.published.pop(0)

        assert await bench.fault(bench.issuer.token(header={"kid": "x"})) is Fault.KEY
        assert await bench.fault(token) is Fault.KEY


async def test_without_keys_an_issuer_that_is_away_is_unavailable_until_it_is_back() -> None:
    """Nobody can say that the token is wrong; and not every token waits for a connection."""
    async with _bench() as bench:
        token = bench.issuer.token()
        await bench.issuer.leave()
        for _ in range(2):
            with pytest.raises(IssuerAwayError):
                await bench.issuers.prove(token)
        await bench.issuer.come_back()
        with pytest.raises(IssuerAwayError):
            await bench.issuers.prove(token)
        assert bench.issuer.fetches == []

        bench.clock.now = 5.0
        assert await bench.accepts(token)


async def test_keys_outlast_an_issuer_that_is_away_for_less_than_a_day() -> None:
    """Uploads go on; a new key cannot be judged meanwhile, and a day is where it ends."""
    async with _bench() as bench:
        token = bench.issuer.token()
        assert await bench.accepts(token)
        await bench.issuer.leave()

        bench.clock.now = 24 * _HOUR - 1
        assert await bench.accepts(token)
        assert await bench.accepts(token)
        with pytest.raises(IssuerAwayError):
            await bench.issuers.prove(bench.issuer.token(header={"kid": "new"}))
        bench.clock.now = 24 * _HOUR
        with pytest.raises(IssuerAwayError):
            await bench.issuers.prove(token)

        await bench.issuer.come_back()
        bench.clock.now += 5.0
        assert await bench.accepts(token)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (DISCOVERY, lambda url: _says(issuer="https://other.example", jwks_uri=url + KEYS)),
        (DISCOVERY, lambda url: _says(issuer=f"{url}/", jwks_uri=url + KEYS)),
        (DISCOVERY, lambda url: _says(issuer=url, jwks_uri="http://login.example/keys")),
        (DISCOVERY, lambda url: _says(issuer=url, jwks_uri="file:///etc/passwd")),
        (DISCOVERY, lambda url: _says(issuer=url, jwks_uri=[url + KEYS])),
        (DISCOVERY, lambda url: _says(issuer=url)),
        (DISCOVERY, lambda _url: answer(b"[]")),
        (DISCOVERY, lambda url: answer(b"", status=302, more=f"Location: {url}/other\r\n")),
        (KEYS, lambda url: answer(b"", status=307, more=f"Location: {url}/other\r\n")),
        (KEYS, lambda _url: answer(b'{"keys": []}', status=500)),
        (KEYS, lambda _url: _says(keys={"kty": "RSA"})),
        (KEYS, lambda _url: answer(b"[" * 100_000)),
        (KEYS, lambda _url: answer(b'{"keys": "\xff"}')),
        (KEYS, lambda _url: _says(keys=[], pad=" " * MAX_BYTES)),
        (KEYS, lambda _url: b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
        (KEYS, lambda _url: b"\x00\x01 no HTTP"),
    ],
)
async def test_an_issuer_that_answers_wrongly_is_as_good_as_away(
    path: str, wrong: Callable[[str], bytes]
) -> None:
    """Lies of discovery, redirects, endless or broken answers: no key comes of them, and no 500."""
    async with _bench() as bench:
        bench.issuer.answers[path] = wrong(bench.issuer.url)

        with pytest.raises(IssuerAwayError):
            await bench.issuers.prove(bench.issuer.token())
        assert bench.issuer.fetches == ([DISCOVERY] if path == DISCOVERY else _ONE_FETCH)


def _says(**members: Any) -> bytes:
    return answer(msgspec.json.encode(members))


async def test_an_issuer_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit for all of it, not for every byte."""
    monkeypatch.setattr("coordinator.adapters.issuer_keys.FETCH_SECONDS", 0.1)
    async with _bench() as bench:
        bench.issuer.drip_s = 0.03

        async with asyncio.timeout(2.0):
            with pytest.raises(IssuerAwayError):
                await bench.issuers.prove(bench.issuer.token())


_EC: Final = public_jwk(private_key("ES256"))


@pytest.mark.parametrize(
    "jwk",
    [
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"key_ops": "verify"},
        {"alg": "RS384"},
        {"alg": "none"},
        {"d": "AQAB"},
        {"kid": 1},
        {"n": "AQAB"},
        {"n": 7},
        {"e": "AQ"},
        {"kty": ["RSA"]},
        {"kty": "oct", "k": "c2VjcmV0LXRoYXQtaXMtbG9uZy1lbm91Z2gtZm9yLUhTMjU2"},
        public_jwk(private_key("RS256", 9, bits=1_024)),
        _EC,
        {**_EC, "kid": "one", "y": _EC["x"]},
    ],
)
async def test_a_key_that_is_not_surely_meant_and_strong_proves_nothing(
    jwk: dict[str, Any],
) -> None:
    """Encryption keys, private keys, shared ones, weak and broken ones, those of other families."""
    async with _bench() as bench:
        bench.issuer.published = [bench.issuer.published[0] | {"kid": "one"} | jwk]
        bench.issuer.published.append(public_jwk(private_key("RS256", 8), kid="other"))

        assert await bench.fault(bench.issuer.token()) is Fault.KEY


async def test_the_rest_of_a_set_is_used_whatever_else_is_in_it() -> None:
    """One strange entry must not end all callers."""
    async with _bench() as bench:
        good = bench.issuer.published[0]
        bench.issuer.published = [None, 7, {}, {"kty": "RSA", "n": "!"}, {"kty": "AKP"}, good]

        assert await bench.accepts(bench.issuer.token())


async def test_a_token_that_names_no_key_needs_an_issuer_that_has_only_one() -> None:
    """Trying all keys is how one family's key is taken for another's."""
    async with _bench() as bench:
        nameless = bench.issuer.token(header={"kid": ...})
        del bench.issuer.published[0]["kid"]
        assert await bench.accepts(nameless)
    async with _bench("RS256", "RS256") as bench:
        assert await bench.fault(bench.issuer.token(header={"kid": ...})) is Fault.KEY


async def test_keys_may_be_named_by_settings() -> None:
    """For issuers without discovery: nothing else is asked."""
    async with _bench() as bench:
        setting = [settings_of(bench.issuer, jwks_url=bench.issuer.url + KEYS)]
        read = read_issuers(msgspec.json.encode(setting).decode())
        async with open_issuers(read) as issuers:
            await issuers.prove(bench.issuer.token())

        assert bench.issuer.fetches == [KEYS]


async def test_a_service_that_ends_does_not_wait_for_an_issuer() -> None:
    """A fetch under way is dropped."""
    async with asyncio.timeout(2.0), _bench() as bench:
        bench.issuer.delay_s = 60.0
        waiting = asyncio.create_task(bench.issuers.prove(bench.issuer.token()))
        await bench.issuer.asked.wait()
        waiting.cancel()


def test_settings_are_a_list_or_a_file_with_one(tmp_path: Any) -> None:
    """A list of several lines is easier kept in a file."""
    entry = {
        "issuer": "https://a.example",
        "audience": "us",
        "algorithms": ["RS256"],
        "tenant": "t",
        "default_roles": ["viewer"],
    }
    text = msgspec.json.encode([entry]).decode()
    path = tmp_path / "issuers.json"
    path.write_text(text)

    assert read_issuers(text) == read_issuers(str(path)) == read_issuers(f"  {text}")
    assert read_issuers("") == read_issuers(" ") == ()
    with pytest.raises(SettingsError, match=r"^COORDINATOR_ISSUERS: it is no JSON list, and no f"):
        read_issuers(str(tmp_path / "missing.json"))
    with pytest.raises(SettingsError, match="did you mean issuer"):
        read_issuers('[{"issuers": 1}]')


@pytest.mark.parametrize("word", ["-----BEGIN PUBLIC KEY-----\n", '{"kty": "oct", "k": "'])
def test_a_public_key_is_no_secret(word: str) -> None:
    """Whoever puts it there would let everybody sign."""
    end = "\n-----END PUBLIC KEY-----" if word.startswith("-") else '"}'
    entry = {
        "issuer": "us",
        "audience": "us",
        "algorithms": ["HS256"],
        "secret": word + "A" * 64 + end,
        "tenant": "t",
        "default_roles": ["viewer"],
    }
    with pytest.raises(SettingsError, match=r"\[0\]\.secret: it is a key") as refusal:
        read_issuers(msgspec.json.encode([entry]).decode())

    assert "AAAA" not in str(refusal.value)
