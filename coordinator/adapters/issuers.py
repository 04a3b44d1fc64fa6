"""The issuers that settings name, and the proof of their bearer tokens by PyJWT.

Rule: the token's own ``iss`` is looked up in our table and nowhere else; the algorithms and the
place of the keys are the table's.
"""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import jwt
from jwt.algorithms import get_default_algorithms
from jwt.exceptions import InvalidJTIError, InvalidSubjectError
from jwt.types import Options

from coordinator.adapters import clock
from coordinator.adapters.issuer_keys import IssuerKeys, open_http
from coordinator.adapters.jwks import VerifyingKey
from coordinator.adapters.setting_text import text_of
from coordinator.domain.bearer_tokens import Fault, TokenRefusedError, Unproven, read_unproven
from coordinator.domain.claims import REQUIRED
from coordinator.domain.issuers import Issuer, IssuerSettingError, parse_issuers
from coordinator.settings import SettingsError

SETTING: Final = "COORDINATOR_ISSUERS"

_FAULTS: Final[Mapping[type[jwt.PyJWTError], Fault]] = {
    jwt.InvalidSignatureError: Fault.SIGNATURE,
    jwt.InvalidAudienceError: Fault.AUDIENCE,
    jwt.MissingRequiredClaimError: Fault.CLAIM,
    InvalidSubjectError: Fault.CLAIM,
    InvalidJTIError: Fault.CLAIM,
    jwt.InvalidAlgorithmError: Fault.ALGORITHM,
}


class Issuers:
    """Proves tokens. One a process."""

    def __init__(self, known: Mapping[str, tuple[Issuer, IssuerKeys | None]]) -> None:
        self._known = known

    def __bool__(self) -> bool:
        return bool(self._known)

    async def prove(self, token: str) -> tuple[Issuer, dict[str, Any]]:
        """Return the issuer and its claims. Their times are for the database's clock to judge.

        Raises:
            TokenRefusedError: it is not by one of our issuers, or not for us.
            IssuerAwayError: the issuer's keys cannot be had now.

        """
        unproven = read_unproven(token)
        issuer, keys = self._known.get(unproven.issuer, (None, None))
        if issuer is None:
            raise TokenRefusedError(Fault.ISSUER)
        algorithm = next((each for each in issuer.algorithms if each == unproven.algorithm), None)
        if algorithm is None:
            raise TokenRefusedError(Fault.ALGORITHM)
        _check_type(unproven, issuer)
        key = issuer.secret if keys is None else await keys.find(unproven.kid, algorithm)
        return issuer, _claims(token, issuer, algorithm, key)


NO_ISSUERS: Final = Issuers({})


def _check_type(unproven: Unproven, issuer: Issuer) -> None:
    wanted = issuer.token_type.lower().removeprefix("application/")
    if wanted and unproven.token_type != wanted:
        raise TokenRefusedError(Fault.TOKEN_TYPE)


def _claims(token: str, issuer: Issuer, algorithm: str, key: VerifyingKey | str) -> dict[str, Any]:
    options: Options = {
        "require": [*REQUIRED, *issuer.required_claims],
        "enforce_minimum_key_length": True,
        # By the database's clock instead, like every other deadline: claims.seconds_left.
        "verify_exp": False,
        "verify_iat": False,
        "verify_nbf": False,
    }
    try:
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            options=options,
            audience=issuer.audiences,
            issuer=issuer.issuer,
        )
    except jwt.PyJWTError as exc:
        # Not chained: what PyJWT says may repeat what the token says.
        raise TokenRefusedError(_FAULTS.get(type(exc), Fault.MALFORMED)) from None


@asynccontextmanager
async def open_issuers(
    issuers: Iterable[Issuer], *, elapsed: Callable[[], float] = clock.elapsed
) -> AsyncGenerator[Issuers]:
    """Open the issuers. None is asked before somebody brings a token of it."""
    known: dict[str, tuple[Issuer, IssuerKeys | None]] = {}
    async with AsyncExitStack() as stack:
        for issuer in issuers:
            keys = None
            if not issuer.is_symmetric:
                http = open_http()
                stack.push_async_callback(http.aclose)
                keys = IssuerKeys(issuer, http, elapsed=elapsed)
                stack.push_async_callback(keys.aclose)
            known[issuer.issuer] = (issuer, keys)
        yield Issuers(known)


def read_issuers(setting: str) -> tuple[Issuer, ...]:
    """Read ``COORDINATOR_ISSUERS``: a JSON list, the path of a file with one, or nothing.

    Raises:
        SettingsError: it cannot be used; the message names the member and says what to do.

    """
    text = text_of("issuers", setting)
    if not text:
        return ()
    try:
        issuers = parse_issuers(text)
        for number, issuer in enumerate(issuers):
            _check_secret(number, issuer)
    except IssuerSettingError as exc:
        raise SettingsError(f"{SETTING}: {exc}") from None
    return issuers


def _check_secret(number: int, issuer: Issuer) -> None:
    """Refuse what PyJWT would refuse with every token: a public key taken for a secret, say."""
    try:
        if issuer.is_symmetric:
            get_default_algorithms()[issuer.algorithms[0]].prepare_key(issuer.secret)
    except jwt.InvalidKeyError:
        raise IssuerSettingError(
            f"[{number}].secret: it is a key or a certificate; HS needs a random secret."
        ) from None
