"""Reads one finished object by byte range, for jobs and for DuckDB.

DuckDB's own S3 client is downloaded at run time, and obstore's fsspec file returns fewer bytes
than it was asked for, which DuckDB takes for the end of the file. So DuckDB gets a file system of
our own here: one file, every read one ranged GET.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from io import RawIOBase
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

import msgspec
from fsspec import AbstractFileSystem
from obstore.exceptions import BaseError
from obstore.store import S3Store
from typing_extensions import override

if TYPE_CHECKING:
    from obstore.store import S3Credential  # exists for type checkers only

_T = TypeVar("_T")

# A worker tries a failed job again by itself; waiting out S3's bad hour in here helps nobody.
_RETRIES: Final = 4
_RETRY_SECONDS: Final = 30
_REQUEST_SECONDS: Final = 120


class ObjectReadError(OSError):
    """S3 did not give what it was asked for. Trying again later may help."""


class ObjectSource(msgspec.Struct, frozen=True):
    """Where an object is, how long it is, and what it takes to read it."""

    bucket: str
    key: str
    size: int
    endpoint: str
    region: str
    path_addressing: bool
    access_key: str
    secret_key: str
    session_token: str | None

    @override
    def __repr__(self) -> str:
        return f"ObjectSource(bucket={self.bucket!r}, key={self.key!r}, size={self.size})"


class LineTooLongError(ValueError):
    """A whole read of a file of lines has no line end in it."""


class ObjectReader:
    """One version of one object: all reads see the ETag that the first look saw.

    The last failure stays in ``failure``: DuckDB turns an exception of ours into a text of its
    own, and whoever called DuckDB must still tell S3's fault from the object's.

    Raises:
        ObjectReadError: S3 cannot be reached or refuses, or the object is not there, or it has
            another size than the source says.

    """

    def __init__(self, source: ObjectSource) -> None:
        self.source = source
        self.size = source.size
        self.bytes_read = 0
        self.failure: ObjectReadError | LineTooLongError | None = None
        self._key = source.key
        self._store = _new_store(source)
        head = self._ask(lambda: self._store.head(self._key))
        self._etag = head["e_tag"]
        if head["size"] != source.size:
            raise ObjectReadError(f"The object has {head['size']} bytes, not {source.size}.")

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes from ``start`` up to ``end``, or up to the object's end."""
        end = min(end, self.size)
        if start >= end:
            return b""
        found = self._ask(lambda: self._get(start, end))
        self.bytes_read += len(found)
        if len(found) != end - start:
            self.failure = ObjectReadError(f"S3 sent {len(found)} bytes for {start}-{end}.")
            raise self.failure
        return found

    def _get(self, start: int, end: int) -> bytes:
        answer = self._store.get(self._key, options={"range": (start, end), "if_match": self._etag})
        return answer.bytes().to_bytes()

    def _ask(self, question: Callable[[], _T]) -> _T:
        try:
            return question()
        except (BaseError, OSError) as exc:
            # obstore's text is its whole state over many lines; its cause is kept by `from`.
            self.failure = ObjectReadError(f"S3 could not be read: {type(exc).__name__}.")
            raise self.failure from exc


class ObjectFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A file system that holds one object under any name, read only."""

    protocol = "object"
    cachable = False

    def __init__(self, reader: ObjectReader, *, longest_line: int | None) -> None:
        super().__init__()
        self._reader = reader
        self._longest_line = longest_line

    @override
    def info(self, path: str, **kwargs: object) -> dict[str, object]:
        return {"name": path, "size": self._reader.size, "type": "file"}

    @override
    def exists(self, path: str, **kwargs: object) -> bool:
        return True

    @override
    def glob(self, path: str, maxdepth: int | None = None, **kwargs: object) -> list[str]:
        return [path]

    @override
    def modified(self, path: str) -> datetime:
        """Tell DuckDB, which asks, that the object never changes: its ETag is pinned."""
        return datetime.fromtimestamp(0)  # noqa: DTZ006  # DuckDB wants it naive

    @override
    def open(self, path: str, mode: str = "rb", **kwargs: object) -> "ObjectFile":
        """Open the object; what DuckDB says about buffers and caches is not needed."""
        return ObjectFile(self._reader, longest_line=self._longest_line)


class ObjectFile(RawIOBase):
    """A seekable view of an object. ``read(n)`` returns n bytes unless the object ends.

    With ``longest_line`` a read of that many bytes or more must contain a line end: DuckDB tries a
    giant line in every way it knows, for minutes, before it gives up.

    Raises:
        LineTooLongError: it does not.

    """

    def __init__(self, reader: ObjectReader, *, longest_line: int | None) -> None:
        self._reader = reader
        self._longest_line = longest_line
        self._position = 0
        self.size = reader.size

    @override
    def read(self, size: int = -1, /) -> bytes:
        end = self._reader.size if size < 0 else self._position + size
        found = self._reader.read(self._position, end)
        self._position += len(found)
        if self._longest_line and len(found) >= self._longest_line and b"\n" not in found:
            self._reader.failure = LineTooLongError("A line is too long.")
            raise self._reader.failure
        return found

    @override
    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._position = offset + (0, self._position, self.size)[whence]
        return self._position

    @override
    def tell(self) -> int:
        return self._position

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return True


def _new_store(source: ObjectSource) -> S3Store:
    """Open the bucket. The provider keeps obstore from mixing in AWS_* of the environment."""
    keys: S3Credential = {
        "access_key_id": source.access_key,
        "secret_access_key": source.secret_key,
        "token": source.session_token,
        "expires_at": None,
    }
    return S3Store(
        source.bucket,
        endpoint=_endpoint(source),
        region=source.region,
        virtual_hosted_style_request=not source.path_addressing,
        skip_signature=False,
        credential_provider=lambda: keys,
        client_options={
            "allow_http": source.endpoint.startswith("http://"),
            "timeout": timedelta(seconds=_REQUEST_SECONDS),
            "connect_timeout": timedelta(seconds=5),
        },
        retry_config={
            "max_retries": _RETRIES,
            "retry_timeout": timedelta(seconds=_RETRY_SECONDS),
        },
    )


def _endpoint(source: ObjectSource) -> str:
    """Name the host to call: obstore wants the bucket in it unless it stands in the path."""
    if source.path_addressing:
        return source.endpoint
    parts = urlsplit(source.endpoint)
    return urlunsplit(parts._replace(netloc=f"{source.bucket}.{parts.netloc}"))
