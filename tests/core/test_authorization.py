"""The rules of a pre-authorization: where it stands, what comes when, what may be sent, what is."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from disputes.authorization import Authorization, begin, lapse, opened, payment_told, reported
from disputes.authorization_clock import fire, next_due
from disputes.authorization_plans import own_plan, plan_of
from disputes.authorization_status import status_of
from disputes.errors import (
    DeadlinePassed,
    IllegalTransition,
    InvalidMessage,
    MoneyHeld,
    NotSupported,
    Refusal,
)
from disputes.money import Money
from disputes.operations import Operation, Payment, Plan
from disputes.requests import AuthorizationCommand, Capture, Increase, Reverse
from disputes.vocabulary import (
    AuthorizationState,
    Condition,
    OnExpiry,
    Purpose,
    ReversalReason,
)
from tests.core.authorizations import (
    DOUBT,
    NOW,
    PAYMENT,
    REFUSED,
    after,
    eur,
    known,
    met,
    op,
    others,
    payment,
    start,
    terms,
    unasked,
)
from tests.support.plans import EVERYTHING, REGISTRATION

_S = AuthorizationState
_P = Purpose
_REGISTERED: dict[str, object] = {"registration_id": REGISTRATION}
_MET_AT_ONCE: dict[str, object] = {"capture_when": (Condition.ORDER_FULFILLED,)}
_ONE_CAPTURE = EVERYTHING.model_copy(update={"multiple_capture": False})
_CAPTURE = Capture(requested_by="ana")
_REVERSE = Reverse(reason=ReversalReason.PRODUCT_UNAVAILABLE, requested_by="ana")
_INCREASE = Increase(amount=eur(800), requested_by="ana")


@pytest.mark.parametrize(
    ("operations", "state", "open_minor"),
    [
        ((), _S.AUTHORIZED, 9200),
        ((op(_P.CAPTURE, 9200),), _S.CAPTURED, 0),
        ((op(_P.CAPTURE, 3000),), _S.PARTIALLY_CAPTURED, 6200),
        ((op(_P.CAPTURE, 3000), op(_P.REVERSE, 6200)), _S.CAPTURED, 0),
        ((op(_P.REVERSE, 9200),), _S.REVERSED, 0),
        ((op(_P.INCREASE, 800),), _S.AUTHORIZED, 10000),
        ((op(_P.INCREASE, 800), op(_P.CAPTURE, 9200)), _S.PARTIALLY_CAPTURED, 800),
        ((op(_P.CAPTURE, 9200, REFUSED),), _S.AUTHORIZED, 9200),
        ((op(_P.CAPTURE, 9200, DOUBT),), _S.IN_DOUBT, 9200),
        ((op(_P.CAPTURE, 9200, REFUSED, result_code="700.300.400"),), _S.EXPIRED, 0),
    ],
)
def test_where_it_stands(
    operations: tuple[Operation, ...], state: AuthorizationState, open_minor: int
) -> None:
    auth = known(*operations)
    assert (auth.state, auth.open_minor) == (state, open_minor)


def test_what_has_lapsed_is_expired_however_much_was_captured_before() -> None:
    auth = lapse(known(op(_P.CAPTURE, 3000)), NOW)
    assert (auth.state, auth.open_minor, auth.captured_minor) == (_S.EXPIRED, 0, 3000)
    assert lapse(auth, NOW) == auth


def test_what_was_captured_in_full_does_not_expire() -> None:
    assert lapse(known(op(_P.CAPTURE, 9200)), NOW).state is _S.CAPTURED


# What the gateway tells


def test_a_late_capture_is_taken_over_and_flagged() -> None:
    auth = reported(lapse(known(), NOW), others(_P.CAPTURE, 9200, "cc" * 16), NOW)
    assert (auth.state, auth.captured_minor) == (_S.CAPTURED, 9200)
    assert "late_capture" in auth.flags


def test_an_entry_that_was_taken_over_and_is_ours_counts_once() -> None:
    ours = op(_P.CAPTURE, 3000)
    adopted = others(_P.CAPTURE, 3000, str(ours.gateway_id))
    auth = reported(reported(known(), adopted, NOW), ours, NOW)
    assert auth.operations == (ours,)
    assert reported(auth, adopted, NOW) == auth


def test_an_entry_told_of_beside_the_doubt_that_it_settles_counts_once() -> None:
    """The books took it for another's while ours was in doubt; a person says that it was ours."""
    doubt, ours = op(_P.CAPTURE, 3000, DOUBT), op(_P.CAPTURE, 3000)
    auth = known(doubt, others(_P.CAPTURE, 3000, str(ours.gateway_id)))
    auth = reported(auth, ours, NOW)
    assert (auth.captured_minor, auth.operations) == (3000, (ours,))


