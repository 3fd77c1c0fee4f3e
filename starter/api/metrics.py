"""What the API counts of itself, as Prometheus reads it (text format 0.0.4)."""

from collections import Counter
from dataclasses import asdict, dataclass

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_METHODS = frozenset("DELETE GET HEAD OPTIONS PATCH POST PUT".split())
_REQUESTS = "disputes_api_requests_total"
_SECONDS = "disputes_api_request_seconds"
_NOTIFICATIONS = "disputes_notifications_total"


@dataclass
class DoorCounts:
    """What came to the gateway's door since the process started."""

    kept: int = 0
    repeated: int = 0
    not_authentic: int = 0
    too_large: int = 0
    not_kept: int = 0


class Metrics:
    """Requests by method, route and status, their time, and notifications, since the start."""

    def __init__(self) -> None:
        self._requests = Counter[tuple[str, str, int]]()
        self._micros = Counter[tuple[str, str]]()
        self._taken = Counter[tuple[str, str]]()
        self.door = DoorCounts()

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request; ``route`` is its pattern, never the path asked for."""
        method = method if method in _METHODS else "other"
        self._requests[method, route, status] += 1
        self._taken[method, route] += 1
        self._micros[method, route] += round(seconds * 1_000_000)

    def text(self) -> str:
        """Everything counted."""
        lines = [
            f"# HELP {_REQUESTS} Requests answered.",
            f"# TYPE {_REQUESTS} counter",
            *(
                f'{_REQUESTS}{{method="{method}",route="{route}",status="{status}"}} {count}'
                for (method, route, status), count in sorted(self._requests.items())
            ),
            f"# HELP {_SECONDS} Time from the request's head to the answer's end.",
            f"# TYPE {_SECONDS} summary",
        ]
        for (method, route), micros in sorted(self._micros.items()):
            labels = f'{{method="{method}",route="{route}"}}'
            lines.append(f"{_SECONDS}_sum{labels} {micros / 1_000_000:.6f}")
            lines.append(f"{_SECONDS}_count{labels} {self._taken[method, route]}")
        lines += [
            f"# HELP {_NOTIFICATIONS} Notifications of the gateway that came to the door.",
            f"# TYPE {_NOTIFICATIONS} counter",
            *(f'{_NOTIFICATIONS}{{outcome="{name}"}} {n}' for name, n in asdict(self.door).items()),
        ]
        return "\n".join(lines) + "\n"
