"""What the gateway's entries prove of our operations, and the command for what they do not."""

from datetime import UTC, datetime, timedelta

import pytest

from disputes.comparison import Comparison, Windows, compare
from disputes.differences import adoptable, for_a_person
from disputes.known import KnownDispute, KnownOperation, KnownPayment, untold
from disputes.operations import GatewayEntry
from disputes.reconciliation import DifferenceType as D
from disputes.vocabulary import OperationState, PaymentType, Purpose

NOW = datetime(2026, 11, 3, 2, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=1)
WINDOWS = Windows(settling=timedelta(minutes=2), patience=timedelta(minutes=30))
PAYMENT, CHARGEBACK, REVERSAL, OTHER = "a" * 32, "b" * 32, "c" * 32, "d" * 32
KEY = "dispute:D-1:reinstate:2"
RESOLVE = f"disputes resolve D-1 {KEY} did_not_happen --by NAME --proof TEXT"
AGAIN = f"disputes reconcile --payment {PAYMENT}"


def _entry(payment_type: PaymentType, gateway_id: str, minor: int, **more: object) -> GatewayEntry:
    fields = {
        "gateway_id": gateway_id,
        "payment_type": payment_type,
        "succeeded": True,
        "amount_minor": minor,
        "currency": "EUR",
    }
    return GatewayEntry.model_validate(fields | more)


DB = _entry(PaymentType.DB, PAYMENT, 92_00)
CB = _entry(PaymentType.CB, CHARGEBACK, 92_00, referenced_id=PAYMENT)


def _reversal(minor: int = 92_00, **more: object) -> GatewayEntry:
    under = {"referenced_id": CHARGEBACK, "merchant_transaction_id": "ours"}
    return _entry(PaymentType.CR, REVERSAL, minor, **(under | more))


def _known(*operations: KnownOperation, **dispute: object) -> KnownPayment:
    adopted = [
        _operation(PaymentType.DB, PAYMENT, key=f"gateway:{PAYMENT}", adopted=True),
        _operation(PaymentType.CB, CHARGEBACK, key="dispute:D-1:book:1", referenced_id=PAYMENT),
    ]
    known = {"dispute_id": "D-1", "payment_id": PAYMENT, "told": ("dispute:D-1:book:1",)}
    disputes = (KnownDispute.model_validate(known | dispute),)
    return KnownPayment(
        root_id=PAYMENT, operations=(*adopted, *operations), disputes=disputes, wire_now=NOW
    )


def _operation(
    payment_type: PaymentType, gateway_id: str | None = None, /, **more: object
) -> KnownOperation:
    fields: dict[str, object] = {
        "key": KEY,
        "payment_id": PAYMENT,
        "dispute_id": "D-1" if payment_type is not PaymentType.DB else None,
        "payment_type": payment_type,
        "state": OperationState.SETTLED,
        "amount_minor": 92_00,
        "currency": "EUR",
        "gateway_id": gateway_id,
        "settled_at": LONG_AGO,
    }
    return KnownOperation.model_validate(fields | more)


def _reinstating(state: OperationState, **more: object) -> KnownOperation:
    own = {
        "state": state,
        "purpose": Purpose.REINSTATE,
        "referenced_id": CHARGEBACK,
        "merchant_transaction_id": "ours",
        "sent_at": LONG_AGO,
    }
    return _operation(PaymentType.CR, **(own | more))


def _compare(known: KnownPayment, *shown: GatewayEntry) -> Comparison:
    return compare(known, shown, WINDOWS)


def _types(known: KnownPayment, *shown: GatewayEntry) -> list[tuple[D, str]]:
    found = _compare(known, *shown)
    listed = (*adoptable(known, found), *for_a_person(known, found))
    return [(item.type, item.what_to_do) for item in listed]


def test_books_that_are_the_same_differ_in_nothing() -> None:
    settled = _reinstating(OperationState.SETTLED, gateway_id=REVERSAL)
    assert _types(_known(settled), DB, CB, _reversal()) == []


