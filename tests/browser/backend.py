"""The backend of a page that uploads: serves the page, and opens uploads for it with its own key.

    with backend(builds=folder) as page:  # the page is at page.address
        page.service = Service(url, key, secret)
        ...
        assert page.asked == []  # its questions

Other sites have such a backend, and an origin of their own; so this one has, too.
"""

import json
import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import Any, Final

import httpx
import msgspec
from typing_extensions import override

from coordinator.domain import upload_tokens
from tests.forwarding import Answer, Forwarding, Request, serving

_ROOT: Final = Path(__file__).parents[2]
_FOLDERS: Final = {
    "js": _ROOT / "coordinator" / "web" / "static" / "js",
    "pages": Path(__file__).parent / "pages",
}


class Service(msgspec.Struct, frozen=True):
    """The service as its customers' backends know it, and the secret that only tests know."""

    url: str
    key: str
    secret: str

    def without_key(self) -> "Service":
        """Return what a backend knows that was set up wrongly."""
        return msgspec.structs.replace(self, key="")


class Backend:
    """What the page asks, and how it is answered."""

    def __init__(self, builds: Path) -> None:
        self.service = Service("", "", "")
        self.address = ""
        self._builds = builds
        self.reset()

    def reset(self) -> None:
        """Begin anew: nothing was asked, tokens live as long as the service says."""
        self.asked: list[dict[str, Any]] = []
        self.first_token_seconds: int | None = None
        self.chunk_bytes: int | None = None

    def meet(self, request: Request) -> Answer:
        """Answer the page."""
        if request.method == "POST" and request.path == "/session":
            return self._session(json.loads(request.body))
        return self._file(request.path)

    def _session(self, asked: dict[str, Any]) -> Answer:
        self.asked.append(asked)
        is_first = not asked.get("uploadId")
        answer = self._init(asked) if is_first else self._renew(asked["uploadId"])
        if not answer.is_success:
            return Answer(answer.status_code, {"content-type": "application/json"}, answer.content)
        known = answer.json()
        token = known["uploadToken"]
        if is_first and self.first_token_seconds is not None:
            token = self._short(token, self.first_token_seconds)
        body = json.dumps({**known, "uploadToken": token}).encode()
        return Answer(200, {"content-type": "application/json"}, body)

    def _init(self, asked: dict[str, Any]) -> httpx.Response:
        body = {name: asked[name] for name in ("fileName", "fileSize", "fileType")}
        body["uploadToken"] = True
        if self.chunk_bytes is not None:
            body["chunkSize"] = self.chunk_bytes
        headers = {"Idempotency-Key": asked["resumeKey"]}
        return self._call("/api/upload/init", headers, body)

    def _renew(self, upload_id: str) -> httpx.Response:
        return self._call(f"/api/uploads/{upload_id}/token", {}, None)

    def _call(self, path: str, headers: dict[str, str], body: Any) -> httpx.Response:
        own = {"Authorization": f"Bearer {self.service.key}".strip(), **headers}
        return httpx.post(f"{self.service.url}{path}", json=body, headers=own, timeout=30.0)

    def _short(self, text: str, seconds: int) -> str:
        """Make a token that ends sooner than any that the service would make."""
        token = upload_tokens.read(text, secret=self.service.secret)
        assert token is not None, "the service's own token"
        soon = msgspec.structs.replace(token, expires=int(time()) + seconds)
        return upload_tokens.mint(soon, secret=self.service.secret)

    def _file(self, path: str) -> Answer:
        first, _, rest = path.lstrip("/").partition("/")
        folder = {**_FOLDERS, "builds": self._builds}.get(first)
        found = folder / rest if folder else None
        if found is None or ".." in rest or not found.is_file():
            return Answer(404, {}, b"")
        media_type = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
        headers = {"content-type": media_type, "cache-control": "no-cache"}
        return Answer(200, headers, found.read_bytes())


@contextmanager
def backend(builds: Path) -> Iterator[Backend]:
    """Serve until the block ends."""
    page = Backend(builds)

    class Handler(Forwarding):
        @override
        def meet(self, request: Request) -> None:
            self.answer(page.meet(request))

    with serving(Handler) as page.address:
        yield page
