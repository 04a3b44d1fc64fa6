"""Create, rotate and revoke API keys, each with its row in the audit.

Rule: a key's text is returned once and stands nowhere else.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from coordinator.adapters import audit, keys
from coordinator.adapters.entropy import random_bytes
from coordinator.adapters.keys import KeyRow
from coordinator.adapters.postgres import Pool, Tx, transaction
from coordinator.domain.access import Role, Scope
from coordinator.domain.errors import ForbiddenError, KeyNotFoundError, KeyRotatedError
from coordinator.domain.keys import ENTROPY_BYTES, hash_of, is_key_id, mint

GRACE: Final = timedelta(hours=24)


class KeyWish(msgspec.Struct, frozen=True, kw_only=True):
    """A key to make; without ``lifetime`` it ends by revocation only."""

    name: str
    tenant: str
    user_id: str
    roles: Sequence[Role]
    scopes: Sequence[Scope]
    lifetime: timedelta | None


class Made(msgspec.Struct, frozen=True):
    """A key on the one occasion that its text is shown."""

    row: KeyRow
    text: str

    # The text must not get into a log by way of a traceback.
    __repr__ = object.__repr__


async def create_key(
    pool: Pool, wish: KeyWish, *, secret: str, actor: str, grantable: frozenset[Scope]
) -> Made:
    """Make a key. ``grantable``: the scopes that whoever asks may give.

    Raises:
        ForbiddenError: it would have a scope that is not theirs to give.

    """
    _check_grant(wish.scopes, grantable)
    key = mint(random_bytes(ENTROPY_BYTES))
    async with transaction(pool) as tx:
        row = await keys.add(
            tx,
            key.key_id,
            key_hash=hash_of(key.text, secret=secret),
            name=wish.name,
            tenant=wish.tenant,
            user_id=wish.user_id,
            roles=wish.roles,
            scopes=wish.scopes,
            lifetime=wish.lifetime,
            created_by=actor,
        )
        await _note(tx, "key.created", row, actor=actor)
    return Made(row, key.text)


async def rotate_key(
    pool: Pool,
    key_id: str,
    *,
    tenant: str | None,
    grace: timedelta,
    secret: str,
    actor: str,
    grantable: frozenset[Scope],
) -> Made:
    """Make a key that is good for the same; the old one goes on for ``grace``, then it expires.

    ``tenant``: ``None`` for the command line, which knows all.

    Raises:
        KeyNotFoundError: there is no live key with this id.
        KeyRotatedError: it was rotated before.
        ForbiddenError: it has a scope that is not the asker's to give.

    """
    key = mint(random_bytes(ENTROPY_BYTES))
    async with transaction(pool) as tx:
        old = await keys.lock(tx, key_id, tenant=tenant) if is_key_id(key_id) else None
        if old is None or old.revoked_at is not None:
            raise KeyNotFoundError
        if old.replaced_by is not None:
            raise KeyRotatedError(old.replaced_by)
        if not old.is_live:
            raise KeyNotFoundError
        _check_grant(old.scopes, grantable)
        row = await keys.succeed(
            tx,
            old.id,
            key.key_id,
            key_hash=hash_of(key.text, secret=secret),
            grace=grace,
            created_by=actor,
        )
        await _note(
            tx,
            "key.rotated",
            old,
            actor=actor,
            replaced_by=row.id,
            grace_seconds=int(grace.total_seconds()),
        )
    return Made(row, key.text)


async def revoke_key(pool: Pool, key_id: str, *, tenant: str | None, actor: str) -> None:
    """End a key, and with it the upload tokens that it made, within 5 s in every process.

    ``tenant``: as for :func:`rotate_key`.

    Raises:
        KeyNotFoundError: there is none with this id, or it is revoked.

    """
    if not is_key_id(key_id):
        raise KeyNotFoundError
    async with transaction(pool) as tx:
        row = await keys.revoke(tx, key_id, tenant=tenant)
        if row is None:
            raise KeyNotFoundError
        await _note(tx, "key.revoked", row, actor=actor)


def _check_grant(scopes: Sequence[Scope], grantable: frozenset[Scope]) -> None:
    """A rotation gives, too: who rotates learns the new key."""
    for scope in scopes:
        if scope not in grantable:
            raise ForbiddenError(
                f"Giving the scope {scope} needs it.", field="scopes", scope=scope.value
            )


async def _note(tx: Tx, action: str, row: KeyRow, *, actor: str, **facts: Any) -> None:
    await audit.append(
        tx,
        action,
        tenant=row.tenant,
        actor=actor,
        user=row.user_id,
        key_id=row.id,
        roles=[role.value for role in row.roles],
        scopes=[scope.value for scope in row.scopes],
        **facts,
    )
