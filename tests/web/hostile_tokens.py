"""Tokens that must prove nobody, each with a name: made anew for an issuer that is really there."""

import base64
import hashlib
import hmac
import json
import zlib
from collections.abc import Iterator
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.issuer import Issuer, letters, private_key, public_jwk

# Stands in every token, and must be found nowhere afterwards.
CANARY: Final = "canary-7f3a"

_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ED25519_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_JUNK: Final = letters(b"\x01" * 64)

Named = tuple[str, str]


def _json(members: object) -> str:
    return members if isinstance(members, str) else letters(json.dumps(members).encode())


def spelled(header: object, claims: object, signature: str = _JUNK) -> str:
    """Put a token together; text is taken as a part that is spelled already."""
    return f"{_json(header)}.{_json(claims)}.{signature}"


def _shared(issuer: Issuer, key: bytes, header: dict[str, Any]) -> str:
    """Sign by a shared secret, which PyJWT rightly would not do with a public key."""
    unsigned = spelled(header, issuer.claims(sub=CANARY), "").rstrip(".")
    return f"{unsigned}.{letters(hmac.digest(key, unsigned.encode(), hashlib.sha256))}"


def _raw(issuer: Issuer, header: bytes, claims: bytes, kid: str = "three") -> str:
    """Sign any bytes rightly by the issuer's Ed25519 key."""
    key = issuer.keys[kid][1]
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    unsigned = f"{letters(header)}.{letters(claims)}"
    return f"{unsigned}.{letters(key.sign(unsigned.encode()))}"


def without_a_signature(issuer: Issuer) -> Iterator[Named]:
    """``none`` in all its spellings, and algorithms that the settings do not have."""
    claims = issuer.claims(sub=CANARY)
    spellings: list[Any] = ["none", "None", "NONE", "nOnE", "none ", "", None, [], {}, 0, True]
    for word in [*spellings, ["RS256"]]:
        header = {"alg": word, "typ": "JWT", "kid": "one"}
        yield f"alg {word!r} without signature", spelled(header, claims, "")
        yield f"alg {word!r} with a signature", spelled(header, claims)
    yield "no alg", spelled({"typ": "JWT", "kid": "one"}, claims)
    yield "alg in small letters", spelled({"alg": "rs256", "kid": "one"}, claims)
    yield "alg RS384, which settings lack", issuer.token(algorithm="RS384", sub=CANARY)
    yield "alg PS256, which settings lack", issuer.token(algorithm="PS256", sub=CANARY)
    yield "alg ES256K", spelled({"alg": "ES256K", "kid": "two"}, claims)


def by_a_public_key(issuer: Issuer) -> Iterator[Named]:
    """HS256 with what everybody can fetch as the secret (RFC 8725, section 2.1)."""
    public = issuer.keys["one"][1].public_key()
    forms = serialization.PublicFormat
    spki, pkcs1 = forms.SubjectPublicKeyInfo, forms.PKCS1
    pem, der = serialization.Encoding.PEM, serialization.Encoding.DER
    known = {
        "PEM": public.public_bytes(pem, spki),
        "PEM without its last line break": public.public_bytes(pem, spki).rstrip(),
        "PKCS1 PEM": public.public_bytes(pem, pkcs1),
        "DER": public.public_bytes(der, spki),
        "PKCS1 DER": public.public_bytes(der, pkcs1),
        "JWK": json.dumps(issuer.published[0]).encode(),
        "nothing": b"",
        "the word secret": b"secret",
    }
    for name, key in known.items():
        yield f"HS256 by {name}", _shared(issuer, key, {"alg": "HS256", "kid": "one"})
    yield "HS256 by nothing, key /dev/null", _shared(issuer, b"", {"alg": "HS256", "kid": _NULL})


_NULL: Final = "../../../../../../dev/null"


