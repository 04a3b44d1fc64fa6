"""An object in a real S3 server, for each test of a job."""

import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.config import Config

from coordinator.jobs.object_reader import ObjectSource

if TYPE_CHECKING:
    from coordinator.embedded import Addresses

Put = Callable[[bytes], ObjectSource]


@pytest.fixture
def put(servers: "Addresses", request: pytest.FixtureRequest) -> Put:
    """Put bytes under the test's own key, and say where they are."""
    client: Any = botocore.session.get_session().create_client(
        "s3",
        endpoint_url=servers.s3_endpoint,
        region_name=servers.s3_region,
        aws_access_key_id=servers.access_key,
        aws_secret_access_key=servers.secret_key,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    key = f"jobs/{zlib.crc32(request.node.nodeid.encode())}"

    def put(body: bytes) -> ObjectSource:
        client.put_object(Bucket=servers.s3_bucket, Key=key, Body=body)
        return ObjectSource(
            bucket=servers.s3_bucket,
            key=key,
            size=len(body),
            endpoint=servers.s3_endpoint,
            region=servers.s3_region,
            path_addressing=True,
            access_key=servers.access_key,
            secret_key=servers.secret_key,
            session_token=None,
        )

    return put
