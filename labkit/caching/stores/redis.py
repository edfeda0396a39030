"""Records in a Redis, which several machines may share. redis-py 5.2 or newer; entries expire by themselves.

    labkit:cache:v1:KEY               one record, JSON
    labkit:vectors:v1:NAMESPACE       the questions of a semantic cache, a list

Whoever may read that Redis may read the answers, and whoever may write it may change them.
"""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from labkit.caching.records import Record
from labkit.caching.stores.base import StoreTrouble, VectorRow
from labkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDS, VECTORS = "labkit:cache:v1:", "labkit:vectors:v1:"
CONNECT_SECONDS = 0.5
ANSWER_SECONDS = 0.5
"""A cache that is slower than this does not help: the call goes on without it."""
BATCH = 1000
"""Keys deleted at once."""


class RedisStore:
    def __init__(self, url: str) -> None:
        """
        Raises:
            SettingsError: no Redis address, or redis-py is not installed.
        """
        self.label = _without_password(url)
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry

            self._error: type[Exception] = redis.RedisError
            self._redis: Any = redis.Redis.from_url(
                url,
                socket_connect_timeout=CONNECT_SECONDS,
                socket_timeout=ANSWER_SECONDS,
                retry=Retry(NoBackoff(), 1, (redis.ConnectionError,)),  # once, for a connection that went stale
            )
        except ImportError:
            raise SettingsError("A Redis cache needs redis-py: pip install redis.", name="LABKIT_REDIS_URL") from None
        except ValueError:
            raise SettingsError(
                f"{self.label} is no Redis address: write one such as redis://127.0.0.1:6379/0.",
                name="LABKIT_REDIS_URL",
            ) from None

    def get(self, key: str) -> Record | None:
        found = self._do("read", lambda r: r.get(RECORDS + key))
        try:
            return None if found is None else Record.from_json(found)
        except ValueError:
            return None

    def put(self, key: str, record: Record) -> None:
        lifetime = _milliseconds(record)
        self._do("written", lambda r: r.set(RECORDS + key, record.to_json(), px=lifetime))

    def delete(self, key: str) -> None:
        self._do("written", lambda r: r.delete(RECORDS + key))

    def add_vector(self, namespace: str, row: VectorRow) -> None:
        line = json.dumps([row.key, row.question, base64.b64encode(row.vector).decode()], ensure_ascii=False)
        self._do("written", lambda r: r.rpush(VECTORS + namespace, line))

    def vectors(self, namespace: str, after: int) -> tuple[int, list[VectorRow]]:
        lines = self._do("read", lambda r: r.lrange(VECTORS + namespace, after, -1))
        rows = [json.loads(line) for line in lines]
        return after + len(lines), [VectorRow(key, asked, base64.b64decode(vector)) for key, asked, vector in rows]

    def clear(self) -> None:
        self._do("written", _clear)

    def __len__(self) -> int:
        return int(self._do("read", lambda r: sum(1 for _ in r.scan_iter(f"{RECORDS}*", count=BATCH))))

    def close(self) -> None:
        self._redis.close()

    def _do(self, verb: str, call: Callable[[Any], Any]) -> Any:
        """
        Raises:
            StoreTrouble: Redis is not there, is too slow, or refuses.
        """
        try:
            return call(self._redis)
        except (self._error, OSError) as error:
            reason = str(error).split("\n")[0].rstrip(".")
            raise StoreTrouble(f"Redis at {self.label} cannot be {verb} ({reason})") from error


def _clear(redis: Any) -> None:
    for pattern in (f"{RECORDS}*", f"{VECTORS}*"):
        found: list[bytes] = []
        for key in redis.scan_iter(pattern, count=BATCH):
            found.append(key)
            if len(found) == BATCH:
                redis.delete(*found)
                found.clear()
        if found:
            redis.delete(*found)


def _milliseconds(record: Record) -> int | None:
    return None if record.expires is None else max(1, math.ceil((record.expires - record.created) * 1000))


def _without_password(url: str) -> str:
    """
    >>> _without_password("redis://ada:secret@127.0.0.1:6379/0")
    'redis://127.0.0.1:6379/0'
    """
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
