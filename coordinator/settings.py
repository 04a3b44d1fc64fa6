"""What an operator can set: ``COORDINATOR_*`` variables, read once.

Rule: only the command line calls :func:`read`; everything below gets values passed in.
AWS's own variables (``AWS_ACCESS_KEY_ID``, ``AWS_REGION``, profiles, roles) are botocore's.
"""

import difflib
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from coordinator.origins import fault_of, origin_of, same_machine
from coordinator.redaction import password_of

PREFIX: Final = "COORDINATOR_"

# Read by clients and by `coordinator dev`; known everywhere, so that one run.env serves all.
CLIENT_VARIABLES: Final = frozenset({"url", "api_key", "home"})

MIB: Final = 1024 * 1024
DAY: Final = 86_400

Seconds = Annotated[int, Meta(ge=1)]


class SettingsError(Exception):
    """A variable is unknown, missing or cannot be read; the message says which and what to do."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One installation's settings. ``docs/settings.md`` is generated from this."""

    database_url: Annotated[str, Meta(description="PostgreSQL 14 or newer: postgresql://…")]
    redis_url: Annotated[str, Meta(description="Redis 7 or Valkey 8 and newer: redis://…")]
    s3_bucket: Annotated[str, Meta(min_length=3, description="Where the objects go.")]
    secret: Annotated[
        str,
        Meta(min_length=32, description="Keys the hashes of API keys. Keep it, or all keys end."),
    ]
    s3_endpoint: Annotated[
        str, Meta(description="S3's address as the service reaches it; empty means AWS.")
    ] = ""
    s3_public_endpoint: Annotated[
        str, Meta(description="S3's address as clients reach it; empty means the same.")
    ] = ""
    s3_addressing: Annotated[
        Literal["auto", "path", "virtual"],
        Meta(description="Bucket in the path or in the host; auto: path with an endpoint set."),
    ] = "auto"
    s3_prefix: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}\Z",
            description="First part of every key; installations that share a bucket differ in it.",
        ),
    ] = "datasets"
    host: Annotated[str, Meta(description="Address the service listens on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="Port the service listens on.")] = 3000
    worker_metrics_port: Annotated[
        int, Meta(ge=0, le=65_535, description="Port of the worker's /metrics; 0 turns it off.")
    ] = 0
    cors_origins: Annotated[
        str,
        Meta(
            description="Origins of pages that may call the API, separated by commas: "
            "`https://host` or `https://host:port`, `http://` for this machine only."
        ),
    ] = ""
    hsts_seconds: Annotated[
        int,
        Meta(ge=0, description="For how long browsers may use https only; 0: as they are told."),
    ] = 0
    max_connections: Annotated[
        int, Meta(ge=1, description="Connections that one process holds at once.")
    ] = 4_096
    header_timeout_seconds: Annotated[
        Seconds, Meta(description="How long a client may take to send a request's head.")
    ] = 10
    body_timeout_seconds: Annotated[
        Seconds, Meta(description="How long it may take for a body, and 1 s more for each 64 KiB.")
    ] = 30
    write_timeout_seconds: Annotated[
        Seconds, Meta(description="How long it may leave what is sent to it unread.")
    ] = 60
    rate_limits_user: Annotated[
        str,
        Meta(
            description="How many requests of each class a user may send: `count/period:burst`, "
            "period s, m or h. A class left out keeps its default; off: no limit. While Redis is "
            "away, each process counts by itself."
        ),
    ] = (
        "open=50/s:500 sign=100/s:1000 report=200/s:2000 complete=50/s:500 read=200/s:2000 "
        "admin=50/s:500"
    )
    rate_limits_address: Annotated[
        str,
        Meta(
            description="The same for a client address, of IPv6 a /64: an office may be behind "
            "one. refused: requests whose credential proves nobody."
        ),
    ] = (
        "open=200/s:2000 sign=400/s:4000 report=800/s:8000 complete=200/s:2000 read=800/s:8000 "
        "admin=200/s:2000 refused=10/s:500"
    )
    trusted_proxies: Annotated[
        str,
        Meta(
            description="Networks of proxies (CIDR) whose X-Forwarded-For is believed, separated "
            "by commas; without any, the client is who is connected."
        ),
    ] = ""
    url_lifetime_seconds: Annotated[
        int, Meta(ge=1, le=7 * DAY, description="How long a part URL can be used.")
    ] = 3_600
    session_lifetime_seconds: Annotated[
        Seconds,
        Meta(description="How long an upload may stay open; before the bucket's abort rule."),
    ] = 7 * DAY
    upload_token_seconds: Annotated[
        int, Meta(ge=60, le=DAY, description="How long an upload token can be used.")
    ] = 3_600
    lease_seconds: Annotated[
        Seconds, Meta(description="How long one attempt to complete holds an upload.")
    ] = 120
    s3_deadline_seconds: Annotated[
        Seconds, Meta(description="The longest wait for S3 to complete; shorter than the lease.")
    ] = 90
    min_chunk_bytes: Annotated[
        int, Meta(ge=1, description="Smallest chunk but the last; below 5 MiB only for tests.")
    ] = 5 * MIB
    drain_seconds: Annotated[
        int,
        Meta(ge=0, le=600, description="After SIGTERM, how long to serve until balancers notice."),
    ] = 5
    accepted_weaknesses: Annotated[
        str,
        Meta(
            description="Essential checks that S3 may fail, by name, separated by commas; "
            "docs/capabilities.md says what each means."
        ),
    ] = ""
    pool_size: Annotated[int, Meta(ge=1, description="Postgres connections of one process.")] = 10
    max_streams: Annotated[
        int, Meta(ge=1, description="Streams of events that one process serves at once.")
    ] = 1_000
    worker_concurrency: Annotated[int, Meta(ge=1, description="Jobs one worker runs at once.")] = 2
    worker_heavy_jobs: Annotated[
        int, Meta(ge=1, description="How many of them may be such that keep a processor busy.")
    ] = 1
    worker_processes: Annotated[
        int,
        Meta(
            ge=0,
            description="Processes that share the pieces of a job; 0: the worker's own does all.",
        ),
    ] = 2
    pipelines: Annotated[
        str,
        Meta(
            description="More purposes and their jobs, or others for ours: a JSON object, or the "
            "path of a file that holds one; docs/jobs.md says what stands in it."
        ),
    ] = ""
    issuers: Annotated[
        str,
        Meta(
            description="Who else may prove callers, by JWT: a JSON list, or the path of a file "
            "that holds one; docs/access.md says what stands in it."
        ),
    ] = ""
    embeddings: Annotated[
        str,
        Meta(
            description="What makes vectors of texts, for embeddings and search: a JSON object, or "
            'the path of a file that holds one, as in `{"kind": "local", "model": "wordllama"}`; '
            "docs/operating.md says what stands in it. Empty: nothing does."
        ),
    ] = ""
    event_sinks: Annotated[
        str,
        Meta(
            description="Where events go (http, sqs, kafka, rabbitmq): a JSON list, or the path of "
            "a file that holds one; docs/events.md says what stands in it."
        ),
    ] = ""
    event_source: Annotated[
        str,
        Meta(
            pattern=r"^[\x21-\x7e]{1,200}\Z",
            description="The `source` of events, a URI or the path of one: who sends them.",
        ),
    ] = "/upload-coordinator"
    trainers: Annotated[
        str,
        Meta(
            description="Who trains on prepared data sets (webhook, sagemaker, openai): a JSON "
            "list, or the path of a file that holds one; docs/trainers.md says what stands in it."
        ),
    ] = ""
    public_url: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^\s/?#@]+(/[^\s?#]*)?)?\Z",
            description="The service's own address as others reach it: its pages come from there, "
            "and trainers call back there.",
        ),
    ] = ""
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="What goes into the log.")
    ] = "info"

    @property
    def origins(self) -> list[str]:
        """The CORS origins as a list."""
        return [origin for entry in self.cors_origins.split(",") if (origin := entry.strip())]

    @property
    def own_origins(self) -> list[str]:
        """Where the service's own pages come from; empty where nothing says it."""
        if self.public_url:
            return [origin_of(self.public_url)]
        return same_machine(self.host, self.port)

    @property
    def page_origins(self) -> list[str]:
        """The origins of all pages that send parts to S3: the service's own, and CORS'."""
        return list(dict.fromkeys([*self.own_origins, *self.origins]))

    @property
    def confidential(self) -> set[str]:
        """What no log may show."""
        return {self.secret, password_of(self.database_url), password_of(self.redis_url)} - {""}

    @property
    def uses_path_addressing(self) -> bool:
        """Whether the bucket stands in the path of a URL and not in its host."""
        if self.s3_addressing == "auto":
            return bool(self.s3_endpoint or self.s3_public_endpoint)
        return self.s3_addressing == "path"