def by_a_strange_key(issuer: Issuer, attacker: Issuer, second: Issuer) -> Iterator[Named]:
    """Signed rightly, by a key that is not the issuer's."""
    key = attacker.keys["one"][1]
    place = f"{attacker.url}/keys"
    headers: dict[str, dict[str, Any]] = {
        "the same kid": {},
        "jku": {"jku": place},
        "jku and a kid of its own": {"jku": place, "kid": CANARY},
        "x5u": {"x5u": f"{attacker.url}/chain.pem"},
        "jwk": {"jwk": public_jwk(key, kid="one"), "kid": "one"},
        "jwk without kid": {"jwk": public_jwk(key), "kid": ...},
        "x5c": {"x5c": [base64.b64encode(b"0\x82" + CANARY.encode()).decode()]},
        "kid as address": {"kid": place},
        "kid as path": {"kid": f"../../../../etc/passwd{CANARY}"},
        "kid as SQL": {"kid": f"x' UNION SELECT '{CANARY}'--"},
        "kid as command": {"kid": f"one|/bin/{CANARY}"},
        "kid with NUL": {"kid": "one\0"},
        "kid with line break": {"kid": f'one\r\n{{"event": "{CANARY}"}}'},
        "kid of 300": {"kid": "k" * 300},
        "kid of 10,000": {"kid": "k" * 10_000},
        "kid of half a character": {"kid": "\ud800"},
        "kid empty": {"kid": ""},
        "no kid": {"kid": ...},
    }
    for name, header in headers.items():
        yield f"foreign key, {name}", attacker.token(header=header, iss=issuer.url, sub=CANARY)
    for kid in (None, 1, ["one"], dict[str, str]()):
        yield f"kid is {kid}", spelled({"alg": "RS256", "kid": kid}, issuer.claims(sub=CANARY))
    yield "issuer that nobody set", attacker.token(sub=CANARY)
    yield "key of another issuer of ours", second.token(iss=issuer.url, sub=CANARY)
    yield "issuer of another key of ours", issuer.token(iss=second.url, sub=CANARY)
    yield "another type than settings want", second.token(sub=CANARY)
    yield "RS256 by a key that is ES256's", attacker.token(header={"kid": "two"}, iss=issuer.url)


def by_broken_curves(issuer: Issuer) -> Iterator[Named]:
    """ECDSA and EdDSA where implementations have failed."""
    claims = issuer.claims(sub=CANARY)
    es, ed = {"alg": "ES256", "kid": "two"}, {"alg": "EdDSA", "kid": "three"}
    order = _P256_ORDER.to_bytes(32, "big")
    for name, signature in {
        "r=s=0": bytes(64),
        "r=s=n": order * 2,
        "r=1, s=0": (1).to_bytes(32, "big") + bytes(32),
        "63 bytes": b"\x01" * 63,
        "96 bytes": b"\x01" * 96,
    }.items():
        yield f"ES256 with {name}", spelled(es, claims, letters(signature))
    unsigned = f"{_json(es)}.{_json(claims)}"
    other = private_key("ES384")
    own = issuer.keys["two"][1]
    assert isinstance(other, ec.EllipticCurvePrivateKey)
    assert isinstance(own, ec.EllipticCurvePrivateKey)
    wrong = other.sign(unsigned.encode(), ec.ECDSA(hashes.SHA256()))
    yield "ES256 by another curve, in DER", f"{unsigned}.{letters(wrong)}"
    right = own.sign(unsigned.encode(), ec.ECDSA(hashes.SHA256()))
    yield "ES256 by the right key, in DER", f"{unsigned}.{letters(right)}"
    for name, signature in {
        "zeros": bytes(64),
        "R=1, S=0": b"\x01" + bytes(63),
        "1 byte": b"\x01",
        "65 bytes": b"\x01" * 65,
    }.items():
        yield f"EdDSA with {name}", spelled(ed, claims, letters(signature))
    yield "EdDSA with S+L", _malleated(_raw(issuer, json.dumps(ed).encode(), _bytes(claims)))


def _malleated(token: str) -> str:
    """Add the group's order to S: the same signature, were it not for RFC 8032, section 5.1.7."""
    unsigned, _, signature = token.rpartition(".")
    data = base64.urlsafe_b64decode(signature + "==")
    number = int.from_bytes(data[32:], "little") + _ED25519_ORDER
    return f"{unsigned}.{letters(data[:32] + number.to_bytes(32, 'little'))}"


def _bytes(claims: dict[str, Any]) -> bytes:
    return json.dumps(claims).encode()


