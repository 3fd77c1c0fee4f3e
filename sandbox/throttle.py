"""The platform's rate limits: so many calls per key in any sixty seconds (protocol, section 5)."""

import time
from collections import defaultdict, deque

_WINDOW_S = 60.0


class Throttle:
    """Moments of the last minute, per key."""

    def __init__(self) -> None:
        self._calls: dict[str, deque[float]] = defaultdict(deque)

    def admits(self, key: str, limit: int) -> bool:
        """Whether another call under ``key`` is within ``limit`` a minute; 0 means no limit.

        A refused call does not count.
        """
        if limit == 0:
            return True
        now = time.monotonic()
        calls = self._calls[key]
        while calls and calls[0] <= now - _WINDOW_S:
            calls.popleft()
        if len(calls) >= limit:
            return False
        calls.append(now)
        return True

    def forget(self) -> None:
        """Start every minute anew."""
        self._calls.clear()
