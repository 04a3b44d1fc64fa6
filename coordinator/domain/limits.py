"""Rate limits: classes of routes."""

from enum import StrEnum


class RouteClass(StrEnum):
    """Routes that share a limit."""

    OPEN = "open"  # init
    SIGN = "sign"  # urls
    REPORT = "report"  # chunk
    COMPLETE = "complete"  # complete, abort
    READ = "read"  # status, lists, manifests, downloads, streams
    ADMIN = "admin"  # what operators and admins do
