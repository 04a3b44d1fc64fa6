"""An object in a real S3 server, for each test of a job."""

import asyncio
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Protocol

import botocore.session
import msgspec
import pytest
from botocore.config import Config

from coordinator.adapters.bucket import Bucket, BucketOptions, open_bucket
from coordinator.domain.kinds import Kind
from coordinator.jobs.host import Host, S3Place
from coordinator.jobs.inline import Inline
from coordinator.jobs.object_reader import ObjectReader, ObjectSource
from coordinator.jobs.workspace import Options, Subject, Workspace

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


class MakeWorkspace(Protocol):
    """Opens a workspace on an object, as a worker would for a job of this kind."""

    def __call__(
        self,
        source: ObjectSource,
        kind: Kind = Kind.GENERATE_METADATA,
        *,
        file_name: str = "data.jsonl",
        file_type: str = "",
        earlier: Mapping[Kind, dict[str, Any]] | None = None,
        artifacts: Mapping[tuple[Kind, str], tuple[str, int]] | None = None,
        options: Options | None = None,
        executor: Executor | None = None,
        stopped: Event | None = None,
    ) -> Workspace:
        """Open it."""


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread of its own, as the worker's is for the threads of bodies."""
    running = asyncio.new_event_loop()
    thread = Thread(target=running.run_forever)
    thread.start()
    yield running
    running.call_soon_threadsafe(running.stop)
    thread.join()
    running.close()


@pytest.fixture
def bucket(
    servers: "Addresses", loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bucket]:
    """The bucket, as the service's own client sees it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", servers.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", servers.secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", servers.s3_region)
    options = BucketOptions(
        name=servers.s3_bucket,
        endpoint=servers.s3_endpoint,
        public_endpoint="",
        path_addressing=True,
        complete_seconds=60,
    )
    opening = open_bucket(options)
    yield asyncio.run_coroutine_threadsafe(opening.__aenter__(), loop).result()
    asyncio.run_coroutine_threadsafe(opening.__aexit__(None, None, None), loop).result()


@pytest.fixture
def workspace(
    servers: "Addresses", loop: asyncio.AbstractEventLoop, bucket: Bucket
) -> MakeWorkspace:
    """Make workspaces whose artifacts lie in the real bucket; pieces are done in this process."""

    def make(
        source: ObjectSource,
        kind: Kind = Kind.GENERATE_METADATA,
        *,
        file_name: str = "data.jsonl",
        file_type: str = "",
        earlier: Mapping[Kind, dict[str, Any]] | None = None,
        artifacts: Mapping[tuple[Kind, str], tuple[str, int]] | None = None,
        options: Options | None = None,
        executor: Executor | None = None,
        stopped: Event | None = None,
    ) -> Workspace:
        subject = Subject(
            upload_id="upl_06agx5c9nerf9b0x5h0g2k7w3m",
            job_id=f"job_{kind}",
            attempt=1,
            file_name=file_name,
            file_type=file_type,
            root=None,
            sha256=None,
            folder=f"{source.key}/~artifacts/job_{kind}/",
            token="a token of the tests",
            earlier=earlier or {},
            artifacts=artifacts or {},
        )
        place = S3Place(servers.s3_endpoint, servers.s3_region, path_addressing=True)
        return Workspace(
            subject,
            (source.key, source.size),
            Host(loop, bucket, place),
            executor or Inline(),
            options=options or Options(),
            stopped=stopped or Event(),
        )

    return make


def body_of(source: ObjectSource) -> bytes:
    """Read a whole object, such as an artifact."""
    return ObjectReader(source).read(0, source.size)


def made(work: Workspace, bucket_source: ObjectSource) -> dict[str, bytes]:
    """Read all artifacts that a body has written, by their paths."""
    return {
        work.path_of(each): body_of(
            msgspec.structs.replace(bucket_source, key=each.key, size=each.size_bytes)
        )
        for each in work.written
    }
