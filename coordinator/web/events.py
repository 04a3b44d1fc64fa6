"""``GET /api/uploads/{uploadId}/events``: an upload as it goes on, as server-sent events."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager, suppress
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter
from litestar.response.base import ASGIResponse
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import Receive, Send
from typing_extensions import override

from coordinator.adapters.stores import Stores
from coordinator.adapters.tasks import end
from coordinator.domain.access import Action
from coordinator.domain.errors import UnauthenticatedError, UnavailableError, UploadNotFoundError
from coordinator.domain.limits import RouteClass
from coordinator.domain.uploads import Owner
from coordinator.operations.authenticate import Authenticator
from coordinator.operations.look_at_upload import look
from coordinator.operations.watch_upload import Watch, Watches
from coordinator.web.auth import credential_of, guarded
from coordinator.web.documented import also, documented
from coordinator.web.problems import UNAVAILABLE
from coordinator.web.server_sent import HEARTBEAT, RETRY, Seen, news
from coordinator.web.shapes import known_upload

MEDIA_TYPE: Final = "text/event-stream"

_HEARTBEAT_SECONDS: Final = 15.0
_CHECK_SECONDS: Final = 5.0  # a revoked key reads no longer than this
_CHECK_PATIENCE: Final = 1.0
_LONGEST_SECONDS: Final = 600.0
_FAREWELL_SECONDS: Final = 1.0
# `X-Accel-Buffering` has nginx pass every event on at once.
_HEADERS: Final[Mapping[str, str]] = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@get(
    "/api/uploads/{upload_id:str}/events",
    **guarded(Action.WATCH, RouteClass.READ),
    media_type=MEDIA_TYPE,
    operation_id="followUpload",
    summary="Follow an upload",
    tags=["uploads"],
    responses={
        **documented(UploadNotFoundError),
        200: also(dict[str, Any], "Events, one after the other.", media_type=MEDIA_TYPE),
        204: also(None, "The upload is over, and `Last-Event-ID` has seen it all."),
    },
)
async def events(
    upload_id: FromPath[str],
    request: Request[Any, Any, Any],
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
    last_event_id: Annotated[
        str | None,
        HeaderParameter(
            name="Last-Event-ID",
            description="The id of the last event seen: only what changed since is sent. Without "
            "one, or with one that is none of ours, all that is known.",
        ),
    ] = None,
) -> Response[str]:
    """Read `progress`, `phase` and `jobs` as server-sent events: what is so now, then each change.

    Events say how things stand and no history, so that nothing is lost over a reconnect with
    `Last-Event-ID`. The stream ends after FAILED, or COMPLETED with all jobs over; asked again
    then with the last id the answer is 204, and there is nothing to come. It also ends after ten
    minutes, when the key ends, and when the service stops: connect again.
    """
    wanted = known_upload(upload_id, owner)
    watches: Watches = request.app.state.watches
    draining: asyncio.Event = request.app.state.draining
    if draining.is_set() or watches.are_full:
        raise UnavailableError("No more streams are served here now. Try again.")
    looked_at = asyncio.get_running_loop().time()
    sight = await look(stores, wanted, owner)
    seen = Seen.read(last_event_id)
    if sight.standing.is_over and last_event_id and not news(wanted, sight, seen)[0]:
        return Response("", status_code=204, headers=_HEADERS)
    # A watch is shared by all who may see the upload.
    following = watches.following(wanted, Owner(owner.tenant, None), sight, looked_at=looked_at)
    reader = _Reader(request, wanted, seen)
    return _EventStream(reader.read(following), draining)


class _Reader:
    """One reader of one upload."""

    def __init__(self, request: Request[Any, Any, Any], upload_id: UUID, seen: Seen) -> None:
        self._authenticator: Authenticator = request.app.state.authenticator
        self._credential = credential_of(request)
        self._upload_id = upload_id
        self._seen = seen

    async def read(
        self, following: AbstractContextManager[tuple[Watch, asyncio.Event]]
    ) -> AsyncGenerator[bytes]:
        """Yield events and heartbeats until there is nothing more to come."""
        clock = asyncio.get_running_loop()
        with following as (watch, changed):
            yield RETRY
            last_sent = clock.time()
            while not watch.is_lost:
                changed.clear()
                sight = watch.sight
                sent, self._seen = news(self._upload_id, sight, self._seen)
                if sent or clock.time() - last_sent >= _HEARTBEAT_SECONDS:
                    yield sent or HEARTBEAT
                    last_sent = clock.time()
                if sight.standing.is_over or not await self._is_allowed():
                    return
                await _wait(changed, _CHECK_SECONDS)

    async def _is_allowed(self) -> bool:
        """Whether the key is still good, which is remembered for 5 s without Postgres."""
        try:
            async with asyncio.timeout(_CHECK_PATIENCE):
                await self._authenticator.caller(self._credential)
        except UnauthenticatedError:
            return False
        except UNAVAILABLE:
            return True  # nobody can know, and phase and jobs cannot be read meanwhile, either
        return True


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


class _EventStream(Response[str]):
    """A stream that ends at once when its reader hangs up or the service drains."""

    def __init__(self, messages: AsyncGenerator[bytes], draining: asyncio.Event) -> None:
        super().__init__("", headers=_HEADERS, media_type=MEDIA_TYPE)
        self._messages = messages
        self._draining = draining

    @override
    def to_asgi_response(self, app: Any, request: Any, **options: Any) -> ASGIResponse:
        headers = {**(options.get("headers") or {}), **self.headers}
        return _Sending(self._messages, self._draining, headers)


class _Sending(ASGIStreamingResponse):
    def __init__(
        self,
        messages: AsyncGenerator[bytes],
        draining: asyncio.Event,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(iterator=messages, headers=dict(headers), media_type=MEDIA_TYPE)
        self._messages = messages
        self._draining = draining

    @override
    async def send_body(self, send: Send, receive: Receive) -> None:
        """Send until the first of these: all is said, the reader is gone, draining, time is up."""
        sides = [
            asyncio.create_task(side)
            for side in (self._send_all(send), _gone(receive), _set(self._draining))
        ]
        try:
            await asyncio.wait(sides, timeout=_LONGEST_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(sides)
            # Sending may have been cancelled between two events: only closing frees the place.
            await self._messages.aclose()
        for side in sides:
            if not side.cancelled():
                side.result()
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_all(self, send: Send) -> None:
        async for message in self._messages:
            await send({"type": "http.response.body", "body": message, "more_body": True})


async def _set(event: asyncio.Event) -> None:
    await event.wait()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


ROUTES: Final = (events,)
