"""Simulates case after case, each on one seed, and prints what happened and whether it was right.

``python -m tests.proof.simulate --seed 7 --cases 1 --trace`` replays a case alone.
"""

import os
import sys
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from tests.proof.bugs import BUGS
from tests.proof.faults import KINDS
from tests.proof.run import Verdict, simulate
from tests.proof.script import THEMES

_BEGIN, _END = "<!-- simulator:begin -->\n", "<!-- simulator:end -->\n"
_MOST_SHOWN = 20


@dataclass
class Tally:
    """What a share of the seeds came to."""

    seeds: int = 0
    disputes: int = 0
    calls: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    twins: Counter[str] = field(default_factory=Counter)
    failed: list[Verdict] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        """Count one seed."""
        self.seeds += 1
        self.disputes += verdict.disputes
        self.calls += verdict.calls
        self.faults += verdict.faults
        self.twins += verdict.twins
        if verdict.findings:
            self.failed.append(verdict)

    def merge(self, other: "Tally") -> None:
        """Count another share."""
        self.seeds += other.seeds
        self.disputes += other.disputes
        self.calls += other.calls
        self.faults += other.faults
        self.twins += other.twins
        self.failed += other.failed


@dataclass(frozen=True)
class Share:
    """The seeds of one process: every ``step``-th from ``first``; ``None``: until time is up."""

    first: int
    step: int
    count: int | None
    seconds: float | None
    workers: int
    bug: str | None
    theme: str | None
    trace: bool


def run_share(share: Share) -> Tally:
    """Simulate a share."""
    tally = Tally()
    began = time.monotonic()
    for seed in _seeds(share):
        if share.seconds is not None and time.monotonic() - began > share.seconds:
            break
        verdict = simulate(
            seed, workers=share.workers, bug=share.bug, theme=share.theme, trace=share.trace
        )
        tally.add(verdict)
        for finding in verdict.findings:
            _say(f"seed {seed}: {finding}\n  {_replay(share, seed)}")
        if share.trace:
            _say("\n".join((*verdict.lines, f"digest {verdict.digest}")))
    return tally


def _seeds(share: Share) -> Iterator[int]:
    seed = share.first
    while share.count is None or seed < share.first + share.count * share.step:
        yield seed
        seed += share.step


def _replay(share: Share, seed: int) -> str:
    more = f" --bug {share.bug}" if share.bug else ""
    more += f" --theme {share.theme}" if share.theme else ""
    workers = "" if share.workers == _DEFAULT_WORKERS else f" --workers {share.workers}"
    return f"python -m tests.proof.simulate --seed {seed} --cases 1{workers}{more} --trace"


_DEFAULT_WORKERS = 2


def run(options: Namespace) -> tuple[Tally, float]:
    """Simulate on all processes; gives the sum and the seconds it took."""
    jobs: int = min(options.jobs, options.cases or options.jobs)
    seconds = options.minutes * 60 if options.minutes else None
    shares = [
        Share(
            first=options.seed + number,
            step=jobs,
            count=len(range(number, options.cases, jobs)) if options.cases else None,
            seconds=seconds,
            workers=options.workers,
            bug=options.bug,
            theme=options.theme,
            trace=options.trace,
        )
        for number in range(jobs)
    ]
    began = time.monotonic()
    tally = Tally()
    if jobs == 1:
        tally.merge(run_share(shares[0]))
    else:
        with get_context("spawn").Pool(jobs) as pool:
            for part in pool.imap_unordered(run_share, shares):
                tally.merge(part)
    return tally, time.monotonic() - began


def figures(tally: Tally, seconds: float, options: Namespace) -> str:
    """The result as Markdown."""
    struck = sum(tally.faults.values())
    kinds = [kind for kind in KINDS if tally.faults[kind]]
    lines = [
        (
            f"{tally.seeds:,} simulated payments with {tally.disputes:,} disputes and"
            f" {tally.calls:,} requests to book, from seed {options.seed},"
            f" in {seconds / 60:.1f} minutes on {options.jobs} processes:"
            f" {tally.seeds / seconds:.1f} seeds a second."
        ),
        "",
        (
            f"{struck:,} faults of {len(kinds)} kinds really happened"
            f" ({len(KINDS)} are known). **{len(tally.failed)} seeds failed.**"
        ),
        "",
        "| fault | times |",
        "|---|---:|",
        *(f"| `{kind}` | {tally.faults[kind]:,} |" for kind in kinds),
        "",
        "Operations that the gateway booked more than once, each where nobody could have known:",
        "",
        "| type, cause, and what became of it | operations |",
        "|---|---:|",
        *(f"| {what} | {count:,} |" for what, count in sorted(tally.twins.items())),
        "",
    ]
    lines += [f"- seed {it.seed}: {'; '.join(it.findings)}" for it in tally.failed[:_MOST_SHOWN]]
    return "\n".join(lines) + ("\n" if tally.failed else "")


def write(document: Path, text: str) -> None:
    """Put the figures between the markers of a document."""
    before, _, rest = document.read_text("utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    document.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{after}", "utf-8")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _options(arguments: list[str] | None) -> Namespace:
    parser = ArgumentParser("python -m tests.proof.simulate", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--cases", type=int, help="how many seeds; without it, until time is up")
    parser.add_argument("--minutes", type=float, help="stop after so many minutes")
    parser.add_argument("--workers", type=int, default=_DEFAULT_WORKERS, help="of the engine")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--store", choices=["memory"], default="memory")
    parser.add_argument("--bug", choices=BUGS, help="a mistake put into the engine on purpose")
    parser.add_argument("--theme", choices=sorted(set(THEMES)), help="else each seed draws its own")
    parser.add_argument("--trace", action="store_true", help="print all that happens")
    parser.add_argument("--write", type=Path, help="document that takes the figures")
    options = parser.parse_args(arguments)
    if not (options.cases or options.minutes):
        options.cases = 100
    return options


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 where a seed failed."""
    options = _options(arguments)
    tally, seconds = run(options)
    text = figures(tally, seconds, options)
    _say(text)
    if options.write:
        write(options.write, text)
    return 1 if tally.failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
