"""Whether the owner of an operation knows that it is booked, whoever had the gateway show it."""

from typing import Final

from sqlmodel import Session

from disputes.store.projection import told_case
from disputes.store.records import ADOPTED
from disputes.store.tables import OperationRow, PaymentFileRow
from disputes.twins import TWIN
from disputes.vocabulary import OperationState, OrderState

#: States of a payment's own workflow that does not; a pre-authorization's doubt is named alike.
UNAWARE: Final = (OrderState.IN_DOUBT, OrderState.REFUSED)


def unheard(session: Session, row: OperationRow) -> bool:
    """Whether an operation of ours is booked, and its owner still takes it for in doubt.

    Another's question may have proved it. What undoes a twin no owner waits for.
    """
    if row.state != OperationState.SETTLED or row.key.startswith(ADOPTED) or TWIN in row.key:
        return False
    if row.owner is not None:
        file = session.get(PaymentFileRow, row.owner)
        return file is not None and file.state in UNAWARE
    return row.dispute_id is not None and any(
        op.key == row.key for op in told_case(session, row.dispute_id).doubtful
    )
