"""Starts the servers that come in wheels: PostgreSQL, Valkey and SeaweedFS.

They are for bare machines and for tests. Rule: nothing of the service imports this package; only
the command line and tests do.
"""

from coordinator.embedded.errors import EmbeddedError
from coordinator.embedded.keeper import Keeper
from coordinator.embedded.server import Server
from coordinator.embedded.servers import Addresses, Servers, running

__all__ = ["Addresses", "EmbeddedError", "Keeper", "Server", "Servers", "running"]
