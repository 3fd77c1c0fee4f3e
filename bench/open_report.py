"""Prints what open cases cost at each size, and by how much it grew from one size to the next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median, quantiles

from bench.open_costs import Held
from bench.usage import machine
from starter.render import console, table

_KIB, _MIB = 1024, 1024**2


@dataclass(frozen=True)
class Size:
    """What was measured with so many open cases.

    Attributes:
        open: cases that wait.
        added: cases since ``empty``, with the few that have ended: their bytes are still there.
        started: how many of them were started for this size, in ``seconds``.
        cpu: processor seconds that these starts took, by process.
        empty: what the stack held before the first case.
        idle: of one processor, by process, while every case waits.
        cold: milliseconds of each question to a case that no worker had in its cache.
        warm: the same when one has.
        late: milliseconds that each timer came late.
    """

    open: int
    added: int
    started: int
    seconds: float
    cpu: dict[str, float]
    empty: Held
    held: Held
    idle: dict[str, float]
    cold: list[float]
    warm: list[float]
    late: list[float]


def _p99(values: Sequence[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[-1]


_ROWS: Sequence[tuple[str, Callable[[Size], float]]] = (
    ("starts per second, until they wait", lambda it: it.started / it.seconds),
    ("processor ms per start, worker", lambda it: it.cpu["worker"] / it.started * 1000),
    ("processor ms per start, server", lambda it: it.cpu["server"] / it.started * 1000),
    (
        "disk KiB per case, Temporal",
        lambda it: (it.held.temporal_disk - it.empty.temporal_disk) / it.added / _KIB,
    ),
    (
        "disk KiB per case, engine",
        lambda it: (it.held.engine_disk - it.empty.engine_disk) / it.added / _KIB,
    ),
    (
        "server memory KiB per case",
        lambda it: (it.held.server - it.empty.server) / it.added / _KIB,
    ),
    ("server memory MiB, all", lambda it: it.held.server / _MIB),
    ("worker memory MiB, all", lambda it: it.held.worker / _MIB),
    ("idle: percent of a processor, server", lambda it: it.idle["server"] * 100),
    ("idle: percent of a processor, worker", lambda it: it.idle["worker"] * 100),
    ("query ms, not in the cache, median", lambda it: median(it.cold)),
    ("query ms, not in the cache, p99", lambda it: _p99(it.cold)),
    ("query ms, in the cache, median", lambda it: median(it.warm)),
    ("query ms, in the cache, p99", lambda it: _p99(it.warm)),
    ("timer ms late, median", lambda it: median(it.late)),
    ("timer ms late, longest", lambda it: max(it.late)),
)


def show(sizes: Sequence[Size]) -> None:
    """Print a column for each size, and between two of them the factor."""
    columns = ["open cases", f">{sizes[0].open:,}"]
    for size in sizes[1:]:
        columns += [">factor", f">{size.open:,}"]
    rows = [_row(label, [value(size) for size in sizes]) for label, value in _ROWS]
    out = console()
    out.print(f"Machine: {machine()}; everything runs on it.\n")
    out.print(table("Open cases", columns, rows))


def _row(label: str, values: Sequence[float]) -> list[str]:
    cells = [label, _short(values[0])]
    for before, value in pairwise(values):
        cells += [f"x{value / before:.2f}" if before > 0 else "", _short(value)]
    return cells


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"  # noqa: PLR2004 - digits
