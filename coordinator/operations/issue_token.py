"""Make tokens by which a browser drives one upload without a key."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec

from coordinator.adapters import audit, uploads
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.errors import UploadExpiredError, WrongPhaseError
from coordinator.domain.upload_tokens import UploadToken, expiry, mint
from coordinator.domain.uploads import Owner, Upload


class Minting(msgspec.Struct, frozen=True, kw_only=True):
    """How tokens are made, and for whom: ``maker`` is the actor who asks."""

    secret: str
    lifetime_seconds: int
    maker: str

    # The secret must not get into a log by way of a traceback.
    __repr__ = object.__repr__


class Issued(msgspec.Struct, frozen=True):
    """A token and its end."""

    text: str
    expires_at: datetime

    __repr__ = object.__repr__


def token_for(upload: Upload, minting: Minting) -> Issued:
    """Make a token for ``upload`` as it was read; noting that in the audit is the caller's."""
    expires = expiry(
        now=upload.as_of, lifetime_seconds=minting.lifetime_seconds, deadline=upload.deadline
    )
    token = UploadToken(
        upload_id=upload.id,
        expires=expires,
        tenant=upload.tenant,
        user_id=upload.user_id,
        maker=minting.maker,
    )
    return Issued(mint(token, secret=minting.secret), datetime.fromtimestamp(expires, UTC))


async def issue_token(stores: Stores, upload_id: UUID, owner: Owner, *, minting: Minting) -> Issued:
    """Make a token for an open upload, and note it in the audit.

    Raises:
        UploadNotFoundError: there is no such upload, or it is somebody else's.
        WrongPhaseError: it is over.
        UploadExpiredError: its deadline has passed.

    """
    async with transaction(stores.pool) as tx:
        upload = await uploads.read(tx, upload_id, owner)
        if not upload.is_open:
            raise WrongPhaseError(phase=upload.phase, event="token", reason=upload.reason)
        if upload.ran_out:
            raise UploadExpiredError
        issued = token_for(upload, minting)
        await audit.of_upload(
            tx,
            "token.issued",
            upload,
            actor=minting.maker,
            expires=int(issued.expires_at.timestamp()),
        )
    return issued
