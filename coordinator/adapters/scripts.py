"""Scripts that run inside Redis, one file of ``lua/`` each."""

from collections.abc import Sequence
from importlib import resources
from typing import Any, cast

from redis.asyncio import Redis

from coordinator import tracing


class Script:
    """A script of ``lua/``, each call of it one round trip and a span."""

    def __init__(self, redis: Redis, name: str) -> None:
        source = resources.files("coordinator.adapters").joinpath(f"lua/{name}.lua")
        self._run = redis.register_script(source.read_text("utf-8"))
        self._name = f"Redis {name}"
        self._told = tracing.redis_call(name)

    async def __call__(self, keys: Sequence[str], args: Sequence[Any] = ()) -> list[Any]:
        """Run it."""
        with tracing.call(self._name, self._told):
            return cast("list[Any]", await self._run(keys=keys, args=args))