def misspelled(issuer: Issuer) -> Iterator[Named]:
    """Good ones that were changed, and what is no signed token at all."""
    good, other = issuer.token(sub=CANARY), issuer.token(sub=f"{CANARY}-2")
    header, claims, signature = good.split(".")
    yield "signature of another token", f"{header}.{claims}.{other.split('.')[2]}"
    yield "claims of another token", f"{header}.{other.split('.')[1]}.{signature}"
    yield "cut by one", good[:-1]
    yield "cut by ten", good[:-10]
    yield "one bit more", f"{good[:-1]}{'A' if good[-1] != 'A' else 'Q'}"
    yield "the last bits, that nobody reads", good[:-1] + _next(good[-1])
    yield "padded", good + "=="
    yield "a dot at the end", good + "."
    yield "a dot at the start", "." + good
    yield "two parts", f"{header}.{claims}"
    yield "four parts", f"{good}.{signature}"
    encrypted = _json({"alg": "dir", "enc": "A256GCM"})
    yield "JWE of five parts", f"{encrypted}..{_JUNK}.{_JUNK}.{_JUNK}"
    yield "no header", f".{claims}.{signature}"
    yield "no claims", f"{header}..{signature}"
    yield "capitals", good.upper()
    yield "a space within", good.replace(".", ". ", 1)
    yield "standard base64", f"{header}.{claims}.{'+/' * 40}"
    yield "twice", f"{good}.{good}"
    yield "as JSON", json.dumps({"payload": claims, "protected": header, "signature": signature})
    yield "only dots", "." * 1_000
    yield "8 KiB and one", issuer.token(sub=CANARY, more="x" * 8_192)
    yield "27 KB", issuer.token(sub=CANARY, more="x" * 20_000)


def _next(letter: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # 256 bytes end in a letter of which two bits count.
    return alphabet[alphabet.index(letter) ^ 1]


def read_in_two_ways(issuer: Issuer) -> Iterator[Named]:
    """Signed rightly by the issuer, and still to be refused: extensions, and JSON that is none."""
    head: dict[str, Any] = {"alg": "EdDSA", "kid": "three"}
    claims = issuer.claims(sub=CANARY)
    extensions: dict[str, dict[str, Any]] = {
        "crit": {"crit": ["exp"], "exp": 1},
        "crit unknown": {"crit": [CANARY], CANARY: True},
        "crit empty": {"crit": []},
        "b64 false": {"b64": False},
        "b64 false and crit": {"b64": False, "crit": ["b64"]},
        "b64 true and crit": {"b64": True, "crit": ["b64"]},
        "zip": {"zip": "DEF"},
        "enc": {"enc": "A256GCM"},
        "typ a number": {"typ": 1},
    }
    for name, more in extensions.items():
        yield f"signed, {name}", _raw(issuer, _bytes(head | more), _bytes(claims))
    packed = zlib.compress(_bytes(claims))
    yield "signed, packed", _raw(issuer, _bytes(head | {"zip": "DEF"}), packed)
    text = json.dumps(claims)
    for name, body in {
        "sub twice": text[:-1] + ', "sub": "other"}',
        "iss twice": text[:-1] + f', "iss": "{issuer.url}"}}',
        "a list": f"[{text}]",
        "a text": json.dumps(text),
        "a number": "7",
        "null": "null",
        "nothing but a space": " ",
        "deep lists": text[:-1] + ', "deep": ' + "[" * 2_500 + "]" * 2_500 + "}",
        "cut off": text[:-1],
        "something after": text + "{}",
        "single quotes": text.replace('"', "'"),
    }.items():
        yield f"signed, claims are {name}", _raw(issuer, _bytes(head), body.encode())
    for name, data in {
        "invalid UTF-8": text.replace(CANARY, CANARY + "\xff").encode("latin-1"),
        "UTF-16": text.encode("utf-16"),
        "UTF-32": text.encode("utf-32-le"),
        "begun by a mark": text.encode("utf-8-sig"),
        "NUL bytes": b"\0" * 40,
    }.items():
        yield f"signed, claims are {name}", _raw(issuer, _bytes(head), data)
    twice = b'{"alg":"none","alg":"EdDSA","kid":"three"}'
    yield "signed, alg twice", _raw(issuer, twice, _bytes(claims))
    yield "signed, header is a list", _raw(issuer, b'["EdDSA"]', _bytes(claims))
    yield "signed, header is no JSON", _raw(issuer, b"alg=EdDSA", _bytes(claims))