def test_doubt_ends_by_what_the_gateway_shows() -> None:
    auth = known(op(_P.CAPTURE, 3000, DOUBT))
    assert "operation_in_doubt" in auth.flags
    auth = payment_told(auth, payment(op(_P.CAPTURE, 3000)), NOW)
    assert (auth.state, auth.captured_minor) == (_S.PARTIALLY_CAPTURED, 3000)
    assert "operation_in_doubt" not in auth.flags


def test_the_same_word_again_changes_nothing() -> None:
    auth = known(op(_P.CAPTURE, 3000))
    assert reported(auth, op(_P.CAPTURE, 3000), after(1)) == auth


def test_twins_and_other_amounts_need_a_person() -> None:
    auth = known(op(_P.CAPTURE, 3000, twins=("dd" * 16,), asked_minor=2900))
    assert {"twin_entries", "other_amount"} <= set(auth.flags)


def test_a_refusal_is_flagged_until_the_same_succeeds() -> None:
    auth = known(op(_P.CAPTURE, 9200, REFUSED))
    assert "capture_refused" in auth.flags
    assert "capture_refused" not in reported(auth, op(_P.CAPTURE, 10, place=2), NOW).flags


@pytest.mark.parametrize(
    ("shown", "flag"),
    [
        (Payment(payment_id=PAYMENT, known=False), "payment_unknown"),
        (payment(minor=9100), "other_amount"),
        (payment().model_copy(update={"currency": "USD"}), "currency_unknown"),
    ],
)
def test_what_the_gateway_shows_otherwise_than_it_was_told_is_flagged(
    shown: Payment, flag: str
) -> None:
    assert flag in payment_told(unasked(), shown, NOW).flags


def test_the_gateways_amount_is_what_counts() -> None:
    assert payment_told(unasked(), payment(minor=9100), NOW).open_minor == 9100


@pytest.mark.parametrize(
    ("by_rule", "told", "operation", "hours"),
    [
        (48.0, False, op(_P.INCREASE, 800), 148),
        (48.0, False, op(_P.INCREASE, 800, REFUSED), 120),
        (48.0, False, op(_P.CAPTURE, 800), 120),
        # Nobody tells when it was booked: the earlier end is the safe one.
        (48.0, False, others(_P.INCREASE, 800, "cc" * 16), 120),
        (48.0, True, op(_P.INCREASE, 800), 120),
        (None, False, op(_P.INCREASE, 800), 120),
        (10.0, False, op(_P.INCREASE, 800), 120),
    ],
)
def test_a_further_approval_starts_the_window_anew_where_the_network_says_so(
    *, by_rule: float | None, told: bool, operation: Operation, hours: float
) -> None:
    """An increase 100 h after an authorization of 120 h."""
    given_end = after(120) if told else None
    auth = known(told={"expires_at": given_end}, valid_hours=by_rule, expires_at=after(120))
    auth = auth.model_copy(update={"fired": ("ladder:48",)})
    auth = reported(auth, operation, after(100))
    assert auth.expires_at == after(hours)
    assert auth.fired == (() if hours == 148 else ("ladder:48",))


def _begun(plan: Plan, hours: float) -> Authorization:
    """An approval is asked for so many hours after an authorization of 30 days."""
    auth = known(
        told={"expires_at": None} | _REGISTERED,
        valid_hours=720.0,
        expires_at=after(720),
        doubt_reckoned=True,
    )
    return begin(auth, plan, after(hours))


@pytest.mark.parametrize(("begun", "ends"), [(0, 720), (100, 820)])
def test_a_further_approval_counts_from_when_it_was_asked_for(begun: float, ends: float) -> None:
    """A person says on day 25 that it happened; what nobody saw begin moves nothing."""
    plan = plan_of(known(), _INCREASE, NOW)
    auth = reported(_begun(plan, begun), op(_P.INCREASE, 800, DOUBT), after(begun + 2))
    happened = op(_P.INCREASE, 800)
    assert reported(auth, happened, after(600)).expires_at == after(ends)
    lost = auth.model_copy(update={"begun": {}})
    assert reported(lost, happened, after(600)).expires_at == after(720)