@pytest.mark.parametrize(
    "state", [OperationState.SENT, OperationState.IN_DOUBT, OperationState.REFUSED]
)
def test_what_the_gateway_shows_as_booked_can_be_settled(state: OperationState) -> None:
    known = _known(_reinstating(state))
    [match] = _compare(known, DB, CB, _reversal()).shown
    assert (match.operation.key, match.entry.gateway_id) == (KEY, REVERSAL)
    assert _types(known, DB, CB, _reversal()) == [(D.SHOWN, AGAIN)]


def test_an_entry_that_was_adopted_is_still_our_operation_in_doubt() -> None:
    adopted = _operation(
        PaymentType.CR,
        REVERSAL,
        key=f"gateway:{REVERSAL}",
        adopted=True,
        referenced_id=CHARGEBACK,
    )
    known = _known(adopted, _reinstating(OperationState.IN_DOUBT))
    assert len(_compare(known, DB, CB, _reversal()).shown) == 1


@pytest.mark.parametrize(
    "change",
    [{"minor": 35_00}, {"currency": "USD"}, {"referenced_id": REVERSAL}],
    ids=["amount", "currency", "reference"],
)
def test_what_is_not_what_we_sent_is_not_adopted(change: dict[str, object]) -> None:
    minor = int(str(change.get("minor", 92_00)))
    altered = _reversal(minor, **{name: it for name, it in change.items() if name != "minor"})
    known = _known(_reinstating(OperationState.IN_DOUBT))
    assert _compare(known, DB, CB, altered).adoptable == 0
    assert _types(known, DB, CB, altered) == [(D.OTHER_AMOUNT, f"{RESOLVE}, then: {AGAIN}")]


def test_once_a_person_refused_ours_the_other_amount_is_an_entry_of_its_own() -> None:
    known = _known(_reinstating(OperationState.REFUSED))
    assert _types(known, DB, CB, _reversal(35_00)) == [(D.MISSING_HERE, AGAIN)]


def test_a_settled_entry_with_another_amount_is_for_the_acquirer() -> None:
    settled = _reinstating(OperationState.SETTLED, gateway_id=REVERSAL)
    [(kind, what)] = _types(_known(settled), DB, CB, _reversal(35_00))
    assert kind is D.OTHER_AMOUNT
    assert what.startswith("ask the acquirer")


def test_what_is_in_doubt_and_not_shown_needs_a_person() -> None:
    assert _types(_known(_reinstating(OperationState.IN_DOUBT)), DB, CB) == [(D.DENIED, RESOLVE)]


def test_a_call_under_way_is_no_difference_until_patience_ends() -> None:
    fresh = _reinstating(OperationState.SENT, sent_at=NOW - timedelta(minutes=29))
    assert _types(_known(fresh), DB, CB) == []
    [(kind, what)] = _types(_known(_reinstating(OperationState.SENT)), DB, CB)
    assert kind is D.DENIED
    assert what.startswith("disputes note D-1")


def test_what_the_gateway_has_as_pending_is_waited_for() -> None:
    pending = _reversal(succeeded=False, pending=True)
    assert _types(_known(_reinstating(OperationState.IN_DOUBT)), DB, CB, pending) == []


def test_what_was_settled_and_is_not_shown_is_missing_there() -> None:
    settled = _reinstating(OperationState.SETTLED, gateway_id=REVERSAL)
    [(kind, _)] = _types(_known(settled), DB, CB)
    assert kind is D.MISSING_THERE
    refused = _reversal(succeeded=False)
    assert [it[0] for it in _types(_known(settled), DB, CB, refused)] == [D.MISSING_THERE]


def test_what_was_settled_just_now_may_not_be_shown_yet() -> None:
    just_now = _reinstating(OperationState.SETTLED, gateway_id=REVERSAL, settled_at=NOW)
    assert _types(_known(just_now), DB, CB) == []


def test_an_entry_without_our_reference_is_what_a_person_said_it_is() -> None:
    word = _reinstating(OperationState.SETTLED)
    found = _compare(_known(word), DB, CB, _reversal(merchant_transaction_id=None))
    assert [match.entry.gateway_id for match in found.named] == [REVERSAL]
    assert found.new == ()


def test_an_entry_without_our_reference_does_not_settle_a_doubt() -> None:
    """It may be the acquirer's own: it is adopted as such, and the doubt stays."""
    known = _known(_reinstating(OperationState.IN_DOUBT))
    found = _types(known, DB, CB, _reversal(merchant_transaction_id=None))
    assert found == [(D.MISSING_HERE, AGAIN), (D.DENIED, RESOLVE)]


