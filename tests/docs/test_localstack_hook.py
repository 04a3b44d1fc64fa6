"""LocalStack's init hook must make the same bucket as the embedded servers have."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from coordinator.embedded import bucket
from tests.localstack import S3Address

_HOOK: Final = Path(__file__).parents[2] / "localstack" / "ready.d" / "10-bucket.py"
# As LocalStack runs it: by exec, not as a program.
_EXEC: Final = f"exec(open({str(_HOOK)!r}).read(), {{}})"


def test_the_hook_prepares_a_bucket_as_the_embedded_servers_do(localstack: S3Address) -> None:
    """Run twice, as a restarted container does; CORS and the abort rule must be equal."""
    s3 = bucket.client(
        localstack.s3_endpoint,
        access_key=localstack.access_key,
        secret_key=localstack.secret_key,
    )
    for name in ("by-hook", "by-hook", "by-us"):
        if name == "by-us":
            bucket.prepare(s3, name, cors_origins=["https://a.example", "https://b.example"])
            continue
        subprocess.run(
            [sys.executable, "-c", _EXEC],
            env={
                "PATH": os.environ["PATH"],
                "AWS_ENDPOINT_URL": localstack.s3_endpoint,
                "COORDINATOR_S3_BUCKET": name,
                "COORDINATOR_CORS_ORIGINS": "https://a.example, https://b.example",
            },
            check=True,
        )

    found = [
        (
            s3.get_bucket_cors(Bucket=name)["CORSRules"],
            s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"],
        )
        for name in ("by-hook", "by-us")
    ]
    s3.close()

    assert found[0] == found[1]