def test_the_successor_counts_from_when_it_was_asked_for() -> None:
    anew = known(told=_REGISTERED, on_expiry=OnExpiry.REAUTHORIZE)
    plan = own_plan(anew.model_copy(update={"fired": ("action",)}))
    assert plan is not None
    auth = reported(_begun(plan, 10), op(_P.AUTHORIZE, 9200, DOUBT), after(12))
    auth = reported(auth, op(_P.AUTHORIZE, 9200), after(72))
    assert [note.at for note in auth.notes if note.actor == "successor"] == [after(10)]


# Its moments


def _moments(auth: Authorization, until: float) -> list[str]:
    """What fires up to an hour, in order."""
    found = []
    while (due := next_due(auth)) is not None and due.due <= after(until):
        found.append(due.name)
        auth, _ = fire(auth, due, after(until))
    return found


def test_the_ladder_the_action_and_the_end_come_in_order() -> None:
    auth = known()
    assert _moments(auth, 119.9) == []
    assert _moments(auth, 120) == ["ladder:48"]
    assert _moments(auth, 163.9) == ["ladder:48", "ladder:24"]
    assert _moments(auth, 164) == ["ladder:48", "ladder:24", "action"]
    assert _moments(auth, 500) == ["ladder:48", "ladder:24", "action", "expiry"]


@pytest.mark.parametrize(
    ("hours_left", "names"),
    [
        (49, []),
        (48, ["ladder:48"]),
        (24, ["ladder:24"]),
        (4, ["ladder:24", "action"]),
        (-1, ["ladder:24", "action", "expiry"]),
    ],
)
def test_of_the_notices_that_are_past_when_it_opens_only_the_last_is_given(
    hours_left: float, names: list[str]
) -> None:
    auth = opened(start(expires_at=after(hours_left)), terms(), NOW)
    assert _moments(auth, 0) == names


@pytest.mark.parametrize("operations", [(op(_P.CAPTURE, 9200),), (op(_P.REVERSE, 9200),)])
def test_nothing_comes_once_nothing_is_open(operations: tuple[Operation, ...]) -> None:
    assert next_due(known(*operations)) is None


@pytest.mark.parametrize(
    ("policy", "auth", "words", "flagged"),
    [
        (OnExpiry.NOTIFY, known(), "the policy leaves it to a person", True),
        (OnExpiry.CAPTURE, known(), "what is open is captured before then", False),
        (
            OnExpiry.CAPTURE,
            known(told={"capture_when": (Condition.ORDER_FULFILLED,)}),
            "still waits for order_fulfilled",
            True,
        ),
        (
            OnExpiry.CAPTURE,
            known(op(_P.CAPTURE, 10), capabilities=_ONE_CAPTURE),
            "default takes one capture only: reverse the rest",
            True,
        ),
        (
            OnExpiry.REVERSE,
            known(op(_P.CAPTURE, 10), told=_MET_AT_ONCE, capabilities=_ONE_CAPTURE).model_copy(
                update={"met": met(Condition.ORDER_FULFILLED)}
            ),
            "default takes one capture only: reverse the rest",
            True,
        ),
        (OnExpiry.REVERSE, known(), "it is reversed before then", False),
        (OnExpiry.REVERSE, unasked(), "the gateway has not told what became of it", True),
        (OnExpiry.REAUTHORIZE, known(), "no registration is known", True),
        (OnExpiry.REAUTHORIZE, known(told=_REGISTERED), "it is authorized anew before then", False),
    ],
)
def test_what_the_policy_does_at_the_last_moment_or_why_a_person_must(
    *, policy: OnExpiry, auth: Authorization, words: str, flagged: bool
) -> None:
    auth = auth.model_copy(
        update={
            "terms": auth.terms.model_copy(update={"on_expiry": policy}),
            "fired": ("ladder:48", "ladder:24"),
        }
    )
    due = next_due(auth)
    assert due is not None
    then, notice = fire(auth, due, due.due)
    assert words in notice.text
    assert ("expiry_action_needed" in then.flags) is flagged
    assert "late" not in notice.text


