"""What everybody may do, said a second time: by hand, and not by reading the service's own table.

The routes come from the OpenAPI document; how each is called, and on what, stands here.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

HERE: Final = object()  # stands for the id of the thing that a request is about

_DIGEST: Final = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


class Who(StrEnum):
    """Callers; all but the first are of one tenant, and user alice where that matters."""

    NOBODY = "nobody"
    UPLOADER = "uploader"
    BACKEND = "backend"  # an uploader with act-as
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    INSTALLER = "installer"  # an admin with every-tenant
    TOKEN = "token"


class Whose(StrEnum):
    """Whom a thing belongs to."""

    MINE = "mine"
    MY_OTHER = "my other"  # alice's too, but the token is not for it
    COLLEAGUES = "colleague's"
    STRANGERS = "other tenant's"
    NOBODYS = "nobody's"


# By action, one letter a caller in the order of Who without NOBODY:
# t: the whole tenant's, o: their own, 1: the token's upload, -: nothing.
_EXPECTED: Final[Mapping[str, str]] = {
    "open": "ot-----",
    "send": "ot----1",
    "watch": "otttt" + "t1",
    "abort": "ot-tt" + "t1",
    "read": "otttt" + "t-",
    "renew": "ot-----",
    "count": "otttt" + "t-",
    "retry": "---tt" + "t-",
    "call-back": "-------",  # a trainer, who is none of these
    "administer": "----tt-",
    "govern": "-----t-",
}

_SEEN: Final[Mapping[str, frozenset[Whose]]] = {
    "t": frozenset({Whose.MINE, Whose.MY_OTHER, Whose.COLLEAGUES}),
    "o": frozenset({Whose.MINE, Whose.MY_OTHER}),
    "1": frozenset({Whose.MINE}),
    "-": frozenset(),
}


def expected(action: str | None, who: Who, whose: Whose | None) -> str:
    """Say what must come of it: ``yes``, or the status of the refusal. ``None``: an open route."""
    if action is None:
        return "yes"
    if who is Who.NOBODY:
        return "401"
    letter = _EXPECTED[action][list(Who).index(who) - 1]
    if letter == "-":
        return "403"
    return "yes" if whose is None or whose in _SEEN[letter] else "404"


class Thing(StrEnum):
    """What requests are about. Those of a tenant and of no user have no colleague's."""

    UPLOAD = "upload"  # open
    ENDED = "ended"  # FAILED: its stream of events ends at once
    JOB = "job"
    KEY = "key"
    ERASURE = "erasure"
    DELIVERY = "delivery"  # dead, of an event to the sink "hook"


OF_TENANT: Final = frozenset({Thing.KEY, Thing.ERASURE, Thing.DELIVERY})


class Probe(NamedTuple):
    """What a route is for, and how it is called. Without ``action`` it needs no key.

    ``uses_up``: a thing that was good for it is not good for the next. ``takes_all``: a thing that
    is foreign, or never was, is answered as one's own, and nothing is done to it.
    """

    action: str | None
    thing: Thing | None = None
    body: Mapping[str, Any] | None = None
    uses_up: bool = False
    takes_all: bool = False
    query: Mapping[str, str] | None = None


_FILE: Final = {"fileName": "a.csv", "fileSize": 3, "fileType": "text/csv"}
_KEY: Final = {"name": "matrix", "roles": ["viewer"]}

