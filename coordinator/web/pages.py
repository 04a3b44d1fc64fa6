"""Our own pages and ``coordinator.js``: files of the package, read at the start and kept.

Rule: what is served is what :func:`read_files` has found then. A path is looked up and never
opened, so none leads anywhere else.
"""

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

import msgspec
from litestar import HttpMethod, Request, Response, route
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath

from coordinator.adapters.stores import Stores
from coordinator.domain import sigv4
from coordinator.domain.limits import RouteClass
from coordinator.web.hygiene import page_policy
from coordinator.web.limits import Limits

# What browsers load; the framework adds the charset to texts. Types and the like of the npm
# package stay where they are.
_MEDIA_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_FOLDERS: Final = ("js", "pages")
_SMALLEST_PACKED: Final = 256  # below it packing gains nothing


class PageFile(msgspec.Struct, frozen=True):
    """One file as it is sent; ``packed`` by gzip, where that makes it smaller."""

    media_type: str
    body: bytes
    packed: bytes | None
    digest: str

    @classmethod
    def of(cls, media_type: str, body: bytes) -> "PageFile":
        """Pack a file's bytes."""
        packed = gzip.compress(body, 9, mtime=0) if len(body) >= _SMALLEST_PACKED else body
        digest = hashlib.sha256(body).hexdigest()[:32]
        return cls(media_type, body, packed if len(packed) < len(body) else None, digest)

    def etag(self, *, is_packed: bool) -> str:
        """Return the validator of these very bytes: packed ones are others."""
        return f'"{self.digest}-gzip"' if is_packed else f'"{self.digest}"'


def read_files(folder: Traversable) -> dict[str, PageFile]:
    """Read all that may be served, by path: ``js/coordinator.js``."""
    return {
        path: PageFile.of(_MEDIA_TYPES[suffix], file.read_bytes())
        for name in _FOLDERS
        for path, file in _walk(folder / name, name)
        if (suffix := _suffix(path)) in _MEDIA_TYPES
    }


def _walk(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(entry, f"{path}/{entry.name}")
        else:
            yield f"{path}/{entry.name}", entry


def _suffix(path: str) -> str:
    name = path.rpartition("/")[2]
    return name[name.rfind(".") :] if "." in name else ""


_FILES: Final = read_files(resources.files("coordinator.web") / "static")


async def _for_anybody(
    connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler
) -> None:
    limits: Limits = connection.app.state.limits
    await limits.visit(connection, RouteClass.READ).admit_anybody()


def _answer(path: str, request: Request[Any, Any, Any], state: State) -> Response[bytes]:
    """Send a file, or that it is the one that the browser has.

    Raises:
        NotFoundException: there is none such.

    """
    file = _FILES.get(path)
    if file is None:
        raise NotFoundException
    is_packed = file.packed is not None and _takes_gzip(request)
    stores: Stores = state.stores
    headers = {
        "ETag": file.etag(is_packed=is_packed),
        # Asked for again each time: after an update no page runs with half of the old files.
        "Cache-Control": "no-cache",
        "Content-Security-Policy": page_policy(s3=sigv4.origin(stores.bucket.public)),
        "Vary": "Accept-Encoding",
    }
    if _has(request, headers["ETag"]):
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if is_packed:
        headers["Content-Encoding"] = "gzip"
    body = file.packed if is_packed and file.packed is not None else file.body
    return Response(body, media_type=file.media_type, headers=headers)


def _takes_gzip(request: Request[Any, Any, Any]) -> bool:
    """Whether gzip is named and not refused (RFC 9110, section 12.5.3); `*` alone is not enough."""
    offers = ",".join(request.headers.getall("accept-encoding", [])).lower().split(",")
    for offer in offers:
        coding, _, weight = (part.strip() for part in offer.partition(";"))
        if coding == "gzip":
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _has(request: Request[Any, Any, Any], etag: str) -> bool:
    """Whether the browser has it (RFC 9110, section 13.1.2): compared weakly, one of a list."""
    sent = ",".join(request.headers.getall("if-none-match", []))
    known = {each.strip().removeprefix("W/") for each in sent.split(",")}
    return etag in known or "*" in known


_LIKE_ALL: Final[dict[str, Any]] = {
    "http_method": [HttpMethod.GET, HttpMethod.HEAD],
    "guards": [_for_anybody],
    "include_in_schema": False,
    "status_code": HTTPStatus.OK,
}


@route("/", **_LIKE_ALL)
async def upload_page(request: Request[Any, Any, Any], state: State) -> Response[bytes]:
    """Show the page that uploads."""
    return _answer("pages/index.html", request, state)


@route("/ops", **_LIKE_ALL)
async def operators_page(request: Request[Any, Any, Any], state: State) -> Response[bytes]:
    """Show the operators' page. It holds nothing: what it shows it asks the API for."""
    return _answer("pages/ops.html", request, state)


@route("/js/{path:path}", **_LIKE_ALL)
async def script(
    path: FromPath[str], request: Request[Any, Any, Any], state: State
) -> Response[bytes]:
    """Send a file of the JavaScript package."""
    return _answer(f"js{path}", request, state)


@route("/pages/{path:path}", **_LIKE_ALL)
async def page_file(
    path: FromPath[str], request: Request[Any, Any, Any], state: State
) -> Response[bytes]:
    """Send a file that our pages are made of."""
    return _answer(f"pages{path}", request, state)


ROUTES: Final = (upload_page, operators_page, script, page_file)
