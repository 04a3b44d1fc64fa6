"""A small OIDC issuer on loopback: discovery, keys, tokens by real signatures, and bad moods."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

AUDIENCE: Final = "https://coordinator.example"
DISCOVERY: Final = "/.well-known/openid-configuration"
KEYS: Final = "/keys"

_KIDS: Final = ("one", "two", "three", "four", "five")

_CURVES: Final = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


@cache
def private_key(algorithm: str, number: int = 0, *, bits: int = 2_048) -> PrivateKey:
    """Make a key; the same arguments give the same one, because making an RSA key takes long."""
    del number
    if algorithm.startswith(("RS", "PS")):
        return rsa.generate_private_key(public_exponent=65_537, key_size=bits)
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(_CURVES[algorithm])


def public_jwk(key: PrivateKey, **members: Any) -> dict[str, Any]:
    """Spell the public half as an issuer publishes it."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        jwk = RSAAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        jwk = ECAlgorithm.to_jwk(public, as_dict=True)
    else:
        jwk = OKPAlgorithm.to_jwk(public, as_dict=True)
    return {**jwk, **members}


def letters(data: bytes) -> str:
    """Spell bytes in base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def without(members: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is ``...``: a test says so that a member is missing."""
    return {name: value for name, value in members.items() if value is not ...}


class Issuer:
    """Signs tokens, and answers as it is told to."""

    def __init__(self) -> None:
        self.url = ""
        self.fetches: list[str] = []  # the paths that were asked for
        self.keys: dict[str, tuple[str, PrivateKey]] = {}  # by kid
        self.published: list[Any] = []
        self.usual_claims: dict[str, Any] = {}  # beside those that every token has
        self.discovery: dict[str, Any] = {}
        self.answers: dict[str, bytes] = {}  # whole HTTP answers in place of the right ones
        self.delay_s = 0.0
        self.drip_s = 0.0  # between one byte and the next
        self.asked = asyncio.Event()
        self._server: asyncio.Server | None = None

    def add_key(self, kid: str, algorithm: str = "RS256", *, number: int = 0) -> None:
        """Take a key into use and publish it."""
        key = private_key(algorithm, number)
        self.keys[kid] = (algorithm, key)
        self.published.append(public_jwk(key, kid=kid, use="sig"))

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Make the claims of a good token; ``...`` leaves one out."""
        now = int(time.time())
        usual = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "dora",
            "iat": now,
            "exp": now + 600,
            "roles": ["uploader"],
            **self.usual_claims,
        }
        return without({**usual, **changes})

    def token(
        self,
        kid: str = "one",
        *,
        header: dict[str, Any] | None = None,
        algorithm: str = "",
        **claims: Any,
    ) -> str:
        """Sign a token by a key of ours; claims and header may be anything that is JSON."""
        usual, key = self.keys[kid]
        head = without({"kid": kid, "typ": "JWT", **(header or {})})
        payload = json.dumps(self.claims(**claims)).encode()
        return jwt.PyJWS().encode(payload, key, algorithm=algorithm or usual, headers=head)

    async def open(self, port: int = 0) -> None:
        """Begin to answer; the address stays the same when it was away."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.discovery = {"issuer": self.url, "jwks_uri": self.url + KEYS}

    async def leave(self) -> None:
        """Refuse connections from now on."""
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def come_back(self) -> None:
        """Answer again, where it was."""
        kept = self.discovery
        await self.open(int(self.url.rpartition(":")[2]))
        self.discovery = kept

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ")[1].decode()
            self.fetches.append(path)
            self.asked.set()
            await asyncio.sleep(self.delay_s)
            whole = self._answer(path)
            size = 1 if self.drip_s else len(whole)
            for at in range(0, len(whole), size):
                writer.write(whole[at : at + size])
                await writer.drain()
                await asyncio.sleep(self.drip_s)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # it hung up
        finally:
            writer.close()

    def _answer(self, path: str) -> bytes:
        if path in self.answers:
            return self.answers[path]
        found = {DISCOVERY: self.discovery, KEYS: {"keys": self.published}}.get(path)
        return answer(b"{}", status=404) if found is None else answer(json.dumps(found).encode())


def answer(body: bytes, *, status: int = 200, more: str = "") -> bytes:
    """Spell a whole HTTP answer."""
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def an_issuer(*algorithms: str, number: int = 0) -> AsyncGenerator[Issuer]:
    """Run an issuer with a key for each algorithm, ``one``, ``two``, ..., until the block ends.

    Those of another ``number`` have other keys.
    """
    issuer = Issuer()
    for kid, algorithm in zip(_KIDS, algorithms or ("RS256",), strict=False):
        issuer.add_key(kid, algorithm, number=number)
    await issuer.open()
    try:
        yield issuer
    finally:
        await issuer.leave()


def settings_of(of: Issuer, /, **changes: Any) -> dict[str, Any]:
    """Say in settings what an operator would say of the issuer; ``...`` leaves a member out."""
    usual = {
        "issuer": of.url,
        "audience": AUDIENCE,
        "algorithms": sorted({algorithm for algorithm, _key in of.keys.values()}),
        "tenant": "default",
        "roles_claim": "roles",
    }
    return without({**usual, **changes})