def test_of_two_entries_the_one_that_something_builds_on_is_kept() -> None:
    known = _known(_reinstating(OperationState.IN_DOUBT))
    first = _reversal()
    second = _reversal().model_copy(update={"gateway_id": OTHER})
    built = _entry(PaymentType.CR, "e" * 32, 92_00, referenced_id=OTHER)
    kept = _compare(known, DB, CB, first, second).shown[0].entry
    assert kept.gateway_id == REVERSAL
    kept = _compare(known, DB, CB, first, second, built).shown[0].entry
    assert kept.gateway_id == OTHER


def test_a_second_entry_is_a_twin_until_it_is_undone() -> None:
    rebill = _operation(
        PaymentType.RB, REVERSAL, referenced_id=PAYMENT, merchant_transaction_id="ours"
    )
    twin_row = _operation(
        PaymentType.RB, OTHER, key=f"gateway:{OTHER}", adopted=True, referenced_id=PAYMENT
    )
    under = {"referenced_id": PAYMENT, "merchant_transaction_id": "ours"}
    one = _entry(PaymentType.RB, REVERSAL, 92_00, **under)
    two = _entry(PaymentType.RB, OTHER, 92_00, **under)
    known = _known(rebill, twin_row)
    [(kind, what)] = _types(known, DB, CB, one, two)
    assert kind is D.TWIN
    assert what == f"undo entry {OTHER} at the gateway by RF, then: {AGAIN}"
    back = _entry(PaymentType.RF, "e" * 32, 92_00, referenced_id=OTHER)
    assert [it[0] for it in _types(known, DB, CB, one, two, back)] == [D.MISSING_HERE]


def test_a_chargeback_of_nobody_is_told_until_it_is_reversed() -> None:
    nobodys = _operation(
        PaymentType.CB, OTHER, key=f"gateway:{OTHER}", dispute_id=None, referenced_id=PAYMENT
    )
    shown = _entry(PaymentType.CB, OTHER, 92_00, referenced_id=PAYMENT)
    known = _known(nobodys)
    assert [it[0] for it in _types(known, DB, CB, shown)] == [D.UNEXPLAINED]
    back = _entry(PaymentType.CR, REVERSAL, 92_00, referenced_id=OTHER)
    assert [it[0] for it in _types(known, DB, CB, shown, back)] == [D.MISSING_HERE]


def test_a_new_entry_can_be_taken_over_without_a_dispute() -> None:
    known = KnownPayment(root_id=PAYMENT, wire_now=NOW)
    assert _types(known, DB) == [(D.MISSING_HERE, AGAIN)]


def test_a_case_is_told_what_it_does_not_know_and_nothing_else() -> None:
    own = _known(_reinstating(OperationState.SETTLED, gateway_id=REVERSAL))
    assert untold(own) == ()
    assert [(case, op.key) for case, op in untold(own, [REVERSAL])] == [("D-1", KEY)]
    adopted = _operation(PaymentType.CR, REVERSAL, key=f"gateway:{REVERSAL}", adopted=True)
    assert [case for case, _ in untold(_known(adopted))] == ["D-1"]
    assert untold(_known(adopted, told=(f"gateway:{REVERSAL}",))) == ()
    assert untold(_known(_reinstating(OperationState.IN_DOUBT)), [REVERSAL]) == ()
    proved = _known(_reinstating(OperationState.SETTLED, gateway_id=REVERSAL), doubted=(KEY,))
    assert [(case, op.key) for case, op in untold(proved)] == [("D-1", KEY)]


@pytest.mark.parametrize(
    ("dispute", "told"),
    [
        ({"refunded_minor": 0}, True),
        ({"refunded_minor": 92_00}, False),
        ({"refunded_minor": None}, False),
        ({"refunded_minor": 0, "final": True}, False),
    ],
)
def test_an_open_case_is_told_of_refunds(dispute: dict[str, object], *, told: bool) -> None:
    refund = _operation(
        PaymentType.RF, REVERSAL, key="gateway:r", dispute_id=None, referenced_id=PAYMENT
    )
    assert bool(untold(_known(refund, **dispute))) is told
