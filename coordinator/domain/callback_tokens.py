"""Tokens by which a trainer proves that it was handed a job: ``cb_<job>_<tag>``.

The tag is an HMAC of the job's id by a key of their own, the same for every attempt. It lets nobody
do anything but say where this job's training stands.
"""

import hashlib
import hmac
import re
from typing import Final
from uuid import UUID

from coordinator.domain import ids

PREFIX: Final = "cb_"

_FORM: Final = re.compile(r"cb_([0-9a-z]{26})_([0-9a-f]{64})")


def mint(job_id: str, *, secret: str) -> str:
    """Spell the token of a job, which is given by its public id.

    >>> token = mint("job_00000000000000000000000007", secret="ours")
    >>> read(token, secret="ours"), read(token, secret="theirs")
    (UUID('00000000-0000-0000-0000-000000000007'), None)
    """
    return f"{PREFIX}{job_id.removeprefix(ids.JOB)}_{_tag(job_id, secret).hex()}"


def read(text: str, *, secret: str) -> UUID | None:
    """Return whose token it is; ``None`` when it is none of ours."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    job_id = ids.JOB + found[1]
    is_ours = hmac.compare_digest(_tag(job_id, secret), bytes.fromhex(found[2]))
    return ids.decode(ids.JOB, job_id) if is_ours else None


def _tag(job_id: str, secret: str) -> bytes:
    """Sign by a key of these tokens' own: no other tag of ours can be taken for one."""
    own = hmac.digest(secret.encode(), b"training-callback", hashlib.sha256)
    return hmac.digest(own, job_id.encode(), hashlib.sha256)
