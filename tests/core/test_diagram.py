from pathlib import Path

import pytest

from disputes.diagram import redrawn, stage_diagram, status_diagram
from disputes.lifecycle import HOLDS
from disputes.vocabulary import OperationState, Stage, Status

DOCUMENT = Path(__file__).parents[2] / "docs" / "domain.md"
REDRAW = (
    'python -c "from pathlib import Path; from disputes.diagram import redrawn;'
    " p = Path('docs/domain.md'); p.write_text(redrawn(p.read_text()))\""
)


def test_the_committed_drawings_are_what_the_rules_draw() -> None:
    document = DOCUMENT.read_text()

    assert redrawn(document) == document, f"draw them anew: {REDRAW}"


def test_the_drawings_show_every_stage_and_every_status_a_case_can_reach() -> None:
    stages, statuses = stage_diagram(), status_diagram()

    assert all(stage.value in stages for stage in Stage)
    assert all(status.value in statuses for status in set(Status) - {Status.SUBMITTED})


def test_a_document_without_markers_is_not_drawn_over() -> None:
    with pytest.raises(ValueError, match="markers"):
        redrawn("# Domain terms")


def test_the_document_explains_every_operation_state_and_attention_code() -> None:
    document = DOCUMENT.read_text()
    source = "".join(path.read_text() for path in (DOCUMENT.parents[1] / "disputes").glob("*.py"))
    explained = {
        line.split("`")[1]
        for line in document.split("## Attention codes")[1].splitlines()
        if line.startswith("| `")
    }

    assert {state.value for state in OperationState} <= explained
    codes = {
        name
        for call in ("with_flag(", "codes.add(")
        for piece in source.split(call)[1:]
        for name in piece.split(")")[0].split('"')[1::2]
    }
    assert codes
    assert codes | set(HOLDS) <= explained
