"""What a plan says of itself: its reference at the gateway, and whether it may be sent twice."""

import pytest
from pydantic import ValidationError

from disputes.operations import PAYMENT_TYPE, Plan, business_key, merchant_transaction_id
from disputes.refusals import RefusalKind, reason_of, refusal_of
from disputes.vocabulary import PaymentType, Purpose

#: A plan as a register of the first version holds it.
OLD = """{"key": "dispute:D-1001:book:1", "purpose": "book", "dispute_id": "D-1001",
 "merchant_id": "M-1", "payment_id": "8ac7a4a09136ba2801913734d9e253d8",
 "referenced_id": "8ac7a4a09136ba2801913734d9e253d8", "amount_minor": 9200, "currency": "EUR",
 "network": "visa", "reason_code": "13.1", "whole": true}"""


def _plan(purpose: Purpose, *, whole: bool = True) -> Plan:
    changed = {"purpose": purpose, "whole": whole}
    return Plan.model_validate_json(OLD).model_copy(update=changed)


def test_a_plan_of_the_first_version_is_read_and_keeps_its_reference() -> None:
    plan = Plan.model_validate_json(OLD)
    assert plan.key == business_key("dispute", "D-1001", Purpose.BOOK)
    assert plan.merchant_transaction_id == "d7b42b76bc4673682e8bd58231c1e3eb"
    assert plan.chargeback_reason is None


def test_what_cannot_be_read_is_not_repeated() -> None:
    """A payload that an older worker wrote otherwise may hold a shopper's token."""
    token = "5a1f" * 8
    broken = OLD.replace('"amount_minor": 9200', f'"registration_id": "{token}-{token}"')
    with pytest.raises(ValidationError) as refused:
        Plan.model_validate_json(broken)
    assert token not in str(refused.value)
    assert "registration_id" in str(refused.value)


def test_every_purpose_has_a_type_and_a_key_of_its_own() -> None:
    assert PAYMENT_TYPE.keys() == set(Purpose)
    keys = {business_key("refund", "R-1", purpose) for purpose in Purpose}
    assert len({merchant_transaction_id(key) for key in keys}) == len(Purpose)


@pytest.mark.parametrize("purpose", Purpose)
def test_what_may_be_sent_again_is_refused_or_undone_when_it_is_booked_twice(
    purpose: Purpose,
) -> None:
    """The gateway refuses a second CB, RV, and RF or CR of all; the rest has an inverse."""
    in_part = PAYMENT_TYPE[purpose] in (PaymentType.RF, PaymentType.CR, PaymentType.RV)
    assert _plan(purpose).resendable is (purpose is not Purpose.INCREASE)
    expected = purpose is not Purpose.INCREASE and not in_part
    assert _plan(purpose, whole=False).resendable is expected


def test_a_code_outside_the_table_still_says_what_to_do() -> None:
    assert refusal_of("800.100.152").kind is RefusalKind.OTHER
    assert "800.100.152" in reason_of("800.100.152")
    assert "What to do: " in reason_of(None)
