"""Prints what was measured."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median

from bench.counting import Counted
from bench.usage import machine
from starter.render import console, table


@dataclass(frozen=True)
class Round:
    """One round of one side; ``cpu`` are seconds by process."""

    side: str
    cases: int
    seconds: float
    cpu: dict[str, float]

    @property
    def rate(self) -> float:
        """Lifecycles per second."""
        return self.cases / self.seconds

    def cpu_per_case(self, process: str) -> float:
        """Processor seconds per case of one process, or of ``all``."""
        spent = sum(self.cpu.values()) if process == "all" else self.cpu[process]
        return spent / self.cases


def show(rounds: Sequence[Round], counted: Sequence[Counted]) -> None:
    """Print throughput, processor time, history and actions."""
    out = console()
    sides = [one.side for one in counted]
    columns = ("", *(f">{name}" for name in sides), ">engine : floor")
    out.print(f"Machine: {machine()}; everything runs on it.\n")
    out.print(table("Throughput and processor time", columns, _speed(sides, rounds)))
    out.print(table("One unhurried case", columns[:-1], _history(counted)))


def _speed(sides: Sequence[str], rounds: Sequence[Round]) -> list[tuple[str, ...]]:
    by_side = {name: [one for one in rounds if one.side == name] for name in sides}
    rates = {name: median(one.rate for one in of) for name, of in by_side.items()}
    pairs = zip(by_side["engine"], by_side["floor"], strict=True)
    ratios = sorted(engine.rate / floor.rate for engine, floor in pairs)
    rows = [
        (
            "lifecycles per second, median round",
            *(f"{rates[name]:.1f}" for name in sides),
            f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})",
        )
    ]
    for process in (*rounds[0].cpu, "all"):
        spent = {
            name: mean(one.cpu_per_case(process) for one in of) for name, of in by_side.items()
        }
        label = f"processor ms per case, {process}"
        times = [f"{spent[name] * 1000:.0f}" for name in sides]
        rows.append((label, *times, f"{spent['engine'] / max(spent['floor'], 1e-9):.2f}"))
    return rows


def _history(counted: Sequence[Counted]) -> list[tuple[str, ...]]:
    rows = [
        ("history events, to the wait for the tail", *(str(it.to_tail.events) for it in counted)),
        ("history events, to the end of the tail", *(str(it.whole.events) for it in counted)),
        ("history bytes, to the end of the tail", *(f"{it.whole.size:,}" for it in counted)),
        (
            "billable actions, heartbeats and queries apart",
            *(str(it.whole.actions.total()) for it in counted),
        ),
    ]
    rows += _kinds("  action: ", [it.whole.actions for it in counted])
    rows += _kinds("  event: ", [it.whole.kinds for it in counted])
    return rows


def _kinds(prefix: str, counters: Sequence[Counter[str]]) -> list[tuple[str, ...]]:
    names = sorted(set().union(*counters), key=lambda name: -counters[-1][name])
    return [(prefix + name, *(str(one[name]) for one in counters)) for name in names]
