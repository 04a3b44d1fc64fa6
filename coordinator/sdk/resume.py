"""How an upload is found again after a crash, and what is done with what is found. Pure.

There is no state file. The Idempotency-Key is made of what makes the file the same file: the
service's address, the absolute path, size and time of the file, and all that is asked of the
upload. A process that starts again makes the same key and is given the same upload, for 24 hours;
later the upload's id finds it (``resume``). Whether the bytes are the same is not believed but
compared, digest by digest.

Of what is found, open uploads are continued. One that has failed is left alone: the key gets a
counter, 1, 2, …, and so the next start finds the newest again. One that is completed is compared
with the file, and if they are equal nothing is sent; if not, or if a second copy is wished, it
is passed over like a failed one.
"""

import hashlib
from collections.abc import Sequence
from enum import Enum, auto
from typing import Any, Final

import msgspec

from coordinator.sdk.answers import OpenManifest
from coordinator.sdk.errors import UnexpectedAnswerError
from manifests import ManifestError, parse

# So many dead or finished uploads of the same file in 24 hours are passed over.
MAX_ATTEMPTS: Final = 100
_DIGEST_BYTES: Final = 32


class Action(Enum):
    """What to do with the upload that the service gave us."""

    SEND = auto()  # it is new: everything has to be sent
    CONTINUE = auto()  # it is open: compare, and send what is missing
    SETTLE = auto()  # all chunks are there: compare, and see it through
    PASS_OVER = auto()  # it is over and of no use: open another one


def decide(status: str, *, resumed: bool, again: bool) -> Action:
    """Decide by the upload's phase.

    >>> decide("UPLOADING", resumed=True, again=False)
    <Action.CONTINUE: 2>
    >>> decide("COMPLETED", resumed=True, again=True)
    <Action.PASS_OVER: 4>
    """
    if not resumed:
        return Action.SEND
    match status.upper():
        case "INIT" | "UPLOADING":
            return Action.CONTINUE
        case "ASSEMBLING":
            return Action.SETTLE
        case "COMPLETED":
            return Action.PASS_OVER if again else Action.SETTLE
        case "FAILED":
            return Action.PASS_OVER
        case _:
            raise UnexpectedAnswerError("The upload is in a phase that this client does not know.")


def wish(
    *,
    file_name: str,
    file_size: int,
    file_type: str,
    metadata: dict[str, Any],
    chunk_size: int | None,
    checksum: str | None,
    upload_token: bool = False,
    user_id: str | None = None,
) -> bytes:
    """Return the body that opens the upload, the same bytes each time."""
    body: dict[str, Any] = {
        "fileName": file_name,
        "fileSize": file_size,
        "fileType": file_type,
        "metadata": metadata,
    }
    if chunk_size is not None:
        body["chunkSize"] = chunk_size
    if checksum is not None:
        body["checksum"] = checksum
    if upload_token:
        body["uploadToken"] = True
    if user_id is not None:
        body["userId"] = user_id
    return msgspec.json.encode(body, order="sorted")


def idempotency_key(
    *, service_url: str, path: str, mtime_ns: int, wish: bytes, attempt: int
) -> str:
    """Return the key of one attempt to upload this very file in this very way."""
    facts = [1, service_url, path, mtime_ns, wish.hex(), attempt]
    return f"sdk-{hashlib.sha256(msgspec.json.encode(facts)).hexdigest()}"


def fixed_digests(manifest: bytes, *, file_size: int, chunk_size: int) -> dict[int, bytes]:
    """Read the digests that the service holds, of an open upload or of a completed one.

    Raises:
        UnexpectedAnswerError: this is neither, or it is of another plan.

    """
    try:
        kind = msgspec.json.decode(manifest, type=dict[str, Any])
        if "format" in kind:
            whole = parse(manifest)
            sizes = (whole.file_size, whole.chunk_size)
            found = {index: whole.digest_of(index) for index in range(whole.chunk_count)}
        else:
            partial = msgspec.convert(kind, OpenManifest)
            sizes = (partial.file_size, partial.chunk_size)
            found = {each.chunk_index: bytes.fromhex(each.sha256) for each in partial.chunks}
    except (msgspec.DecodeError, ManifestError, ValueError) as exc:
        raise UnexpectedAnswerError("The service answered no manifest.") from exc
    if sizes != (file_size, chunk_size):
        raise UnexpectedAnswerError("The manifest is of another file or of another chunk size.")
    return found


def pack(digests: Sequence[bytes | None]) -> bytes:
    """Concatenate digests, all of which must be known."""
    known = [digest for digest in digests if digest is not None]
    assert len(known) == len(digests), "every chunk was hashed"
    return b"".join(known)
