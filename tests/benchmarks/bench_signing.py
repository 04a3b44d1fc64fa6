"""How fast part URLs are signed, beside botocore and beside bare hashing.

Rule: pure functions only, no server, no network; what the service makes of it is bench_urls.
"""

import hmac
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.session import Session

from coordinator.domain.sigv4 import Credentials, Part, SignedPart, Target, sign_parts
from tests.benchmarks.measuring import Row, ratio

AT: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
LIFETIME: Final = timedelta(hours=1)
TARGET: Final = Target("http://127.0.0.1:8333", "uploads", "us-east-1", path_addressing=True)
KEY: Final = "datasets/default/upl_01K8ZQ4Y7R9T3V5X1B2C4D6F8G/train.jsonl"
MULTIPART_ID: Final = "2~" + "m" * 62
PARTS: Final = [Part(n, 8 * 2**20, sha256(b"%d" % n).digest()) for n in range(1, 1001)]

# Long-lived keys, and a role's: its token makes every URL about four times as long.
CREDENTIALS: Final = {
    "plain key": Credentials("AKIAIOSFODNN7EXAMPLE", "s" * 40),
    "with token": Credentials("ASIAIOSFODNN7EXAMPLE", "s" * 40, "t" * 900),
}


def measure() -> list[Row]:
    """Return the rows for both kinds of credentials."""
    return [row for name in CREDENTIALS for row in _rows(name, CREDENTIALS[name])]


def _rows(name: str, credentials: Credentials) -> list[Row]:
    def ours() -> list[SignedPart]:
        return sign_parts(
            credentials,
            TARGET,
            key=KEY,
            multipart_id=MULTIPART_ID,
            parts=PARTS,
            at=AT,
            lifetime=LIFETIME,
        )

    botocore, hashing = _botocore(credentials), _hashing(credentials, ours())
    return [
        Row(
            f"sign 1,000: time of botocore / ours, {name}",
            ratio(botocore, ours, rounds=7),
            at_least=40,
        ),
        Row(
            f"sign 1,000: time of ours / bare hashing, {name}",
            ratio(ours, hashing, rounds=101),
            at_most=2.2,
        ),
    ]


def _botocore(credentials: Credentials) -> Callable[[], object]:
    """Presign the same parts by botocore's client, which is made once."""
    client: Any = Session().create_client(
        "s3",
        region_name=TARGET.region,
        endpoint_url=TARGET.endpoint,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.session_token,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )

    def presign(part: Part) -> str:
        parameters = {
            "Bucket": TARGET.bucket,
            "Key": KEY,
            "UploadId": MULTIPART_ID,
            "PartNumber": part.number,
            "ContentLength": part.size,
            "ChecksumSHA256": b64encode(part.sha256).decode(),
            "ChecksumAlgorithm": "SHA256",
        }
        expires_in = int(LIFETIME.total_seconds())
        return str(client.generate_presigned_url("upload_part", parameters, expires_in))

    return lambda: [presign(part) for part in PARTS]


def _hashing(credentials: Credentials, signed: list[SignedPart]) -> Callable[[], list[str]]:
    """Do for each URL the one sha256 and the one HMAC that no signer can leave out.

    The inputs are the real ones, taken from botocore and ready-made, so that the results must be
    the signatures: the floor can be neither lowered nor raised by mistake.
    """
    signer = S3SigV4QueryAuth(
        ReadOnlyCredentials(
            credentials.access_key, credentials.secret_key, credentials.session_token
        ),
        "s3",
        TARGET.region,
    )
    key = f"AWS4{credentials.secret_key}".encode()
    for step in (f"{AT:%Y%m%d}", TARGET.region, "s3", "aws4_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    inputs = [_to_hash(signer, url, size) for url, size in zip(signed, PARTS, strict=True)]

    def hashing() -> list[str]:
        results = []
        for canonical_request, string_to_sign in inputs:
            sha256(canonical_request).hexdigest()
            results.append(hmac.digest(key, string_to_sign, "sha256").hex())
        return results

    assert hashing() == [
        parse_qs(urlsplit(part.url).query)["X-Amz-Signature"][0] for part in signed
    ]
    return hashing


def _to_hash(signer: Any, signed: SignedPart, part: Part) -> tuple[bytes, bytes]:
    """Return the canonical request and the string to sign of a URL, as botocore sees them."""
    url, _, _ = signed.url.partition("&X-Amz-Signature=")
    headers = {**signed.headers, "Content-Length": str(part.size)}
    request = AWSRequest("PUT", url, headers)
    request.context["timestamp"] = f"{AT:%Y%m%dT%H%M%SZ}"
    canonical_request = signer.canonical_request(request)
    return canonical_request.encode(), signer.string_to_sign(request, canonical_request).encode()
