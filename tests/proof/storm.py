"""A storm of process faults over thousands of cases, on real servers, judged by the gateway's book.

``python -m tests.proof.storm --cases 2000 --faults 300 --seed 1``; one seed is one plan of faults.
"""

import asyncio
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.proof.crash_report import write
from tests.proof.storm_faults import FULL_DISK, STRIKES, Blow, plan
from tests.proof.storm_ground import Ground, run_ground
from tests.proof.storm_judge import Judge
from tests.proof.storm_lives import Callers

_AT_ONCE = 60
#: How long the gateway takes for an answer.
_ANSWER_S = 0.3


async def blow_all(ground: Ground, blows: Sequence[Blow], cases: int) -> Counter[str]:
    """Let the cases live while the blows fall; gives how often each kind did."""
    fallen: Counter[str] = Counter()
    callers, room = Callers(ground), asyncio.Semaphore(_AT_ONCE)

    async def live(number: int) -> None:
        async with room:
            await callers.live(number)

    async def strike(blow: Blow) -> None:
        # A process that has just died cannot be struck: that is no fault.
        with suppress(ProcessLookupError, ZeroDivisionError):
            await STRIKES[blow.kind](ground, blow)
            fallen[blow.kind] += 1

    async with asyncio.TaskGroup() as lives:
        begun = 0
        for place, blow in enumerate(blows, 1):
            # Evenly, so that no blow falls on an empty house.
            while begun < cases * place // len(blows):
                lives.create_task(live(begun))
                begun += 1
            await asyncio.sleep(blow.pause_s)
            lives.create_task(strike(blow))
            if place % 20 == 0:
                _say(f"{place} faults, {begun} cases begun")
    return fallen


async def run(options: Namespace, folder: Path) -> tuple[Judge, Counter[str], bool]:
    """The storm, the calm after it, and the judgement."""
    async with run_ground(folder) as ground:
        # A slow gateway: most blows then fall on calls under way.
        await ground.sandbox.arm("hang", times=None, delay_s=_ANSWER_S)
        disk = ground.disk is not None
        blows = plan(options.seed, options.faults, full_disk=disk)
        async with ground.mended():
            fallen = await blow_all(ground, blows, options.cases)
            _say("the storm is over; waiting for the cases to come to rest")
            judge = Judge(ground, options.cases)
            await judge.wait_for_rest(options.rest)
            await judge.judge()
        return judge, fallen, disk


def figures(
    judge: Judge, fallen: Counter[str], options: Namespace, seconds: float, *, disk: bool
) -> str:
    """The result as Markdown."""
    lines = [
        (
            f"{options.cases:,} cases and {sum(fallen.values()):,} process faults in"
            f" {seconds / 60:.1f} minutes, seed {options.seed}."
            f" **{len(judge.findings)} findings.**"
        ),
        "",
        "| what was struck, and how | times |",
        "|---|---:|",
        *(f"| {kind} | {fallen[kind]:,} |" for kind in STRIKES if fallen[kind]),
        "| API | none: there is no API process yet |",
    ]
    if not disk:
        lines += [f"| {FULL_DISK} | none: this user may mount no disk |"]
    lines += ["", "| what was seen afterwards | |", "|---|---:|"]
    lines += [f"| {what} | {count:,} |" for what, count in judge.seen.items()]
    lines += [""] + [f"- {finding}" for finding in judge.findings]
    return "\n".join(lines).rstrip() + "\n"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _options(arguments: list[str] | None) -> Namespace:
    parser = ArgumentParser("python -m tests.proof.storm", description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--faults", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1, help="of the plan of faults")
    parser.add_argument("--rest", type=float, default=300.0, help="seconds to come to rest")
    parser.add_argument("--write", type=Path, help="document that takes the figures")
    parser.add_argument("--keep", type=Path, help="folder for logs, to look into")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 where anything is not as it must be."""
    options = _options(arguments)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="disputes-storm-") as temporary:
        folder: Path = options.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        judge, fallen, disk = asyncio.run(run(options, folder))
    text = figures(judge, fallen, options, time.monotonic() - began, disk=disk)
    _say(text)
    if options.write:
        write(options.write, text, "storm")
    return 1 if judge.findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
