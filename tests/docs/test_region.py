"""The region that ``.env.example`` and ``run.env`` name must be the one that is signed for."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from coordinator.env_files import read_env_file

_EXAMPLE: Final = Path(__file__).parents[2] / ".env.example"
_START: Final = """
import botocore.session
from coordinator.cli import starting
starting.read_settings()
print(botocore.session.Session().get_config_variable("region"))
"""


def test_aws_region_reaches_botocore() -> None:
    """It reads AWS_DEFAULT_REGION only, and without one signs for us-east-1 and says nothing."""
    environ = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        **read_env_file(_EXAMPLE),
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "us-west-2",
    }

    done = subprocess.run(
        [sys.executable, "-c", _START], env=environ, capture_output=True, text=True, check=True
    )

    assert done.stdout == "eu-central-1\n"