@pytest.mark.parametrize(
    ("operation", "policy"),
    [
        (op(_P.CAPTURE, 9200, REFUSED), OnExpiry.CAPTURE),
        (op(_P.REVERSE, 9200, REFUSED, result_code="800.100.152"), OnExpiry.REVERSE),
        (op(_P.AUTHORIZE, 9200, REFUSED), OnExpiry.REAUTHORIZE),
    ],
)
def test_what_was_refused_before_is_promised_by_no_notice_and_left_to_a_person(
    operation: Operation, policy: OnExpiry
) -> None:
    auth = known(operation, told=_REGISTERED, on_expiry=policy)
    for _ in ("ladder:48", "ladder:24", "action"):
        due = next_due(auth)
        assert due is not None
        auth, notice = fire(auth, due, due.due)
        assert "the same was refused before" in notice.text
        assert "before then" not in notice.text
    assert own_plan(auth) is None
    assert "expiry_action_needed" in auth.flags


def test_what_is_in_doubt_when_the_policy_would_act_is_left_to_a_person() -> None:
    auth = known(op(_P.CAPTURE, 100, DOUBT), on_expiry=OnExpiry.CAPTURE)
    auth = auth.model_copy(update={"fired": ("ladder:48", "ladder:24")})
    due = next_due(auth)
    assert due is not None
    auth, notice = fire(auth, due, due.due)
    assert "in doubt, to be resolved first" in notice.text
    assert "expiry_action_needed" in auth.flags


def test_lateness_is_told_and_an_action_after_the_end_is_not_promised() -> None:
    auth = known(on_expiry=OnExpiry.CAPTURE).model_copy(
        update={"fired": ("ladder:48", "ladder:24")}
    )
    due = next_due(auth)
    assert due is not None
    then, notice = fire(auth, due, after(170))
    assert "before anything could be done (told 6 h 0 min late)" in notice.text
    assert "captured" not in notice.text
    due = next_due(then)
    assert due is not None
    assert due.name == "expiry"
    assert own_plan(fire(then, due, after(170))[0]) is None


def test_each_notice_has_an_id_of_its_own_even_after_the_window_moved() -> None:
    auth = known(told={"expires_at": None}, valid_hours=168.0)
    due = next_due(auth)
    assert due is not None
    auth, first = fire(auth, due, due.due)
    auth = reported(auth, op(_P.INCREASE, 800), due.due)
    due = next_due(auth)
    assert due is not None
    _, second = fire(auth, due, due.due)
    assert due.name == "ladder:48"
    assert first.notice_id != second.notice_id


# What is asked for


@dataclass(frozen=True)
class _Case:
    """A command on an authorization: what comes of it."""

    auth: Authorization
    command: AuthorizationCommand
    #: purpose and minor units of what is sent, or the refusal and a word of it
    plan: tuple[Purpose, int] | None = None
    refusal: tuple[type[Refusal], str] | None = None
    hours: float = field(default=1)


