"""Cases that lived on an older worker go on, on this one, as if nothing had changed."""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import NondeterminismError, SandboxImportNotificationPolicy

from disputes import card_data
from tests.replay import twin
from tests.replay.payment_shapes import PAYMENT_SHAPES
from tests.replay.record import HISTORIES
from tests.replay.shapes import SHAPES
from workflows.dispute import DisputeWorkflow
from workflows.payout import PayoutWorkflow
from workflows.preauthorization import PreAuthorizationWorkflow
from workflows.rebill import RebillWorkflow
from workflows.refund import RefundWorkflow

RECORDED = sorted(HISTORIES.glob("*/*.json"))
_OURS = (
    DisputeWorkflow,
    PreAuthorizationWorkflow,
    RefundWorkflow,
    PayoutWorkflow,
    RebillWorkflow,
)
_CHANGED = (
    twin.ChangedDispute,
    twin.ChangedPreAuthorization,
    twin.ChangedRefund,
    twin.ChangedPayout,
    twin.ChangedRebill,
)


def replayer(workflows: Sequence[type]) -> Replayer:
    """A replayer as strict as the worker, with its data converter."""
    policy = SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
    restrictions = SandboxRestrictions.default.with_import_notification_policy(policy)
    return Replayer(
        workflows=workflows,
        data_converter=pydantic_data_converter,
        workflow_runner=SandboxedWorkflowRunner(restrictions=restrictions),
    )


def history(path: Path) -> WorkflowHistory:
    events = json.loads(path.read_text())
    started = events["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(started["workflowId"], events)


def name(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


@pytest.mark.parametrize("path", RECORDED, ids=name)
async def test_a_recorded_case_replays(path: Path) -> None:
    await replayer(_OURS).replay_workflow(history(path))


@pytest.mark.parametrize("path", RECORDED, ids=name)
async def test_a_changed_case_is_found_out(path: Path) -> None:
    """Were this to pass, the test above would prove nothing."""
    with pytest.raises(NondeterminismError):
        await replayer(_CHANGED).replay_workflow(history(path))


def test_every_shape_is_recorded() -> None:
    assert {path.stem for path in RECORDED} >= {
        shape.__name__ for shape in (*SHAPES, *PAYMENT_SHAPES)
    }


def _texts(value: object) -> Iterator[str]:
    """Every text of a history, payloads decoded."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "data" and isinstance(inner, str):
                yield base64.b64decode(inner).decode(errors="replace")
            else:
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("path", RECORDED, ids=name)
def test_a_history_names_no_card_and_no_machine(path: Path) -> None:
    for text in _texts(json.loads(path.read_text())):
        assert card_data.redact(text) == text
        assert not re.search(r"\d+@", text)
        assert "site-packages" not in text
