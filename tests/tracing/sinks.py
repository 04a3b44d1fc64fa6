"""Everything that a run leaves behind, as bytes, and a scan of it for secrets that were used."""

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

import psycopg
import redis
from psycopg import sql
from psycopg.rows import dict_row

# Not uploads: it keeps S3's ids, by which the service speaks with S3, and the tokens that prove.
_TABLES: Final = ("audit", "jobs", "procrastinate_jobs", "procrastinate_events", "manifests")


def spelt(secret: str) -> list[bytes]:
    """Spell a secret as it is, as URLs have it, once and twice, and in base64 at any offset."""
    quoted = quote(secret, safe="")
    found = {secret, quoted, quote(quoted, safe="")}
    for skipped in range(3):
        rest = secret.encode()[skipped:]
        found.add(base64.b64encode(rest).decode()[: len(rest) * 8 // 6])
        found.add(base64.urlsafe_b64encode(rest).decode()[: len(rest) * 8 // 6])
    return [each.lower().encode() for each in found]


def leaks(sinks: Mapping[str, bytes], secrets: Mapping[str, str]) -> list[tuple[str, str]]:
    """Name what leaked and where, whatever its case: (secret, sink)."""
    forms = {name: spelt(secret) for name, secret in secrets.items()}
    folded = {sink: shown.lower() for sink, shown in sinks.items()}
    return [
        (name, sink)
        for sink, shown in folded.items()
        for name, spellings in forms.items()
        if any(each in shown for each in spellings)
    ]


def rows(database_url: str) -> dict[str, bytes]:
    """Read what the database shows to operators, callers and the queue."""
    found = {}
    with psycopg.connect(database_url, row_factory=dict_row) as conn:
        for table in _TABLES:
            query = sql.SQL("SELECT to_jsonb(t) AS row FROM {} AS t").format(sql.Identifier(table))
            found[f"table {table}"] = repr(conn.execute(query).fetchall()).encode()
    return found


def redis_dump(url: str) -> bytes:
    """Read every key with its value."""
    with redis.Redis.from_url(url) as client:
        return b"\n".join(_values(client))


def _values(client: Any) -> Iterator[bytes]:
    readers = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"set": client.smembers,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"stream": client.xrange,
    }
    for key in client.scan_iter(count=1_000):
        value = readers.get(client.type(key), lambda _key: b"")(key)
        yield key + b" " + (value if isinstance(value, bytes) else repr(value).encode())
