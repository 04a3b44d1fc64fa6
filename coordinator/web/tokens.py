"""``POST /api/uploads/{uploadId}/token``: a new token for an upload that is still open."""

from typing import Final

from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath

from coordinator.adapters.stores import Stores
from coordinator.domain.access import Action, Caller
from coordinator.domain.errors import UploadExpiredError, UploadNotFoundError, WrongPhaseError
from coordinator.domain.limits import RouteClass
from coordinator.domain.uploads import Owner, Upload
from coordinator.operations.issue_token import Issued, Minting, issue_token, token_for
from coordinator.settings import Settings
from coordinator.web.auth import guarded
from coordinator.web.documented import documented
from coordinator.web.shapes import Answer, Timestamp, known_upload, stamp


class TokenAnswer(Answer):
    """A bearer credential for this upload, and for nothing else."""

    upload_id: str
    upload_token: str
    upload_token_expires_at: Timestamp

    __repr__ = object.__repr__


@post(
    "/api/uploads/{upload_id:str}/token",
    status_code=200,
    **guarded(Action.RENEW, RouteClass.OPEN),
    operation_id="renewUploadToken",
    summary="Make an upload token",
    tags=["uploads"],
    responses=documented(UploadNotFoundError, WrongPhaseError, UploadExpiredError),
)
async def renew(
    upload_id: FromPath[str],
    caller: NamedDependency[Caller],
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
    settings: NamedDependency[Settings],
) -> TokenAnswer:
    """Make another token for an upload that is open; those made before are good until they expire.

    It signs, reports, completes, watches and aborts this upload, so that a page needs no key.
    """
    wanted = known_upload(upload_id, owner)
    issued = await issue_token(stores, wanted, owner, minting=minting_for(caller, settings))
    return TokenAnswer(
        upload_id=upload_id,
        upload_token=issued.text,
        upload_token_expires_at=stamp(issued.expires_at),
    )


def minting_for(caller: Caller, settings: Settings) -> Minting:
    """Say how tokens are made that ``caller`` asks for."""
    return Minting(
        secret=settings.secret,
        lifetime_seconds=settings.upload_token_seconds,
        maker=caller.actor,
    )


async def token_in_answer(
    stores: Stores, upload: Upload, minting: Minting, *, resumed: bool
) -> Issued | None:
    """Make the token that init was asked for; a resumed upload that is over gets none.

    That a new upload has one, the audit knows since it was opened.
    """
    if not resumed:
        return token_for(upload, minting)
    try:
        owner = Owner(upload.tenant, upload.user_id)
        return await issue_token(stores, upload.id, owner, minting=minting)
    except (WrongPhaseError, UploadExpiredError):
        return None


ROUTES: Final = (renew,)