KNOWN: Final = frozenset(Settings.__struct_fields__) | CLIENT_VARIABLES


def check_names(environ: Mapping[str, str]) -> None:
    """Refuse a ``COORDINATOR_*`` variable that nothing reads, naming the nearest that exists.

    Raises:
        SettingsError: a name is unknown, most likely a typing mistake.

    """
    known = sorted(each.upper() for each in KNOWN)
    for name in sorted(environ):
        if name.startswith(PREFIX) and (rest := name.removeprefix(PREFIX)) not in known:
            near = difflib.get_close_matches(rest.upper(), known, n=1)
            hint = f" Did you mean {PREFIX}{near[0]}?" if near else ""
            raise SettingsError(f"{name} is not a setting.{hint} docs/settings.md lists them.")


def read(environ: Mapping[str, str]) -> Settings:
    """Read the settings of a service or worker from ``environ``.

    Raises:
        SettingsError: a variable is unknown, missing, or has a value out of its range.

    """
    check_names(environ)
    values = {
        name: environ[variable]
        for name in Settings.__struct_fields__
        if (variable := PREFIX + name.upper()) in environ
    }
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as exc:
        raise SettingsError(_readable(exc)) from exc
    if settings.s3_deadline_seconds >= settings.lease_seconds:
        raise SettingsError(
            "COORDINATOR_S3_DEADLINE_SECONDS must be less than COORDINATOR_LEASE_SECONDS: "
            "a lease must outlast the call that it protects."
        )
    for origin in settings.origins:
        if fault := fault_of(origin):
            raise SettingsError(f"COORDINATOR_CORS_ORIGINS: {origin} cannot be used: {fault}.")
    return settings


def _readable(exc: msgspec.ValidationError) -> str:
    """Say a conversion error in the operator's words: the variable, not the field."""
    message = str(exc)
    for name in sorted(Settings.__struct_fields__, key=len, reverse=True):
        for quoted in (f"`$.{name}`", f"`{name}`"):
            message = message.replace(quoted, PREFIX + name.upper())
    return f"{message.replace('Object missing required field', 'Missing setting')}."
