"""Inputs and results of the activities of a payment's own workflow: one model in, one out."""

from typing import Literal

from disputes.authorization import Authorization
from disputes.fields import Durable, GatewayId, Identifier, Moment
from disputes.notices import Notice
from disputes.operations import Operation, Plan
from disputes.orders import Order, OrderKind
from disputes.payment_terms import AuthorizationTerms, OrderTerms
from disputes.requests import ConditionMet, OrderRequest, PreAuthorization, RebillRequest

PaymentKind = Literal["preauthorization", "refund", "payout", "rebill"]


class OpenAuthorization(Durable):
    """Ask the register for a pre-authorization; with a start, claim the id for its content."""

    workflow_id: str
    start: PreAuthorization | None = None


class OpenedAuthorization(Durable):
    """What the register knows of it, and the terms of one that is new.

    ``differing``: fields in which the claimed start is another one. ``operations``: those of ours
    with an outcome; ``unfinished``: those that never had one; ``undoing``: what undoes twins of
    them and is in doubt.
    """

    differing: tuple[str, ...] = ()
    known: Authorization | None = None
    claimed: PreAuthorization | None = None
    terms: AuthorizationTerms | None = None
    operations: tuple[Operation, ...] = ()
    unfinished: tuple[Plan, ...] = ()
    undoing: tuple[Operation, ...] = ()
    revision: int = 0


class OpenOrder(Durable):
    """Ask the register for a refund, payout or rebill; with a request, claim the id for it."""

    workflow_id: str
    kind: OrderKind
    request: OrderRequest | None = None


class OpenedOrder(Durable):
    """What the register knows of it; see ``OpenedAuthorization``.

    ``held_by``: the undecided disputes on its payment, as far as the books know them.
    """

    differing: tuple[str, ...] = ()
    known: Order | None = None
    claimed: OrderRequest | None = None
    terms: OrderTerms | None = None
    operations: tuple[Operation, ...] = ()
    unfinished: tuple[Plan, ...] = ()
    undoing: tuple[Operation, ...] = ()
    revision: int = 0
    held_by: tuple[str, ...] = ()


class PaymentFile(Durable):
    """A payment's own workflow as it stands: ``content`` to go on from, ``status`` to be read.

    Both are JSON; ``revision`` counts the workflow's own changes; ``at`` is case time.
    """

    workflow_id: str
    kind: PaymentKind
    merchant_id: Identifier
    payment_id: GatewayId | None = None
    state: str
    next_moment: Moment | None = None
    needs_attention: bool = False
    revision: int
    content: str
    status: str
    at: Moment


class RecordPayment(Durable):
    """Keep a file, tell what is new to merchant or shopper, and end a lapsed authorization.

    ``lapsed_id``: the authorization of which the rest goes off the books.
    """

    file: PaymentFile
    notices: tuple[Notice, ...] = ()
    lapsed_id: GatewayId | None = None


class TellSuccessor(Durable):
    """Start the workflow of an authorization that took another's place, with what is met."""

    start: PreAuthorization
    met: tuple[ConditionMet, ...] = ()


class TellDisputes(Durable):
    """Tell the undecided disputes on an entry of money that went back meanwhile."""

    payment_id: GatewayId
    own: Identifier | None = None
    operation: Operation
    at: Moment


class ToldDisputes(Durable):
    """The disputes that were told."""

    dispute_ids: tuple[str, ...] = ()


class CaseRebill(Durable):
    """A rebill that a dispute's case carries out, and the case's request for a second person."""

    request: RebillRequest
    case_request_id: str | None = None


class CaseRebillOutcome(Durable):
    """Where the case's rebill stands; neither an operation nor declined: it goes on.

    ``case_request_id``: of the request that waits for a second person.
    """

    operation: Operation | None = None
    case_request_id: str | None = None
    declined: bool = False
