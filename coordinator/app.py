"""The composition root of the service."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import metadata
from typing import Any, Final

from litestar import Litestar, Request
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from coordinator.adapters.embedders import read_embedder
from coordinator.adapters.hints import open_hints
from coordinator.adapters.issuers import open_issuers, read_issuers
from coordinator.adapters.query_embedder import QueryEmbedder
from coordinator.adapters.stores import Stores, open_stores
from coordinator.domain.capabilities import EVERYTHING, Capabilities
from coordinator.operations.authenticate import Authenticator
from coordinator.operations.note_refusal import Refusals
from coordinator.operations.watch_upload import open_watches
from coordinator.settings import Settings
from coordinator.web import (
    audit,
    backlog,
    callbacks,
    complete,
    datasets,
    deliveries,
    downloads,
    erasures,
    events,
    health,
    hygiene,
    init,
    jobs,
    keys,
    me,
    pages,
    problems,
    quotas,
    report,
    retention,
    search,
    sign,
    stats,
    status,
    timeline,
    tokens,
    uploads,
)
from coordinator.web.auth import provide_caller, provide_owner
from coordinator.web.limits import Limits, provide_visit, rules_of, tell_limits
from coordinator.web.observed import Observed
from coordinator.web.pulse import Pulse
from coordinator.web.refusals import note_refused

MAX_BODY_BYTES: Final = 2 * 1024 * 1024

_MODULES: Final = (
    me,
    init,
    sign,
    report,
    status,
    complete,
    uploads,
    timeline,
    downloads,
    tokens,
    jobs,
    callbacks,
    search,
    datasets,
    stats,
    events,
    deliveries,
    erasures,
    retention,
    quotas,
    health,
    backlog,
    keys,
    audit,
    pages,
)


def create_app(settings: Settings, capabilities: Capabilities = EVERYTHING) -> Litestar:
    """Build the service; stores are opened with its lifespan.

    ``capabilities``: what a probe found the bucket to enforce.
    """
    issuers = read_issuers(settings.issuers)
    embedder = read_embedder(settings.embeddings)
    rules = rules_of(settings)

    @asynccontextmanager
    async def resources(app: Litestar) -> AsyncGenerator[None]:
        async with (
            open_stores(settings, capabilities) as stores,
            open_issuers(issuers) as opened,
        ):
            app.state.stores = stores
            app.state.authenticator = Authenticator(
                stores.pool, secret=settings.secret, issuers=opened
            )
            app.state.limits = Limits(rules, stores.limiter, stores.pool)
            app.state.refusals = Refusals(stores.pool)
            app.state.background = set()
            app.state.pulse = Pulse(stores, app.state.background)
            app.state.draining = asyncio.Event()
            app.state.query_embedder = QueryEmbedder(embedder)
            async with (
                open_hints(settings.redis_url) as hints,
                open_watches(stores, hints, most=settings.max_streams) as app.state.watches,
            ):
                yield
            await asyncio.gather(*app.state.background, return_exceptions=True)
            app.state.query_embedder.close()

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
            "visit": Provide(provide_visit),
        },
        middleware=[Observed()],
        exception_handlers=problems.HANDLERS,
        after_exception=[note_refused],
        before_send=[tell_limits, hygiene.tidied(hsts_seconds=settings.hsts_seconds)],
        cors_config=hygiene.cors(settings.origins),
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
