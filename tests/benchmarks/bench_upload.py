"""How long our client takes for 1 GiB into the embedded S3, beside boto3's ``upload_file``.

Both send the same file, in chunks of the same size, with as many at once, under sha256; ours
opens, hashes, signs, sends, and completes with proof. They run in turns in one process, so that
what else the machine does meets both. Run it by ``python -m tests.benchmarks.bench_upload``; it
exits 1 if the bar fails.
"""

import os
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from coordinator.cli.local import Local, running_locally
from coordinator.sdk import Client
from tests.benchmarks.measuring import Row, table

MIB: Final = 1024 * 1024
SIZE: Final = 1024 * MIB
CHUNK: Final = 8 * MIB
CONCURRENCY: Final = 4
ROUNDS: Final = 5


def measure() -> list[Row]:
    """Return the row; servers and file are made for it and removed."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder) / "data.bin"
        _write(path, SIZE)
        warm = Path(folder) / "warm.bin"
        _write(warm, 8 * CHUNK)
        with running_locally(Path(folder) / "home") as local:
            ours, theirs = _ours(local), _boto3(local)
            for upload in (ours, theirs):
                upload(warm)
            ratio = median(_round(path, ours, theirs, turn) for turn in range(ROUNDS))
    return [Row("upload 1 GiB: time of ours / boto3 upload_file", ratio, at_most=1.05)]


def main() -> int:
    """Print the table."""
    rows = measure()
    print(table(rows))
    return 0 if all(row.holds for row in rows) else 1


def _write(path: Path, size: int) -> None:
    block = random.Random(1).randbytes(CHUNK)
    with path.open("wb") as file:
        for index in range(size // CHUNK):
            file.write(index.to_bytes(8, "big") + block[8:])
        file.flush()
        os.fsync(file.fileno())


def _round(
    path: Path, ours: Callable[[Path], float], theirs: Callable[[Path], float], turn: int
) -> float:
    """Return the ratio of one round, in which either goes first in turn."""
    seconds = {side: side(path) for side in ((ours, theirs) if turn % 2 else (theirs, ours))}
    print(f"  round {turn + 1}: ours {seconds[ours]:.2f} s, boto3 {seconds[theirs]:.2f} s")
    return seconds[ours] / seconds[theirs]


def _ours(local: Local) -> Callable[[Path], float]:
    s3 = _client(local)
    bucket = local.environ["COORDINATOR_S3_BUCKET"]

    def upload(path: Path) -> float:
        with Client(local.url, local.api_key) as client:
            start = perf_counter()
            handle = client.upload(path, chunk_size=CHUNK, concurrency=CONCURRENCY, again=True)
            seconds = perf_counter() - start
            # Neither the job nor a fuller disk is to slow the other side down.
            handle.wait()
        s3.delete_object(Bucket=bucket, Key=handle.result.file_path)
        return seconds

    return upload


def _boto3(local: Local) -> Callable[[Path], float]:
    s3 = _client(local)
    bucket = local.environ["COORDINATOR_S3_BUCKET"]
    transfer = TransferConfig(
        multipart_threshold=CHUNK, multipart_chunksize=CHUNK, max_concurrency=CONCURRENCY
    )

    def upload(path: Path) -> float:
        start = perf_counter()
        s3.upload_file(
            str(path), bucket, "boto3", ExtraArgs={"ChecksumAlgorithm": "SHA256"}, Config=transfer
        )
        seconds = perf_counter() - start
        s3.delete_object(Bucket=bucket, Key="boto3")
        return seconds

    return upload


def _client(local: Local) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=local.environ["COORDINATOR_S3_ENDPOINT"],
        region_name=local.environ["AWS_REGION"],
        aws_access_key_id=local.environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=local.environ["AWS_SECRET_ACCESS_KEY"],
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )


if __name__ == "__main__":
    sys.exit(main())