_DOUBTFUL = known(op(_P.CAPTURE, 100, DOUBT))
_ANEW = known(op(_P.AUTHORIZE, 9200, gateway_id="ab" * 16))
_CASES = {
    "capture all": _Case(known(), _CAPTURE, (_P.CAPTURE, 9200)),
    "capture a part": _Case(
        known(), Capture(requested_by="a", amount=eur(3000)), (_P.CAPTURE, 3000)
    ),
    "capture the rest": _Case(known(op(_P.CAPTURE, 3000)), _CAPTURE, (_P.CAPTURE, 6200)),
    "capture with the increase": _Case(known(op(_P.INCREASE, 800)), _CAPTURE, (_P.CAPTURE, 10000)),
    "capture too much": _Case(
        known(),
        Capture(requested_by="a", amount=eur(9201)),
        refusal=(InvalidMessage, "92.00 EUR is open"),
    ),
    "capture in another currency": _Case(
        known(),
        Capture(requested_by="a", amount=Money.of(100, "USD")),
        refusal=(InvalidMessage, "amount.currency"),
    ),
    "second capture of one": _Case(
        known(op(_P.CAPTURE, 3000), capabilities=_ONE_CAPTURE),
        _CAPTURE,
        refusal=(NotSupported, "acquirer default; instead: make a new payment"),
    ),
    "reverse": _Case(known(op(_P.CAPTURE, 3000)), _REVERSE, (_P.REVERSE, 6200)),
    "increase": _Case(known(), _INCREASE, (_P.INCREASE, 800)),
    "increase without": _Case(
        known(capabilities=EVERYTHING.model_copy(update={"increase": False})),
        _INCREASE,
        refusal=(NotSupported, "authorize the difference anew"),
    ),
    "reverse after its time": _Case(known(), _REVERSE, (_P.REVERSE, 9200), hours=200),
    "capture after its time": _Case(
        known(), _CAPTURE, refusal=(DeadlinePassed, "2026-11-09T09:00:00Z"), hours=168
    ),
    "increase after its time": _Case(
        known(), _INCREASE, refusal=(DeadlinePassed, "passed"), hours=168
    ),
} | {
    f"{name} {why}": _Case(auth, command, refusal=refusal)
    for why, auth, refusal in (
        ("in doubt", _DOUBTFUL, (MoneyHeld, "resolve it first")),
        ("lapsed", lapse(known(), NOW), (IllegalTransition, "expired")),
        ("captured", known(op(_P.CAPTURE, 9200)), (IllegalTransition, "captured")),
        ("reversed", known(op(_P.REVERSE, 9200)), (IllegalTransition, "reversed")),
        ("unasked", unasked(), (MoneyHeld, "payment_history_unknown")),
        ("authorized anew", _ANEW, (MoneyHeld, "go on with that one")),
    )
    for name, command in (("capture", _CAPTURE), ("reverse", _REVERSE), ("increase", _INCREASE))
}


@pytest.mark.parametrize("case", _CASES.values(), ids=_CASES)
def test_what_a_command_sends_or_why_not(case: _Case) -> None:
    if case.refusal is not None:
        kind, word = case.refusal
        with pytest.raises(kind, match=re.escape(word)):
            plan_of(case.auth, case.command, after(case.hours))
        return
    plan = plan_of(case.auth, case.command, after(case.hours))
    assert (plan.purpose, plan.amount_minor) == case.plan


def test_every_operation_has_a_key_of_its_own() -> None:
    auth = known(op(_P.CAPTURE, 100, REFUSED), others(_P.CAPTURE, 100, "cc" * 16))
    assert plan_of(auth, _CAPTURE, NOW).key == f"preauthorization:{PAYMENT}:capture:2"


def test_a_capture_is_never_begun_after_the_end_and_a_reversal_may_be() -> None:
    assert plan_of(known(), _CAPTURE, NOW).expires_at == after(168)
    assert plan_of(known(), _REVERSE, NOW).expires_at is None


# What it owes by itself


@dataclass(frozen=True)
class _Own:
    """A policy at a moment, and what is owed."""

    auth: Authorization
    plan: tuple[Purpose, int] | None
    policy: OnExpiry = OnExpiry.NOTIFY
    fired: tuple[str, ...] = ("action",)


