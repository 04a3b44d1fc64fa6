"""Nothing but a good credential opens anything, and no refusal or log repeats what was sent."""

import asyncio
import json
import re
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

import httpx
import msgspec
import psycopg
import pytest

from coordinator import settings as settings_module
from coordinator.adapters import keys
from coordinator.adapters.postgres import new_pool
from coordinator.cli.keys import create_key
from coordinator.domain import upload_tokens
from coordinator.domain.bearer_tokens import Fault
from coordinator.domain.keys import id_of
from coordinator.domain.upload_tokens import UploadToken
from coordinator.embedded import Addresses
from tests.builders import uuid_of
from tests.issuer import Issuer, an_issuer, settings_of
from tests.sdk.installation import prepared, serving
from tests.web.driving import a_file
from tests.web.hostile_credentials import api_keys, headers, of_uploads, tokens, without_rights
from tests.web.hostile_tokens import CANARY, Named

_SECRET: Final = "the secret of the hostile corpus"
# What of a credential is long enough to stand nowhere by chance.
_PIECE: Final = re.compile(r"[A-Za-z0-9_+-]{12,}")
_TOO_LONG: Final = 8_192  # more than that a server may refuse for its length alone

Header = tuple[str, str]


class Sent(msgspec.Struct, frozen=True):
    """What came of one credential, at a route that reads and at one that writes."""

    name: str
    value: str
    statuses: list[int]
    bodies: list[str]


class Trial(msgspec.Struct, frozen=True):
    """All that was sent, and what it left behind."""

    refused: list[Sent]
    without_rights: list[Sent]
    good: list[Sent]
    attacked: list[str]  # what the attacker's server was asked for
    fetches: int  # what ours was
    log: str
    audit: str


