"""The bucket on an S3 server of our own, with CORS and the rule for abandoned multiparts."""

import os
from collections.abc import Sequence
from typing import Any, Final

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from coordinator.domain import bucket_policy
from coordinator.embedded.server import NotReadyError

REGION: Final = "us-east-1"
_ABANDONED_DAYS: Final = 9
_CHECK_KEY: Final = "embedded-check"


def client(endpoint: str, *, access_key: str, secret_key: str, deadline_s: float = 10) -> Any:
    """Return a botocore client that looks at nothing of its surroundings: no profile, no proxy."""
    surroundings = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    return botocore.session.Session(session_vars=surroundings).create_client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            proxies={},
            connect_timeout=2,
            read_timeout=deadline_s,
            retries={"total_max_attempts": 1},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def check(s3: Any, bucket: str) -> None:
    """List the buckets, signed, and write into ours if it is there already.

    The list alone is not enough: SeaweedFS, restarted after a kill -9, may answer it and then let
    the first writes hang for ten seconds and more. An empty object would not show that.

    Raises:
        NotReadyError: The server does not answer, or refuses.
    """
    try:
        if bucket in _names(s3):
            s3.put_object(Bucket=bucket, Key=_CHECK_KEY, Body=b"check")
            s3.delete_object(Bucket=bucket, Key=_CHECK_KEY)
    except (BotoCoreError, ClientError) as exc:
        raise NotReadyError(str(exc)) from exc


def prepare(s3: Any, bucket: str, *, cors_origins: Sequence[str]) -> None:
    """Make the bucket what the coordinator needs; doing it again changes nothing."""
    if bucket not in _names(s3):
        s3.create_bucket(Bucket=bucket)
    if cors_origins:
        allow_pages(s3, bucket, cors_origins)
    s3.put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "abandoned-multiparts",
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _ABANDONED_DAYS},
                }
            ]
        },
    )


def allow_pages(s3: Any, bucket: str, origins: Sequence[str], *, prefix: str = "datasets") -> None:
    """Let pages of these origins in, and no others: what `coordinator bucket cors` writes."""
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration=bucket_policy.cors(prefix, origins))


def _names(s3: Any) -> list[str]:
    return [known["Name"] for known in s3.list_buckets()["Buckets"]]
