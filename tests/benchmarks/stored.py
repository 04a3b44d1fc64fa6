"""An object in an S3 server that is there for it alone."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config

from coordinator.embedded import running
from coordinator.jobs.object_reader import ObjectSource


@contextmanager
def stored(*bodies: bytes) -> Iterator[list[ObjectSource]]:
    """Put bytes there until the block ends."""
    with tempfile.TemporaryDirectory(prefix="bench-") as home, running(Path(home)) as servers:
        addresses = servers.addresses
        client: Any = botocore.session.get_session().create_client(
            "s3",
            endpoint_url=addresses.s3_endpoint,
            region_name=addresses.s3_region,
            aws_access_key_id=addresses.access_key,
            aws_secret_access_key=addresses.secret_key,
            config=Config(s3={"addressing_style": "path"}),
        )
        sources = []
        for place, body in enumerate(bodies):
            key = f"bench/{place}"
            client.put_object(Bucket=addresses.s3_bucket, Key=key, Body=body)
            sources.append(
                ObjectSource(
                    bucket=addresses.s3_bucket,
                    key=key,
                    size=len(body),
                    endpoint=addresses.s3_endpoint,
                    region=addresses.s3_region,
                    path_addressing=True,
                    access_key=addresses.access_key,
                    secret_key=addresses.secret_key,
                    session_token=None,
                )
            )
        yield sources
