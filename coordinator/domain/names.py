"""Names of files and tenants: what is accepted, and the object key that comes of it."""

import re
import unicodedata
from typing import Final

from coordinator.domain.errors import InvalidFieldError

MAX_NAME_CHARACTERS: Final = 255
MAX_KEY_NAME: Final = 128
_MAX_EXTENSION: Final = 20

# Visible ASCII without spaces. In JSON Schema's dialect, too, where `$` is the very end.
USER_PATTERN: Final = r"^[\x21-\x7e]+$(?!\n)"
_MAX_USER: Final = 128

_PLAIN: Final = re.compile(r"(?!\.+$)[A-Za-z0-9._@+-]{1,64}")
# These make "gnp.exe" of "exe.png" on the screen. Joiners stay: emoji and scripts need them.
_TURNING: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_NOT_ALLOWED: Final = re.compile(r"[^A-Za-z0-9._-]+")


def check_name(name: str) -> str:
    """Return ``name`` if it names a file, and nothing but a file.

    Letters of every script are fine. Separators are refused and not cut away: a client that
    sends a path believes that we keep it.

    Raises:
        InvalidFieldError: it is empty, too long, a path, or has unseen characters in it.

    """
    if not 1 <= len(name) <= MAX_NAME_CHARACTERS:
        raise InvalidFieldError("fileName", f"A name has 1 to {MAX_NAME_CHARACTERS} characters.")
    if "/" in name or "\\" in name or name in {".", ".."}:
        raise InvalidFieldError("fileName", "Send the file's name without a path.")
    if not is_one_line(name):
        raise InvalidFieldError("fileName", "A name has no control characters and no line breaks.")
    if _TURNING.search(name):
        raise InvalidFieldError("fileName", "A name does not turn the direction of its text.")
    return name


def key_name(name: str) -> str:
    """Clean ``name`` for an object key: ASCII letters, digits, ``.``, ``_``, ``-``, at most 128.

    >>> key_name("Müller & Söhne.jsonl")
    'Muller-Sohne.jsonl'
    >>> key_name("数据")
    'file'
    >>> len(key_name("x" * 300 + ".parquet")), key_name("x" * 300 + ".parquet")[-8:]
    (128, '.parquet')
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    cleaned = _NOT_ALLOWED.sub("-", plain).strip("-")
    stem, dot, extension = cleaned.rpartition(".")
    if not dot or len(extension) > _MAX_EXTENSION:
        stem, dot, extension = cleaned, "", ""
    stem = stem.strip(".-") or "file"
    return stem[: MAX_KEY_NAME - len(dot) - len(extension)] + dot + extension


def object_key(*, prefix: str, tenant: str, upload_id: str, file_name: str) -> str:
    """Build the key, ``<prefix>/<tenant>/<uploadId>/<cleaned name>``."""
    return f"{prefix}/{tenant}/{upload_id}/{key_name(file_name)}"


def marker_key(prefix: str) -> str:
    """Build the key of the object that says whose the prefix is. No tenant's name has a tilde."""
    return f"{prefix}/~coordinator-installation"


def audit_head_folder(prefix: str) -> str:
    """Build what the keys of all exported heads of audit chains begin with."""
    return f"{prefix}/~coordinator-audit/"


def audit_head_key(prefix: str, tenant: str) -> str:
    """Build the key of the object that says how far a tenant's audit chain goes."""
    return f"{audit_head_folder(prefix)}{tenant}.json"


def is_one_line(text: str) -> bool:
    """Whether ``text`` has no control characters, half surrogates or line breaks in it."""
    return all(unicodedata.category(letter) not in {"Cc", "Cs", "Zl", "Zp"} for letter in text)


def is_user(text: str) -> bool:
    """Whether ``text`` can name a user of a backend or an issuer."""
    return len(text) <= _MAX_USER and re.match(USER_PATTERN, text) is not None


def is_plain(text: str) -> bool:
    """Whether ``text`` can name a tenant, or a user: it may stand in object keys and logs."""
    return _PLAIN.fullmatch(text) is not None


def manifest_key(key: str) -> str:
    """Build the key of the manifest that lies beside the object.

    Every upload has a folder of its own, so it meets no other object.
    """
    return f"{key}.manifest.json"


def artifact_folder(key: str, job_id: str) -> str:
    """Build what the keys of all objects begin with that a job makes. No file's name has a tilde.

    >>> artifact_folder("datasets/acme/upl_1/a.jsonl", "job_2")
    'datasets/acme/upl_1/~artifacts/job_2/'
    """
    return f"{key.rpartition('/')[0]}/~artifacts/{job_id}/"
