"""Keys that an issuer publishes (RFC 7517), and which of them may prove a token.

Rule: what is not surely a public key for signatures, strong enough and meant for one of the
issuer's algorithms, is left out as if it were not there.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from coordinator.domain.issuers import Algorithm

VerifyingKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

_MAX_KEYS: Final = 100
# Below, a key can be broken; far above, checking one signature takes long.
_RSA_BITS: Final = range(2_048, 8_193)

_RSA: Final = (
    *(Algorithm.RS256, Algorithm.RS384, Algorithm.RS512),
    *(Algorithm.PS256, Algorithm.PS384, Algorithm.PS512),
)
# Symmetric keys are none that an issuer could publish: "oct" is not among them.
_FAMILIES: Final[Mapping[tuple[object, object], Sequence[Algorithm]]] = {
    ("RSA", None): _RSA,
    ("EC", "P-256"): (Algorithm.ES256,),
    ("EC", "P-384"): (Algorithm.ES384,),
    ("EC", "P-521"): (Algorithm.ES512,),
    ("OKP", "Ed25519"): (Algorithm.EDDSA,),
}


class PublishedKey(msgspec.Struct, frozen=True):
    """One key, and what it may prove."""

    kid: str | None
    algorithms: frozenset[Algorithm]
    key: VerifyingKey


class NoKeySetError(ValueError):
    """The document is no set of keys."""


def read_keys(document: object, algorithms: Iterable[Algorithm]) -> list[PublishedKey]:
    """Return the keys of a JWKS that may prove tokens by one of ``algorithms``.

    Raises:
        NoKeySetError: the document has no list of keys.

    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise NoKeySetError
    allowed = frozenset(algorithms)
    read = (_read(each, allowed) for each in listed[:_MAX_KEYS] if isinstance(each, dict))
    return [each for each in read if each is not None]


def choose(
    keys: Sequence[PublishedKey], kid: str | None, algorithm: Algorithm
) -> VerifyingKey | None:
    """Return the key that a token names; without a name the only one there is."""
    able = [each for each in keys if algorithm in each.algorithms]
    if kid is None:
        return able[0].key if len(able) == 1 else None
    return next((each.key for each in able if each.kid == kid), None)


def _read(jwk: dict[str, Any], allowed: frozenset[Algorithm]) -> PublishedKey | None:
    able = allowed & _meant_for(jwk)
    kid = jwk.get("kid")
    if not able or not (kid is None or isinstance(kid, str)):
        return None
    try:
        key = PyJWK(jwk, min(able)).key
    except (PyJWTError, UnsupportedAlgorithm):
        return None
    if isinstance(key, RSAPublicKey) and key.key_size not in _RSA_BITS:
        return None
    return PublishedKey(kid, able, key) if isinstance(key, VerifyingKey) else None


def _meant_for(jwk: dict[str, Any]) -> frozenset[Algorithm]:
    """Return the algorithms a key is made for, by its kind and by what it says of itself."""
    curve = jwk.get("crv")
    family = _FAMILIES.get((jwk.get("kty"), curve)) if _is_word(jwk.get("kty"), curve) else None
    operations = jwk.get("key_ops", ["verify"])
    if family is None or jwk.get("use", "sig") != "sig" or "d" in jwk:
        return frozenset()
    if not isinstance(operations, list) or "verify" not in operations:
        return frozenset()
    return frozenset(each for each in family if jwk.get("alg", each) == each)


def _is_word(*values: object) -> bool:
    return all(value is None or isinstance(value, str) for value in values)
