"""What a comparison with the gateway's own book is asked, and what it reports."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from disputes.fields import Durable, GatewayId, Moment
from disputes.money import Money
from disputes.operations import GatewayEntry

#: The whole past and future, for a comparison that is not limited in time.
FIRST = datetime(2000, 1, 1, tzinfo=UTC)
LAST = datetime(2199, 12, 31, tzinfo=UTC)
#: Differences that a report lists; it counts all, but a history keeps no message above 2 MB.
LISTED = 500


class ReconciliationWindow(Durable):
    """Which payments to compare with the gateway; JSON names the moments ``from`` and ``to``.

    Compared is every payment with an operation from ``since`` (wire time, UTC) until before
    ``until``, and whatever their age those of open cases and of operations sent or in doubt.

    Attributes:
        since: first moment.
        until: first moment after the window.
        adopt: take over what the gateway shows; else only compare.
        payment_id: compare this payment alone, by its root or a presented entry.
        after: go on after this payment, where a limited comparison ended.
        limit: how many payments to compare at most.
    """

    model_config = ConfigDict(
        frozen=True, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )

    since: Annotated[Moment, Field(alias="from")]
    until: Annotated[Moment, Field(alias="to")]
    adopt: bool = True
    payment_id: GatewayId | None = None
    after: GatewayId | None = None
    limit: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.since >= self.until:
            raise ValueError("from must be before to")
        return self


class DifferenceType(StrEnum):
    """In which way our books and the gateway's are not the same."""

    #: the gateway shows an entry that our books do not have
    MISSING_HERE = "missing_here"
    #: our books have an entry that the gateway does not show as booked
    MISSING_THERE = "missing_there"
    #: amount, currency, type or reference of one entry are not the same
    OTHER_AMOUNT = "other_amount"
    #: sent, in doubt or refused by our books, and the gateway shows it as booked
    SHOWN = "shown"
    #: sent long ago or in doubt, and the gateway does not show it
    DENIED = "denied"
    #: the gateway booked one operation of ours twice
    TWIN = "twin"
    #: a chargeback or reversal that no dispute of ours explains
    UNEXPLAINED = "unexplained"
    #: the gateway does not know the payment of an open dispute
    UNKNOWN_PAYMENT = "unknown_payment"
    #: the gateway gave no answer
    NOT_COMPARED = "not_compared"


class Difference(Durable):
    """One difference, with the command that would resolve it (``what_to_do``)."""

    type: DifferenceType
    payment_id: str
    operation_key: str | None = None
    dispute_id: str | None = None
    gateway_id: str | None = None
    ours: Money | None = None
    theirs: Money | None = None
    text: str
    what_to_do: str


class ReconciliationReport(Durable):
    """What a comparison found; ``flagged`` counts all differences, the list ends at 500.

    ``next_after``: the last payment compared, where a limit ended the comparison.
    """

    window: ReconciliationWindow
    compared: int = 0
    entries: int = 0
    adopted: int = 0
    corrected: int = 0
    flagged: int = 0
    differences: tuple[Difference, ...] = ()
    next_after: str | None = None

    def with_payment(
        self, entries: int, adopted: int, corrected: int, differences: tuple[Difference, ...]
    ) -> "ReconciliationReport":
        """The report with one more payment; a difference counts once."""
        fresh = tuple(item for item in differences if item not in self.differences)
        return self.model_copy(
            update={
                "compared": self.compared + 1,
                "entries": self.entries + entries,
                "adopted": self.adopted + adopted,
                "corrected": self.corrected + corrected,
                "flagged": self.flagged + len(fresh),
                "differences": (*self.differences, *fresh)[:LISTED],
            }
        )


class PaymentRoot(Durable):
    """A payment as both books name it: by its first entry."""

    root_id: str
    merchant_id: str


class ListPayments(Durable):
    """Ask for at most ``size`` payments of a window, after one."""

    window: ReconciliationWindow
    after: str | None = None
    size: int


class PaymentPage(Durable):
    """Payments in the order of their root, and whether there are more."""

    payments: tuple[PaymentRoot, ...] = ()
    more: bool = False


class ClaimWindow(Durable):
    """Take the id of a comparison for its window."""

    workflow_id: str
    window: ReconciliationWindow


class ComparedPayment(Durable):
    """A payment compared: ``adoptable`` is what taking over would resolve.

    ``untold``: a case or workflow does not know yet what the books have for it, or a twin can be
    undone;
    ``amiss``: the ledger has other money than operations and facts call for.
    """

    shown: tuple[GatewayEntry, ...] = ()
    differences: tuple[Difference, ...] = ()
    adoptable: tuple[Difference, ...] = ()
    untold: bool = False
    amiss: bool = False


class AdoptShown(Durable):
    """Take over what the gateway showed of a payment; ``at`` is case time for the ledger.

    ``adoptable``: ids of the entries that were to be taken over, also where some are by now.
    """

    payment: PaymentRoot
    shown: tuple[GatewayEntry, ...]
    adoptable: tuple[str, ...]
    at: Moment


class AdoptedPayment(Durable):
    """How many entries were taken over, how many postings corrected, what stays for a person."""

    adopted: int
    corrected: int = 0
    differences: tuple[Difference, ...] = ()