_WHEN: dict[str, object] = {"capture_when": (Condition.FRAUD_CLEARED, Condition.ORDER_FULFILLED)}
_HALF_MET = known(told=_WHEN).model_copy(update={"met": met(Condition.FRAUD_CLEARED)})
_ALL_MET = known(told=_WHEN).model_copy(
    update={"met": met(Condition.FRAUD_CLEARED, Condition.ORDER_FULFILLED)}
)
_CAPTURED_ONCE = known(op(_P.CAPTURE, 3000), capabilities=_ONE_CAPTURE)
_C, _R, _A = OnExpiry.CAPTURE, OnExpiry.REVERSE, OnExpiry.REAUTHORIZE
_OWED = {
    "nobody asks": _Own(known(), None),
    "too early": _Own(known(), None, _C, ()),
    "captured by policy": _Own(known(op(_P.CAPTURE, 200)), (_P.CAPTURE, 9000), _C),
    "a condition is missing": _Own(_HALF_MET, None, _C),
    "conditions met before": _Own(_ALL_MET, (_P.CAPTURE, 9200), fired=()),
    "conditions met, and it lapsed": _Own(_ALL_MET, None, fired=("action", "expiry")),
    "one capture only": _Own(_CAPTURED_ONCE, None, _C),
    "one capture only, to be reversed": _Own(_CAPTURED_ONCE, (_P.REVERSE, 6200), _R),
    "reversed by policy": _Own(known(), (_P.REVERSE, 9200), _R),
    "after its end": _Own(known(), None, _R, ("action", "expiry")),
    "authorized anew": _Own(known(told=_REGISTERED), (_P.AUTHORIZE, 9200), _A),
    "authorized anew for the rest": _Own(
        known(op(_P.CAPTURE, 200), told=_REGISTERED), (_P.AUTHORIZE, 9000), _A
    ),
    "no registration": _Own(known(), None, _A),
    "the old one is released": _Own(_ANEW, (_P.REVERSE, 9200), _A),
    "the old one is released even late": _Own(_ANEW, (_P.REVERSE, 9200), _A, ("action", "expiry")),
    "anew under an id that nobody knows": _Own(
        known(op(_P.AUTHORIZE, 9200, gateway_id=None), told=_REGISTERED), None, _A
    ),
    "refused before": _Own(known(op(_P.CAPTURE, 9200, REFUSED)), None, _C),
    "found not booked, by older terms": _Own(
        known(op(_P.CAPTURE, 9200, DOUBT), op(_P.CAPTURE, 9200, REFUSED)), None, _C
    ),
    "found not booked": _Own(
        known(op(_P.CAPTURE, 9200, DOUBT), op(_P.CAPTURE, 9200, REFUSED), doubt_reckoned=True),
        (_P.CAPTURE, 9200),
        _C,
    ),
    "not authorized anew after all": _Own(
        known(
            op(_P.AUTHORIZE, 9200, DOUBT),
            op(_P.AUTHORIZE, 9200, REFUSED),
            told=_REGISTERED,
            doubt_reckoned=True,
        ),
        (_P.AUTHORIZE, 9200),
        _A,
    ),
    "in doubt, and then declined": _Own(
        known(
            op(_P.CAPTURE, 9200, DOUBT),
            op(_P.CAPTURE, 9200, REFUSED, result_code="800.100.152"),
            doubt_reckoned=True,
        ),
        None,
        _C,
    ),
    "refused by a guard": _Own(known(op(_P.CAPTURE, 9200, REFUSED), doubt_reckoned=True), None, _C),
    "another amount was refused": _Own(
        known(op(_P.CAPTURE, 9300, REFUSED)), (_P.CAPTURE, 9200), _C
    ),
    "declined anew": _Own(known(op(_P.AUTHORIZE, 9200, REFUSED), told=_REGISTERED), None, _A),
    "in doubt": _Own(_DOUBTFUL, None, _C),
    "unasked": _Own(unasked(), None, _C),
    "lapsed": _Own(lapse(known(), NOW), None, _C),
    "captured": _Own(known(op(_P.CAPTURE, 9200)), None, _C),
}


@pytest.mark.parametrize("case", _OWED.values(), ids=_OWED)
def test_what_is_owed_without_anybody_asking(case: _Own) -> None:
    pinned = case.auth.terms.model_copy(update={"on_expiry": case.policy})
    plan = own_plan(case.auth.model_copy(update={"terms": pinned, "fired": case.fired}))
    assert (plan and (plan.purpose, plan.amount_minor)) == case.plan


def test_a_new_authorization_goes_by_registration_and_stands_alone() -> None:
    auth = known(told=_REGISTERED, on_expiry=_A).model_copy(update={"fired": ("action",)})
    plan = own_plan(auth)
    assert plan is not None
    assert (plan.registration_id, plan.referenced_id) == (REGISTRATION, None)
    assert plan.payment_id == plan.merchant_transaction_id
    assert REGISTRATION not in repr(plan)


def test_a_second_authorization_of_unknown_id_is_a_persons_to_find() -> None:
    auth = known(op(_P.AUTHORIZE, 9200, gateway_id=None), told=_REGISTERED)
    assert auth.successor is None
    assert "expiry_action_needed" in auth.flags


def test_the_status_shows_what_comes_and_never_the_registration() -> None:
    status = status_of(known(told=_WHEN | _REGISTERED))
    assert status.next_action is not None
    assert (status.next_action.what, status.next_action.at) == ("ladder:48", after(120))
    assert [(it.condition, it.met_at) for it in status.conditions] == [
        ("fraud_cleared", None),
        ("order_fulfilled", None),
    ]
    assert (status.authorized, status.captured, status.open_amount) == ("92.00", "0.00", "92.00")
    assert REGISTRATION not in status.model_dump_json()


