"""Our part URLs are botocore's part URLs, made faster. Botocore is the oracle throughout."""

from base64 import b64encode
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from hashlib import sha256
from itertools import chain
from string import ascii_lowercase, digits
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.session import Session
from botocore.utils import percent_encode
from hypothesis import event, given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from coordinator.domain import sigv4


@dataclass(frozen=True, kw_only=True)
class Call:
    """All that one part URL is made of, flat, so that a test can change any of it."""

    access_key: str = "AKIDEXAMPLE0"
    secret_key: str = "secret0/key1+"
    token: str | None = "token0/1+2="
    endpoint: str = "https://s3-10.example:8443"
    bucket: str = "bucket-100"
    region: str = "eu-central-1"
    path_addressing: bool = True
    key: str = "datasets/10/upl_0/data set.jsonl"
    multipart_id: str = "multipart.0_1"
    number: int = 7
    size: int = 8 * 2**20
    sha256: bytes = sha256(b"chunk").digest()
    at: datetime = datetime(2026, 3, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    seconds: int = 3600

    @property
    def headers(self) -> dict[str, str]:
        """What the client has to set."""
        checksum = b64encode(self.sha256).decode()
        return {"x-amz-checksum-sha256": checksum, "x-amz-sdk-checksum-algorithm": "SHA256"}


def signed(call: Call, *parts: sigv4.Part) -> list[sigv4.SignedPart]:
    """Sign by our own code: the part of the call, or others."""
    return sigv4.sign_parts(
        sigv4.Credentials(call.access_key, call.secret_key, call.token),
        sigv4.Target(call.endpoint, call.bucket, call.region, call.path_addressing),
        key=call.key,
        multipart_id=call.multipart_id,
        parts=parts or [sigv4.Part(call.number, call.size, call.sha256)],
        at=call.at,
        lifetime=timedelta(seconds=call.seconds),
    )


def signed_by_botocore(call: Call) -> str:
    """Sign by botocore's signer, which takes any region and host."""
    scheme, _, netloc = call.endpoint.partition("://")
    path = f"/{call.bucket}/{call.key}" if call.path_addressing else f"/{call.key}"
    host = netloc if call.path_addressing else f"{call.bucket}.{netloc}"
    request = AWSRequest(
        method="PUT",
        url=f"{scheme}://{host}{percent_encode(path, safe='/~')}",
        headers={**call.headers, "Content-Length": str(call.size)},
        params={"partNumber": call.number, "uploadId": call.multipart_id},
    )
    credentials = ReadOnlyCredentials(call.access_key, call.secret_key, call.token)
    with frozen(call.at):
        S3SigV4QueryAuth(credentials, "s3", call.region, expires=call.seconds).add_auth(request)
    return str(request.url)


def presigned_by_botocore(call: Call) -> str:
    """Sign by the whole client, as one would without a signer of one's own."""
    client: Any = session().create_client(
        "s3",
        region_name=call.region,
        endpoint_url=call.endpoint,
        aws_access_key_id=call.access_key,
        aws_secret_access_key=call.secret_key,
        aws_session_token=call.token,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if call.path_addressing else "virtual"},
        ),
    )
    parameters = {
        "Bucket": call.bucket,
        "Key": call.key,
        "UploadId": call.multipart_id,
        "PartNumber": call.number,
        "ContentLength": call.size,
        "ChecksumSHA256": call.headers["x-amz-checksum-sha256"],
        "ChecksumAlgorithm": "SHA256",
    }
    with frozen(call.at):
        url = client.generate_presigned_url("upload_part", parameters, ExpiresIn=call.seconds)
    return str(url)


@cache
def session() -> Session:
    """Read botocore's model of S3 once."""
    return Session()


def frozen(at: datetime) -> Any:
    """Stop botocore's clock; ours needs no stopping."""
    naive = at.astimezone(UTC).replace(tzinfo=None)
    return patch("botocore.auth.get_current_datetime", lambda: naive)


