"""A slice of the crash matrix: real workers, struck where it matters most; the rest: make proof."""

import pytest
import pytest_asyncio

from disputes.errors import ConfigurationError
from starter.temporal_server import find_temporal_cli
from tests.proof.crash import every_cell, run_matrix
from tests.proof.crash_lane import environment
from tests.proof.crash_plan import Cell, Fault, Seen, Step
from tests.support.postgres import postgres_programs

pytestmark = pytest.mark.timeout(900)  # a busy machine is slow, not wrong

SLICE = (
    #: sent twice would be refused, sent never would lose the case
    Cell("book", Step.AFTER_SENT, Fault.KILLED),
    #: booked, and nobody of ours knows
    Cell("rebill", Step.AFTER_BOOKED, Fault.KILLED),
    #: recorded, and the workflow does not know: its redone task records other moments
    Cell("record", Step.AFTER_SETTLE, Fault.KILLED),
    #: it wakes when another worker has done its work
    Cell("reinstate", Step.BEFORE_SETTLE, Fault.FROZEN),
    Cell("reinstate", Step.MID_REQUEST, Fault.DATABASE),
    Cell("book", Step.AFTER_SETTLE, Fault.TEMPORAL),
)


@pytest_asyncio.fixture(scope="module")
async def results(tmp_path_factory: pytest.TempPathFactory) -> dict[Cell, Seen]:
    if postgres_programs() is None:
        pytest.skip("PostgreSQL is not installed (initdb was not found)")
    try:
        find_temporal_cli(environment())
    except ConfigurationError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("crash")
    return dict(zip(SLICE, await run_matrix(SLICE, 3, folder), strict=True))


@pytest.mark.parametrize("cell", SLICE, ids=str)
def test_money_moves_once_wherever_the_fault_strikes(results: dict[Cell, Seen], cell: Cell) -> None:
    seen = results[cell]
    assert seen.faults == ()
    assert seen.booked == (0 if seen.state == "recorded" else 1)


def test_the_matrix_has_every_operation_at_every_step() -> None:
    cells = every_cell()
    assert len(set(cells)) == len(cells)
    for step in Step:
        for fault in Fault:
            assert Cell("book", step, fault) in cells
