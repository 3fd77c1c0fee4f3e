"""How often a key may knock."""

import time
from dataclasses import dataclass

from starter.api.keys import ApiKey


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class RateLimit:
    """How many requests a key has left; each process counts for itself."""

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}

    def wait_s(self, key: ApiKey) -> float:
        """Count one request; seconds until the next is allowed, zero where this one is."""
        now = time.monotonic()
        bucket = self._buckets.setdefault(key.name, _Bucket(key.per_minute, now))
        refilled = bucket.left + (now - bucket.at) * key.per_minute / 60
        bucket.left, bucket.at = min(refilled, float(key.per_minute)), now
        if bucket.left < 1:
            return (1 - bucket.left) * 60 / key.per_minute
        bucket.left -= 1
        return 0.0