def taken_apart(url: str) -> tuple[str, str | None, int | None, str, list[tuple[str, str]]]:
    """Return all that a URL says, but for the order of its query and a default port."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    query = sorted(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True))
    return parts.scheme, parts.hostname, port, parts.path, query


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
KEYS = TEXT | st.text("/./. +~%2Fe?#&=é数🗂", min_size=1, max_size=20)
SLUGS = st.text(ascii_lowercase + digits + "-", min_size=1, max_size=20)
NAMES = st.lists(SLUGS | SLUGS.map(str.upper), min_size=1, max_size=4).map(".".join)
IPV6 = st.ip_addresses(v=6)
BRACKETED = (IPV6.map(str) | IPV6.map(lambda ip: ip.exploded)).map("[{}]".format)
PORTS = st.sampled_from(["", ":80", ":443"]) | st.integers(1, 65535).map(":{}".format)
ZONES = st.sampled_from([UTC, *(timezone(timedelta(hours=hours)) for hours in (-8, 5.5))])
TIMES = st.builds(
    lambda passed, zone: (datetime(2000, 1, 2, tzinfo=UTC) + passed).astimezone(zone),
    st.timedeltas(timedelta(0), timedelta(days=70_000)),
    ZONES,
)


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """Draw anything that can be signed."""
    host = draw(NAMES | st.ip_addresses(v=4).map(str) | BRACKETED)
    return Call(
        access_key=draw(TEXT),
        secret_key=draw(TEXT),
        token=draw(st.none() | TEXT),
        endpoint=f"{draw(st.sampled_from(['http', 'https']))}://{host}{draw(PORTS)}",
        bucket=draw(SLUGS),
        region=draw(SLUGS),
        # An address in brackets takes no name before it.
        path_addressing=host.startswith("[") or draw(st.booleans()),
        key=draw(KEYS),
        multipart_id=draw(TEXT),
        number=draw(st.integers(1, 10_000)),
        size=draw(st.integers(0, 5 * 2**30)),
        sha256=draw(st.binary(min_size=32, max_size=32)),
        at=draw(TIMES),
        seconds=draw(st.integers(1, 7 * 86400)),
    )


@given(calls())
def test_url_is_the_one_that_botocores_signer_makes(call: Call) -> None:
    """Any region, key, host, port, token, time zone and lifetime, in both addressings."""
    event(f"path {call.path_addressing}, IPv6 {'[' in call.endpoint}, token {bool(call.token)}")

    [part] = signed(call)

    assert taken_apart(part.url) == taken_apart(signed_by_botocore(call))
    assert part.headers == call.headers


@pytest.mark.parametrize(
    "call",
    [
        Call(),
        Call(endpoint="http://127.0.0.1:8333", region="us-east-1", token=None),
        Call(endpoint="http://localhost:80"),
        Call(endpoint="https://S3.Example.com:443/", path_addressing=False),
        Call(endpoint="http://[::1]:9000", key="a+b~c%d/../e//f.csv"),
        Call(endpoint=sigv4.aws_endpoint("eu-west-1"), region="eu-west-1", path_addressing=False),
        Call(endpoint=sigv4.aws_endpoint("cn-north-1"), region="cn-north-1", key="数据/é 🗂.jsonl"),
    ],
)
def test_url_is_the_one_that_botocores_client_presigns(call: Call) -> None:
    """The signer alone does not show what the client would give it: path, host, headers."""
    [part] = signed(call)

    assert taken_apart(part.url) == taken_apart(presigned_by_botocore(call))


@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1", "cn-northwest-1"])
def test_regional_endpoint_is_botocores(region: str) -> None:
    """A URL for the wrong host is a redirect that no signature survives."""
    client = session().create_client("s3", region_name=region)

    assert sigv4.aws_endpoint(region) == client.meta.endpoint_url


def test_checksum_is_a_signed_header_in_each_of_a_thousand_urls() -> None:
    """S3 ignores a checksum in the query, and then anybody's bytes would do."""
    digests = [sha256(b"%d" % number).digest() for number in range(1, 1001)]
    parts = [sigv4.Part(n, 2**20 + n, digest) for n, digest in enumerate(digests, start=1)]

    urls = signed(Call(), *parts)

    queries = [parse_qs(urlsplit(part.url).query, strict_parsing=True) for part in urls]
    assert {query.pop("X-Amz-SignedHeaders")[0] for query in queries} == {
        "content-length;host;x-amz-checksum-sha256;x-amz-sdk-checksum-algorithm"
    }
    assert [query.pop("partNumber") for query in queries] == [[str(n)] for n in range(1, 1001)]
    assert len({query.pop("X-Amz-Signature")[0] for query in queries}) == 1000
    left = ("Algorithm", "Credential", "Date", "Expires", "Security-Token")
    assert {*chain(*queries)} == {"uploadId", *(f"X-Amz-{name}" for name in left)}
    assert [part.headers for part in urls] == [Call(sha256=digest).headers for digest in digests]


