"""The crash matrix as tables of a document."""

from collections.abc import Sequence
from pathlib import Path

from tests.proof.crash_cell import operations
from tests.proof.crash_plan import Fault, Seen, Step


def figures(results: Sequence[Seen], planned: int, seconds: float, lanes: int) -> str:
    """One table for each fault: operations down, steps across."""
    failed = [seen for seen in results if seen.faults]
    twice = sum(seen.booked > 1 for seen in results)
    doubtful = sum(seen.state == "in_doubt" for seen in results)
    lines = [
        (
            f"{len(results)} of {planned} cells in {seconds / 60:.1f} minutes, {lanes} at once."
            f" **{len(failed)} failed.** Booked twice: {twice}; left to a person: {doubtful}."
        ),
    ]
    for fault in Fault:
        of_fault = [seen for seen in results if seen.cell.fault is fault]
        if of_fault:
            lines += ["", f"**{str(fault).capitalize()}**", "", *_table(of_fault)]
    lines += [""] + [f"- {seen.cell}: {'; '.join(seen.faults)}" for seen in failed]
    return "\n".join(lines).rstrip() + "\n"


def _table(results: Sequence[Seen]) -> list[str]:
    every = operations()
    steps = [step for step in Step if any(seen.cell.step is step for seen in results)]
    names = dict.fromkeys(seen.cell.operation for seen in results)
    # What cannot be struck there is not the same as what was not.
    shown = {(name, step): "-" for name in names for step in steps if step not in every[name]}
    shown |= {(seen.cell.operation, seen.cell.step): _shown(seen) for seen in results}
    return [
        f"| operation | {' | '.join(steps)} |",
        f"|---|{'---|' * len(steps)}",
        *(
            f"| `{name}` | {' | '.join(shown.get((name, step), '') for step in steps)} |"
            for name in names
        ),
    ]


def _shown(seen: Seen) -> str:
    if seen.faults:
        return "**wrong**"
    if seen.state == "recorded":
        return "once"
    told = f": {seen.told}" if seen.told else ""
    return f"{seen.calls} sent, {seen.booked} booked{told}"


def write(document: Path, text: str, section: str = "crash") -> None:
    """Put a result between the markers of its section; ``ValueError`` where there are none."""
    begin, end = f"<!-- {section}:begin -->\n", f"<!-- {section}:end -->\n"
    before, found, rest = document.read_text("utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{document} has no section {section}")
    document.write_text(f"{before}{begin}\n{text}\n{end}{after}", "utf-8")