# Whatever comes in whatever order

_PURPOSES = st.sampled_from([_P.CAPTURE, _P.REVERSE, _P.INCREASE, _P.AUTHORIZE])
_COMMANDS: st.SearchStrategy[AuthorizationCommand] = st.one_of(
    st.integers(1, 9200).map(lambda minor: Capture(requested_by="a", amount=eur(minor))),
    st.just(_CAPTURE),
    st.just(_REVERSE),
    st.integers(1, 5000).map(lambda minor: Increase(amount=eur(minor), requested_by="a")),
)
_OUTCOMES = st.sampled_from(["settled", "refused", "too late", "doubt, settled", "doubt, refused"])
_STEPS = st.one_of(
    st.tuples(_COMMANDS, _OUTCOMES),
    st.tuples(st.sampled_from(["own", "clock", "told again", "booked twice told"]), _OUTCOMES),
)


@given(st.lists(_STEPS, max_size=25), st.sampled_from(list(OnExpiry)), st.booleans())
def test_no_life_takes_more_than_was_authorized_or_loses_both_authorizations(
    steps: list[tuple[AuthorizationCommand | str, str]],
    policy: OnExpiry,
    doubt_reckoned: bool,  # noqa: FBT001 - hypothesis gives it by its place
) -> None:
    """Of whatever is sent, and whatever became of it: the workflow's own view stays sound."""
    auth, now = known(told=_REGISTERED, on_expiry=policy, doubt_reckoned=doubt_reckoned), NOW
    booked: list[Operation] = []
    for step, outcome in steps:
        now += timedelta(hours=1)
        if step == "clock":
            due = next_due(auth)
            auth, now = (auth, now) if due is None else (fire(auth, due, due.due)[0], due.due)
            if due is not None and due.name == "expiry" and not auth.doubtful:
                auth = lapse(auth, now)
        elif step in ("told again", "booked twice told"):
            alien = [
                it.model_copy(update={"key": f"gateway:{it.gateway_id}"})
                for it in booked
                if it.purpose is not _P.AUTHORIZE
            ]
            auth = payment_told(auth, payment(*(booked if step == "told again" else alien)), now)
        else:
            auth = _sent(auth, None if isinstance(step, str) else step, outcome, booked, now)
        _sound(auth, booked)


def _sent(
    auth: Authorization,
    command: AuthorizationCommand | None,
    outcome: str,
    booked: list[Operation],
    now: datetime,
) -> Authorization:
    """Send what is asked for or owed, and note what became of it."""
    try:
        plan = own_plan(auth) if command is None else plan_of(auth, command, now)
    except Refusal:
        return auth
    if plan is None:
        return auth
    released = plan.purpose is _P.REVERSE and command is None
    if released and auth.terms.on_expiry is OnExpiry.REAUTHORIZE:
        assert auth.successor is not None, "the old one was given up without a new one"
    place = int(plan.key.rpartition(":")[2])
    if outcome.startswith("doubt"):
        auth = reported(auth, op(plan.purpose, plan.amount_minor, DOUBT, place), now)
        assert own_plan(auth) is None
    if outcome.endswith("settled"):
        made = op(plan.purpose, plan.amount_minor, place=place)
        assert all(made.gateway_id != it.gateway_id for it in booked), "one key for two entries"
        booked.append(made)
        return reported(auth, made, now)
    code = "700.300.400" if outcome == "too late" else None
    refused = op(plan.purpose, plan.amount_minor, REFUSED, place, result_code=code)
    return reported(auth, refused, now)


def _sound(auth: Authorization, booked: list[Operation]) -> None:
    def total(purpose: Purpose) -> int:
        return sum(it.amount_minor for it in booked if it.purpose is purpose)

    assert auth.captured_minor == total(_P.CAPTURE)
    assert auth.authorized_minor == 9200 + total(_P.INCREASE)
    assert 0 <= auth.open_minor <= auth.authorized_minor
    assert auth.captured_minor + total(_P.REVERSE) <= auth.authorized_minor
    anew = [it.gateway_id for it in booked if it.purpose is _P.AUTHORIZE]
    assert anew == ([auth.successor] if auth.successor else []), "authorized anew twice"
