"""Which actions the credentials may do, found out by doing them."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final

from botocore.exceptions import ClientError

from coordinator.adapters.probing import (
    NO_ANSWER,
    SECONDS,
    Probe,
    ProbeRefusedError,
    Tiny,
    is_denied,
    outcome,
)
from coordinator.domain.examination import LACKING, OK, Result, Seen
from coordinator.domain.permissions import CREDENTIALS, Action, action_in

Tried = dict[Action, Seen]

_DENIED: Final = frozenset({"AccessDenied", "403", "AllAccessDisabled"})
_KMS: Final = "aws:kms"


async def try_actions(probe: Probe) -> Tried:
    """Try each action once; those that need an object, only where one can be made."""
    tried: Tried = {}
    try:
        async with asyncio.timeout(SECONDS), probe.tiny() as tiny:
            etag = await probe.fill(tiny)
            tried[Action.PUT_OBJECT] = OK
            if tiny.encryption.startswith(_KMS):
                tried[Action.GENERATE_DATA_KEY] = tried[Action.DECRYPT] = OK
            await _try_on_parts(probe, tiny, tried)
            await _try_on_object(probe, tiny, etag, tried)
    except ProbeRefusedError as exc:
        _note_refusal(exc.code, exc.detail, Action.PUT_OBJECT, tried)
    except (ClientError, *NO_ANSWER) as exc:
        tried[Action.PUT_OBJECT] = Seen(Result.UNKNOWN, outcome(exc))
    await _try_on_bucket(probe, tried)
    untried = Seen(Result.UNKNOWN, "Not tried: nothing could be written.")
    wanted = [action for action in Action if action in tried or not action.startswith("kms:")]
    return {action: tried.get(action, untried) for action in wanted}


async def _try_on_parts(probe: Probe, tiny: Tiny, tried: Tried) -> None:
    listing = probe.s3.list_parts(Bucket=probe.bucket, Key=tiny.key, UploadId=tiny.multipart_id)
    await _try(Action.LIST_PARTS, listing, tried)
    async with probe.tiny() as other:
        abort = probe.s3.abort_multipart_upload(
            Bucket=probe.bucket, Key=other.key, UploadId=other.multipart_id
        )
        await _try(Action.ABORT_MULTIPART, abort, tried)


async def _try_on_object(probe: Probe, tiny: Tiny, etag: str, tried: Tried) -> None:
    await _try(Action.PUT_OBJECT, probe.complete(tiny, etag), tried)
    bucket, key = probe.bucket, tiny.key
    await _try(Action.GET_OBJECT, probe.s3.head_object(Bucket=bucket, Key=key), tried)
    attributes = probe.s3.get_object_attributes(
        Bucket=bucket, Key=key, ObjectAttributes=["Checksum"]
    )
    await _try(Action.GET_ATTRIBUTES, attributes, tried)
    tagging = probe.s3.put_object_tagging(
        Bucket=bucket, Key=key, Tagging={"TagSet": [{"Key": "coordinator-probe", "Value": "true"}]}
    )
    await _try(Action.PUT_TAGGING, tagging, tried)
    await _try(Action.DELETE_OBJECT, probe.s3.delete_object(Bucket=bucket, Key=key), tried)
    version = probe.s3.delete_object(Bucket=bucket, Key=key, VersionId="null")
    await _try(Action.DELETE_VERSION, version, tried)


async def _try_on_bucket(probe: Probe, tried: Tried) -> None:
    bucket = probe.bucket
    calls = {
        Action.LIST_MULTIPARTS: probe.s3.list_multipart_uploads(
            Bucket=bucket, Prefix=probe.folder, MaxUploads=1
        ),
        Action.LIST_VERSIONS: probe.s3.list_object_versions(
            Bucket=bucket, Prefix=probe.folder, MaxKeys=1
        ),
        Action.LIST_BUCKET: probe.s3.list_objects_v2(Bucket=bucket, Prefix=probe.folder, MaxKeys=1),
        Action.GET_CORS: probe.s3.get_bucket_cors(Bucket=bucket),
        Action.GET_LIFECYCLE: probe.s3.get_bucket_lifecycle_configuration(Bucket=bucket),
    }
    await asyncio.gather(*(_try(action, call, tried) for action, call in calls.items()))


async def _try(action: Action, call: Awaitable[Any], tried: Tried) -> None:
    """Note whether the call was allowed; that it is refused for another reason shows it was."""
    try:
        async with asyncio.timeout(SECONDS):
            await call
    except ClientError as exc:
        error = exc.response["Error"]
        if is_denied(exc):
            _note_refusal(error["Code"], error.get("Message", ""), action, tried)
            return
    except NO_ANSWER as exc:
        tried[action] = Seen(Result.UNKNOWN, outcome(exc))
        return
    tried.setdefault(action, OK)


def _note_refusal(code: str, message: str, action: Action, tried: Tried) -> None:
    if code in _DENIED and code not in CREDENTIALS:
        tried[action_in(message, otherwise=action)] = LACKING
    else:
        tried[action] = Seen(Result.UNKNOWN, f"S3 answered {code}.")
