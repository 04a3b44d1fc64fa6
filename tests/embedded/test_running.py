"""Starting, using and restarting the embedded servers."""

import json
import logging
import socket
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from coordinator.embedded import EmbeddedError, Server, Servers, running
from tests.embedded.starting import (
    leftover_sockets,
    read_everywhere,
    s3_client,
    write_everywhere,
)

PART = b"x" * (5 << 20)


def test_every_server_takes_and_gives_back_what_is_written(own_servers: Servers) -> None:
    """Health is a use of the server, not an open port."""
    write_everywhere(own_servers.addresses, "written")

    assert read_everywhere(own_servers.addresses, "written") == (True, True, True)


def test_no_server_lets_anybody_in_without_its_secret(own_servers: Servers) -> None:
    """Every user of the machine can reach a port on loopback."""
    addresses = own_servers.addresses
    url = addresses.database_url.replace("coordinator:", "coordinator:x")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)

    with (
        redis.Redis(port=int(addresses.redis_url.split(":")[-1][:-2])) as cache,
        pytest.raises(redis.AuthenticationError),
    ):
        cache.ping()
    s3: Any = s3_client(addresses)
    s3._request_signer._credentials.secret_key = "another"
    with pytest.raises(s3.exceptions.ClientError, match="SignatureDoesNotMatch"):
        s3.list_buckets()


def test_database_and_bucket_are_prepared(own_servers: Servers) -> None:
    """The service finds UTF-8, CORS for pages and the rule that sweeps abandoned multiparts."""
    addresses = own_servers.addresses
    with psycopg.connect(addresses.database_url) as connection:
        encoding = connection.execute("SELECT current_database(), getdatabaseencoding()").fetchone()
    s3 = s3_client(addresses)
    (cors,) = s3.get_bucket_cors(Bucket="datasets")["CORSRules"]
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket="datasets")["Rules"]

    assert encoding == ("coordinator", "UTF8")
    assert set(cors["AllowedMethods"]) == {"PUT", "GET"}
    assert cors["AllowedOrigins"] == ["*"]
    assert set(cors["AllowedHeaders"]) == {
        "content-type",
        "x-amz-checksum-sha256",
        "x-amz-sdk-checksum-algorithm",
    }
    assert set(cors["ExposeHeaders"]) == {"ETag", "x-amz-checksum-sha256"}
    assert rule["Status"] == "Enabled"
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 9}


@pytest.mark.parametrize("name", ["postgres", "valkey", "seaweedfs"])
@pytest.mark.parametrize("way", ["kill", "stop"])
def test_one_server_can_go_and_come_back(own_servers: Servers, name: str, way: str) -> None:
    """Tests of outages need that, and an open session must not lose its place by it."""
    server: Server = getattr(own_servers, name)
    before = server.pid
    word = f"{way}-{name}"
    write_everywhere(own_servers.addresses, word)

    getattr(server, way)()
    gone = server.pid
    server.start()

    assert before is not None
    assert gone is None
    assert server.pid not in {None, before}
    assert read_everywhere(own_servers.addresses, word) == (True, True, True)


def test_a_second_start_in_the_same_home_is_refused(own_servers: Servers) -> None:
    """Two of them would fight for the data; the message says who has it."""
    with (
        pytest.raises(EmbeddedError, match=r"in use by process \d+.*COORDINATOR_HOME"),
        running(own_servers.keeper.home),
    ):
        pass

    assert own_servers.postgres.pid is not None


def test_data_ports_secrets_and_open_multiparts_outlive_a_restart(home: Path) -> None:
    """`make run` goes on where it ended: a page's origin and an upload's URLs stay right."""
    with running(home) as first:
        write_everywhere(first.addresses, "kept")
        s3 = s3_client(first.addresses)
        upload = s3.create_multipart_upload(Bucket="datasets", Key="open")["UploadId"]
        of = {"Bucket": "datasets", "Key": "open", "UploadId": upload}
        etag = s3.upload_part(**of, PartNumber=1, Body=PART)["ETag"]

    with running(home) as second:
        assert second.addresses == first.addresses
        assert read_everywhere(second.addresses, "kept") == (True, True, True)
        last = s3.upload_part(**of, PartNumber=2, Body=b"end")["ETag"]
        parts = [{"PartNumber": 1, "ETag": etag}, {"PartNumber": 2, "ETag": last}]
        s3.complete_multipart_upload(**of, MultipartUpload={"Parts": parts})
        assert s3.head_object(Bucket="datasets", Key="open")["ContentLength"] == len(PART) + 3

    assert leftover_sockets(home) == []


def test_a_port_that_a_stranger_took_is_replaced_aloud(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Ports are kept for pages and scripts, so a change must not go unnoticed."""
    home.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]
        (home / "ports.json").write_text(json.dumps({"valkey": taken}))
        with caplog.at_level(logging.WARNING), running(home) as servers:
            url = servers.addresses.redis_url

    assert f":{taken}/" not in url
    assert [f"Port {taken}, which valkey had" in r.message for r in caplog.records] == [True]


def test_a_failed_start_shows_the_log_and_no_secret(home: Path) -> None:
    """Whoever reads the error need not look for the log; and it may be pasted anywhere."""
    with running(home):
        pass
    kept = json.loads((home / "credentials.json").read_bytes())
    with (home / "postgres" / "postgresql.conf").open("a") as conf:
        conf.write(f"work_mem = '{kept['database_password']}'\n")

    with pytest.raises(EmbeddedError) as refusal, running(home):
        pass

    assert "postgres ended with code 1" in str(refusal.value)
    assert 'invalid value for parameter "work_mem": "***"' in str(refusal.value)
