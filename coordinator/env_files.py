"""Files of variables, as a POSIX shell reads them: ``run.env``, ``.env.example``."""

import shlex
from collections.abc import Mapping
from pathlib import Path


def read_env_file(path: Path) -> dict[str, str]:
    """Read such a file: lines of NAME=value, quoted as a shell wants them."""
    lines = path.read_text(encoding="utf-8").split("\n")
    words = shlex.split("\n".join(line for line in lines if not line.startswith("#")))
    return dict(word.split("=", 1) for word in words if "=" in word)


def env_file(values: Mapping[str, str]) -> str:
    r"""Spell ``values`` so that ``set -a; . run.env`` gives exactly these, in any POSIX shell.

    >>> env_file({"B": "https://a.example, https://b.example", "A": "postgresql://u:p@h:1/d"})
    "A=postgresql://u:p@h:1/d\nB='https://a.example, https://b.example'\n"
    """
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in sorted(values.items()))