PROBES: Final[Mapping[tuple[str, str], Probe]] = {
    ("get", "/healthz"): Probe(None),
    ("get", "/readyz"): Probe(None),
    ("get", "/metrics"): Probe(None),
    ("post", "/api/upload/init"): Probe("open", body=_FILE),
    ("post", "/api/upload/urls"): Probe(
        "send", Thing.UPLOAD, {"uploadId": HERE, "chunks": [{"chunkIndex": 0, "sha256": _DIGEST}]}
    ),
    ("post", "/api/upload/chunk"): Probe("send", Thing.UPLOAD, {"uploadId": HERE, "chunkIndex": 0}),
    ("post", "/api/upload/complete"): Probe("send", Thing.UPLOAD, {"uploadId": HERE}),
    ("get", "/api/upload/status/{upload_id}"): Probe("watch", Thing.UPLOAD),
    ("get", "/api/me"): Probe("watch"),
    ("get", "/api/health"): Probe("retry"),
    ("get", "/api/uploads"): Probe("read"),
    ("get", "/api/uploads/{upload_id}/timeline"): Probe("read", Thing.UPLOAD),
    ("delete", "/api/uploads/{upload_id}"): Probe("abort", Thing.UPLOAD, uses_up=True),
    ("get", "/api/uploads/{upload_id}/manifest"): Probe("read", Thing.UPLOAD),
    ("get", "/api/uploads/{upload_id}/jobs"): Probe("read", Thing.UPLOAD),
    ("get", "/api/uploads/{upload_id}/download"): Probe("read", Thing.UPLOAD),
    ("get", "/api/uploads/{upload_id}/artifacts"): Probe("read", Thing.UPLOAD),
    ("post", "/api/uploads/{upload_id}/jobs"): Probe("retry", Thing.UPLOAD, {"kind": "scan_pii"}),
    ("get", "/api/jobs"): Probe("read"),
    ("get", "/api/jobs/{job_id}"): Probe("read", Thing.JOB),
    ("post", "/api/jobs/{job_id}/cancel"): Probe("retry", Thing.JOB),
    ("get", "/api/uploads/{upload_id}/events"): Probe("watch", Thing.ENDED),
    ("post", "/api/uploads/{upload_id}/token"): Probe("renew", Thing.UPLOAD),
    ("put", "/api/uploads/{upload_id}/hold"): Probe("administer", Thing.UPLOAD, {"case": "A-1"}),
    ("delete", "/api/uploads/{upload_id}/hold"): Probe("administer", Thing.UPLOAD),
    ("post", "/api/jobs/{job_id}/retry"): Probe("retry", Thing.JOB),
    ("post", "/api/jobs/{job_id}/callback"): Probe("call-back", Thing.JOB, {"status": "running"}),
    ("get", "/api/search"): Probe("read", query={"q": "a question"}),
    ("get", "/api/datasets"): Probe("read"),
    ("get", "/api/datasets/{upload_id}/card"): Probe("read", Thing.UPLOAD),
    ("get", "/api/stats"): Probe("count"),
    ("get", "/api/audit"): Probe("administer"),
    ("post", "/api/keys"): Probe("administer", body=_KEY),
    ("get", "/api/keys"): Probe("administer"),
    ("post", "/api/keys/{key_id}/rotate"): Probe("administer", Thing.KEY, uses_up=True),
    ("delete", "/api/keys/{key_id}"): Probe("administer", Thing.KEY, uses_up=True),
    ("get", "/api/quotas"): Probe("administer"),
    ("put", "/api/quotas"): Probe("govern", body={"openUploads": 1_000_000}),
    ("get", "/api/retention"): Probe("administer"),
    ("put", "/api/retention"): Probe(
        "administer", body={"rules": [{"purpose": "*", "afterDays": 365, "action": "delete"}]}
    ),
    ("get", "/api/retention/preview"): Probe("administer"),
    ("get", "/api/deliveries"): Probe("retry"),
    ("post", "/api/deliveries/{event_id}/{sink}/retry"): Probe("retry", Thing.DELIVERY),
    ("post", "/api/erasures"): Probe(
        "administer", Thing.UPLOAD, {"uploadId": HERE, "dryRun": True}, takes_all=True
    ),
    ("get", "/api/erasures"): Probe("administer"),
    ("get", "/api/erasures/{erasure_id}"): Probe("administer", Thing.ERASURE),
}
