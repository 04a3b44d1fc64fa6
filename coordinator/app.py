"""The composition root of the service."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import metadata
from typing import Any, Final

from litestar import Litestar, Request
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from coordinator.adapters.hints import open_hints
from coordinator.adapters.stores import Stores, open_stores
from coordinator.domain.capabilities import EVERYTHING, Capabilities
from coordinator.operations.authenticate import Authenticator
from coordinator.operations.watch_upload import open_watches
from coordinator.settings import Settings
from coordinator.web import complete, events, health, init, problems, report, sign, status, uploads
from coordinator.web.auth import provide_caller, provide_owner
from coordinator.web.observed import Observed
from coordinator.web.pulse import Pulse

MAX_BODY_BYTES: Final = 2 * 1024 * 1024

_MODULES: Final = (init, sign, report, status, complete, uploads, events, health)


def create_app(settings: Settings, capabilities: Capabilities = EVERYTHING) -> Litestar:
    """Build the service; stores are opened with its lifespan.

    ``capabilities``: what a probe found the bucket to enforce.
    """

    @asynccontextmanager
    async def resources(app: Litestar) -> AsyncGenerator[None]:
        async with open_stores(settings, capabilities) as stores:
            app.state.stores = stores
            app.state.authenticator = Authenticator(stores.pool, secret=settings.secret)
            app.state.background = set()
            app.state.pulse = Pulse(stores, app.state.background)
            app.state.draining = asyncio.Event()
            async with (
                open_hints(settings.redis_url) as hints,
                open_watches(stores, hints, most=settings.max_streams) as app.state.watches,
            ):
                yield
            await asyncio.gather(*app.state.background, return_exceptions=True)

    async def provide_stores(request: Request[Any, Any, Any]) -> Stores:
        stores: Stores = request.app.state.stores
        return stores

    async def provide_settings() -> Settings:
        return settings

    return Litestar(
        route_handlers=[route for module in _MODULES for route in module.ROUTES],
        lifespan=[resources],
        dependencies={
            "stores": Provide(provide_stores),
            "settings": Provide(provide_settings),
            "caller": Provide(provide_caller),
            "owner": Provide(provide_owner),
        },
        middleware=[Observed()],
        exception_handlers=problems.HANDLERS,
        cors_config=CORSConfig(
            allow_origins=settings.origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID"],
            expose_headers=["X-Request-Id", "Retry-After"],
        ),
        openapi_config=OpenAPIConfig(
            title="Coordinator",
            version=metadata.version("upload-coordinator"),
            description="Direct-to-S3 multipart uploads, proven end to end.",
            path="/schema",
            use_handler_docstrings=True,
            render_plugins=[JsonRenderPlugin()],
            security=[{"apiKey": []}],
            components=Components(
                security_schemes={"apiKey": SecurityScheme(type="http", scheme="bearer")}
            ),
        ),
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,
        debug=False,
    )