def with_each_bit_changed(value: Any) -> list[Any]:
    """Return the neighbours of a value; of text, those that keep it well-formed."""
    match value:
        case bool():
            return [not value]
        case int():
            return [value ^ 1 << bit for bit in range(14)]
        case bytes():
            number = int.from_bytes(value)
            return [(number ^ 1 << bit).to_bytes(len(value)) for bit in range(8 * len(value))]
        case datetime():
            return [value + timedelta(seconds=1 << bit) for bit in range(24)]
        case _:
            places = [i for i, character in enumerate(value) if character.isdigit()]
            return [f"{value[:i]}{int(value[i]) ^ 1}{value[i + 1 :]}" for i in places]


@pytest.mark.parametrize("field", [field.name for field in fields(Call)])
@pytest.mark.parametrize("path_addressing", [True, False])
def test_signature_covers_every_bit_of(field: str, *, path_addressing: bool) -> None:
    """What the signature does not cover, whoever holds the URL may choose."""
    call = Call(path_addressing=path_addressing)
    neighbours = with_each_bit_changed(getattr(call, field))
    changed = [replace(call, **{field: neighbour}) for neighbour in neighbours]

    signatures = {part.url[-64:] for other in (call, *changed) for part in signed(other)}

    assert changed
    assert len(signatures) == len(changed) + 1


@given(
    at=TIMES,
    lifetime=st.timedeltas(timedelta(seconds=1), timedelta(days=20)),
    left=st.none() | st.timedeltas(timedelta(seconds=1), timedelta(days=20)),
)
def test_url_ends_when_told(at: datetime, lifetime: timedelta, left: timedelta | None) -> None:
    """Clients are told this time, and S3 refuses URLs past 7 days or past their credentials."""
    ends = None if left is None else at + left
    credentials = sigv4.Credentials("AKID", "secret", "token", ends)
    target = sigv4.Target("https://s3.example", "bucket", "r", path_addressing=True)
    rest: Any = {"key": "k", "multipart_id": "m", "parts": [sigv4.Part(1, 1, bytes(32))]}

    told = sigv4.expiry(credentials, at=at, lifetime=lifetime)
    [part] = sigv4.sign_parts(credentials, target, **rest, at=at, lifetime=lifetime)

    query = dict(parse_qsl(urlsplit(part.url).query))
    date = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    wished = min(at + lifetime, at + timedelta(days=7), ends or datetime.max.replace(tzinfo=UTC))
    assert told == date + timedelta(seconds=int(query["X-Amz-Expires"]))
    assert wished - timedelta(seconds=2) < told <= wished


@pytest.mark.parametrize("left", [timedelta(seconds=-1), timedelta(0), timedelta(milliseconds=999)])
def test_credentials_that_have_ended_sign_nothing(left: timedelta) -> None:
    """S3 would refuse the URL, but only after the client has sent its bytes."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    credentials = sigv4.Credentials("AKID", "secret", expires_at=at + left)

    with pytest.raises(sigv4.CredentialsExpiredError):
        sigv4.expiry(credentials, at=at, lifetime=timedelta(hours=1))


@pytest.mark.parametrize("show", [repr, str, pretty_repr, "{!r}".format])
def test_what_is_printed_holds_no_secret(show: Any) -> None:
    """Structs get into logs and tracebacks, by ``repr`` and by rich's own way."""
    credentials = sigv4.Credentials("AKID", "secret", "token")
    part = sigv4.SignedPart("https://s3.example/?X-Amz-Signature=0", {"name": "value"})

    assert show(credentials) == "Credentials(access_key='AKID', expires_at=None)"
    assert show(part) == "SignedPart(headers={'name': 'value'})"
