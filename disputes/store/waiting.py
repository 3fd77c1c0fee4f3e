"""What waits for a second person in payments' own workflows: orders, and words on their doubts."""

from dataclasses import dataclass

from pydantic import BaseModel
from sqlmodel import Session, col, select

from disputes.money import Money
from disputes.second_person import PaymentApproval
from disputes.store.tables import OperationRow, PaymentFileRow

_workflow_id = col(PaymentFileRow.workflow_id)


class _Asked(BaseModel):
    """What a status says of requests; ``approval`` and ``amount``: of an order itself."""

    amount: Money | None = None
    approval: PaymentApproval | None = None
    approvals: tuple[PaymentApproval, ...] = ()

    @property
    def waiting(self) -> list[PaymentApproval]:
        own = (self.approval,) if self.approval else ()
        return [it for it in (*own, *self.approvals) if it.waits]


@dataclass(frozen=True, slots=True)
class WaitingRequest:
    """One request, and the money that moves by it: the order, or the operation in doubt."""

    approval: PaymentApproval
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class WaitingFile:
    """A pre-authorization or order with all of its open requests."""

    workflow_id: str
    kind: str
    merchant_id: str
    payment_id: str | None
    requests: tuple[WaitingRequest, ...]


def count_waiting(status: str) -> int:
    """How many requests of its own a status has open.

    A rebill that waits in a dispute's case has none: the case's own request is.
    """
    return len(_Asked.model_validate_json(status).waiting)


def waiting_files(
    session: Session, merchants: tuple[str, ...] | None, after: str, limit: int
) -> tuple[WaitingFile, ...]:
    """Those in which something waits, by workflow id, after one; see ``PaymentReads.waiting``."""
    query = select(PaymentFileRow).where(
        col(PaymentFileRow.waiting_approvals) > 0, _workflow_id > after
    )
    if merchants is not None:
        query = query.where(col(PaymentFileRow.merchant_id).in_(merchants))
    rows = session.exec(query.order_by(_workflow_id).limit(limit)).all()
    asked = [_Asked.model_validate_json(row.status_json) for row in rows]
    doubts = _doubts(session, [it for found in asked for it in found.waiting])
    return tuple(
        WaitingFile(
            row.workflow_id,
            row.kind,
            row.merchant_id,
            row.payment_id,
            tuple(_request(it, found.amount, doubts) for it in found.waiting),
        )
        for row, found in zip(rows, asked, strict=True)
    )


_Amounts = dict[str, tuple[int, str]]


def _doubts(session: Session, asked: list[PaymentApproval]) -> _Amounts:
    """Amount and currency of the operations that are spoken of, by their keys, from the books."""
    keys = {it.resolution.operation_key for it in asked if it.resolution}
    columns = select(OperationRow.key, OperationRow.amount_minor, OperationRow.currency)
    found = session.exec(columns.where(col(OperationRow.key).in_(keys))) if keys else ()
    return {key: (minor, currency) for key, minor, currency in found}


def _request(approval: PaymentApproval, amount: Money | None, doubts: _Amounts) -> WaitingRequest:
    if approval.resolution is not None:
        return WaitingRequest(approval, *doubts.get(approval.resolution.operation_key, (0, "")))
    return WaitingRequest(approval, *((amount.minor, amount.currency) if amount else (0, "")))