@pytest.fixture(scope="module")
async def trial(servers: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """Send the whole corpus to a service that is a process of its own, at log level debug."""
    folder = tmp_path_factory.mktemp("hostile")
    async with (
        an_issuer("RS256", "ES256", "EdDSA") as issuer,
        an_issuer(number=10) as second,
        an_issuer(number=20) as attacker,
    ):
        for each in (issuer, second, attacker):
            each.usual_claims = {"org": "acme"}
        environ, key = prepared(
            servers,
            database=f"hostile_{uuid4().hex}",
            COORDINATOR_SECRET=_SECRET,
            COORDINATOR_LOG_LEVEL="debug",
            COORDINATOR_ISSUERS=_issuers(issuer, second),
            COORDINATOR_RATE_LIMITS_ADDRESS="off",
            COORDINATOR_RATE_LIMITS_USER="off",
        )
        others = await _more_keys(environ)
        with serving(environ, folder) as url:
            async with httpx.AsyncClient(base_url=url, timeout=30.0) as http:
                token, other = await _token_of(http, key), await _token_of(http, others["other"])
                revoked = str(id_of(others["revoked"]))
                refused = [
                    *tokens(issuer, attacker, second),
                    *api_keys(key, **others),
                    *of_uploads(token, other.upload_id, secret=_SECRET, revoked=revoked),
                ]
                text = upload_tokens.mint(token, secret=_SECRET)
                good = [("key", key), ("token", issuer.token(sub="dora"))]
                return Trial(
                    refused=[
                        *await _send_all(http, refused),
                        *[await _send(http, name, key, each) for name, each in headers(key)],
                    ],
                    without_rights=await _send_all(
                        http, [*without_rights(issuer), ("upload token", text)]
                    ),
                    good=await _send_all(http, good),
                    attacked=attacker.fetches,
                    fetches=len(issuer.fetches),
                    log="".join(path.read_text() for path in folder.glob("*.log")),
                    audit=_audit(environ["COORDINATOR_DATABASE_URL"]),
                )


def _issuers(issuer: Issuer, second: Issuer) -> str:
    mapped = settings_of(issuer, tenant=..., tenant_claim="org")
    return json.dumps([mapped, settings_of(second, token_type="at+jwt")])


async def _more_keys(environ: dict[str, str]) -> dict[str, str]:
    """Make a key of another user, one that is revoked and one that has expired."""
    settings = settings_module.read(environ)
    lifetimes = {"other": None, "revoked": None, "expired": timedelta(seconds=-1)}
    made = {
        name: await create_key(
            settings, name=name, tenant="default", user=name, scopes=(), lifetime=lifetime
        )
        for name, lifetime in lifetimes.items()
    }
    async with new_pool(settings.database_url, max_size=1) as pool, pool.connection() as conn:
        assert await keys.revoke(conn, made["revoked"].key_id)
    return {name: key.text for name, key in made.items()}


async def _token_of(http: httpx.AsyncClient, key: str) -> UploadToken:
    """Open an upload, and say what a good token for it says."""
    bearer = {"Authorization": f"Bearer {key}"}
    answer = await http.post("/api/upload/init", json=a_file(1), headers=bearer)
    listed = (await http.get("/api/uploads", headers=bearer)).json()["uploads"]
    return UploadToken(
        upload_id=UUID(str(uuid_of(answer.json()["uploadId"]))),
        expires=int(time.time()) + 600,
        tenant="default",
        user_id=listed[0]["userId"],
        maker=str(id_of(key)),
    )


async def _send_all(http: httpx.AsyncClient, credentials: Iterable[Named]) -> list[Sent]:
    turns = asyncio.Semaphore(8)

    async def send(name: str, value: str) -> Sent:
        async with turns:
            return await _send(http, name, value, [("Authorization", f"Bearer {value}")])

    return await asyncio.gather(*(send(name, value) for name, value in credentials))


async def _send(http: httpx.AsyncClient, name: str, value: str, sent_headers: list[Header]) -> Sent:
    spelled = [(key.encode(), value.encode()) for key, value in sent_headers]
    answers = [
        await http.get("/api/uploads", headers=spelled),
        await http.post("/api/upload/init", json=a_file(1), headers=spelled),
    ]
    return Sent(
        name, value, [each.status_code for each in answers], [each.text for each in answers]
    )


def _audit(database_url: str) -> str:
    with psycopg.connect(database_url) as conn:
        found = conn.execute("SELECT * FROM audit").fetchall()
    assert found, "the good ones stand there"
    return str(found)


def _is_refused(sent: Sent) -> bool:
    if len(sent.value) > _TOO_LONG or "100 KB" in sent.name:
        return set(sent.statuses) <= {400, 401, 413, 431}
    return sent.statuses == [401, 401]


async def test_no_hostile_credential_opens_anything(trial: Trial) -> None:
    """401 at every one, however it is made; 5xx at none."""
    names = [sent.name for sent in trial.refused]

    assert {sent.name: sent.statuses for sent in trial.refused if not _is_refused(sent)} == {}
    assert len(set(names)) == len(names) >= 200
    print(f"{len(names)} hostile credentials, all refused")  # noqa: T201 - shown by pytest -s


async def test_whoever_is_proven_without_a_role_is_forbidden(trial: Trial) -> None:
    """403: the credential is good, what it asks for is not its to ask."""
    wrong = {
        sent.name: sent.statuses for sent in trial.without_rights if sent.statuses != [403] * 2
    }

    assert wrong == {}
    assert len(trial.without_rights) >= 10


async def test_the_good_ones_of_the_same_make_are_accepted(trial: Trial) -> None:
    """Else the corpus would prove nothing."""
    assert {sent.name: sent.statuses for sent in trial.good} == {
        "key": [200, 201],
        "token": [200, 201],
    }


async def test_every_reason_to_refuse_a_token_was_met(trial: Trial) -> None:
    """The log says why, in a fixed word; a check that nothing reached would be none."""
    lines = [json.loads(line) for line in trial.log.splitlines()]
    reasons = {line["reason"] for line in lines if line["event"] == "token refused"}

    assert reasons == set(Fault)


async def test_nobody_is_asked_that_a_token_names(trial: Trial) -> None:
    """No address in a token is ever followed, and made-up keys cost one look a minute."""
    assert trial.attacked == []
    assert trial.fetches == 4


async def test_no_answer_log_or_audit_repeats_what_was_sent(trial: Trial) -> None:
    """Neither whole nor in parts, neither as it was sent nor decoded."""
    sent = [*trial.refused, *trial.without_rights]
    answered = "\n".join(body for each in sent for body in each.bodies)
    known = {"coordinator"}
    pieces = {piece for each in sent for piece in _PIECE.findall(each.value)} - known

    assert len(pieces) > 300
    assert [piece for piece in pieces if piece in answered or piece in trial.log] == []
    assert [CANARY in text for text in (answered, trial.log, trial.audit)] == [False] * 3
