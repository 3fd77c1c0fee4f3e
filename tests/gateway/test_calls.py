import pytest
from pydantic import SecretStr

from disputes.gateway.calls import CHARGEBACK_REASON_FIELD, Call, Deadline, Entity, TestMode
from disputes.gateway.wire import AmountNotRepresentable
from disputes.vocabulary import PaymentType

PAYMENT = "00112233445566778899aabbccddeeff"
TOKEN = "5a1f" * 8


def _entity(test_mode: TestMode | None = None) -> Entity:
    return Entity("entity-1", SecretStr("very-secret"), "https://eu-test.oppwa.com", test_mode)


def _call(
    payment_type: PaymentType = PaymentType.CB,
    *,
    referenced_id: str | None = PAYMENT,
    registration_id: str | None = None,
    mtid: str = "d1001book1",
    amount_minor: int | None = 9200,
    currency: str | None = "EUR",
    reason: str | None = None,
    test_mode: TestMode | None = None,
) -> Call:
    return Call(
        payment_type=payment_type,
        referenced_id=referenced_id,
        registration_id=registration_id,
        merchant_transaction_id=mtid,
        entity=_entity(test_mode),
        deadline=Deadline(60),
        amount_minor=amount_minor,
        currency=currency,
        reason=reason,
    )


def test_a_chargeback_is_written_with_its_reason_and_mode() -> None:
    assert _call(reason="000.100.220", test_mode="EXTERNAL").form() == {
        "entityId": "entity-1",
        "paymentType": "CB",
        "merchantTransactionId": "d1001book1",
        "amount": "92.00",
        "currency": "EUR",
        "testMode": "EXTERNAL",
        CHARGEBACK_REASON_FIELD: "000.100.220",
    }


def test_a_full_reversal_goes_without_an_amount() -> None:
    form = _call(PaymentType.RV, amount_minor=None, currency=None).form()
    assert form.keys() == {"entityId", "paymentType", "merchantTransactionId"}


@pytest.mark.parametrize("kind", [PaymentType.PA, PaymentType.DB, PaymentType.CD])
def test_a_payment_of_its_own_goes_to_the_shoppers_registration(kind: PaymentType) -> None:
    call = _call(kind, referenced_id=None, registration_id=TOKEN)
    assert call.path == f"/registrations/{TOKEN}/payments"
    assert call.form() == {
        "entityId": "entity-1",
        "paymentType": kind.value,
        "merchantTransactionId": "d1001book1",
        "amount": "92.00",
        "currency": "EUR",
    }
    assert TOKEN not in repr(call)


def test_an_increase_references_its_authorization() -> None:
    assert _call(PaymentType.PA).path == f"/payments/{PAYMENT}"


def test_an_amount_that_would_lose_value_is_not_written() -> None:
    with pytest.raises(AmountNotRepresentable):
        _call(amount_minor=1255, currency="KWD").form()


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("payment_type", lambda: _call(PaymentType.DB)),
        ("payment_type", lambda: _call(PaymentType.CD)),
        ("payment_type", lambda: _call(PaymentType.CP, referenced_id=None)),
        ("registration_id", lambda: _call(PaymentType.CD, referenced_id=None)),
        ("registration_id", lambda: _call(registration_id=TOKEN)),
        (
            "registration_id",
            lambda: _call(PaymentType.CD, referenced_id=None, registration_id="../../v1/query"),
        ),
        ("referenced_id", lambda: _call(referenced_id="../../v1/query/0011223344")),
        ("referenced_id", lambda: _call(referenced_id=PAYMENT.upper())),
        ("merchant_transaction_id", lambda: _call(mtid="short")),
        ("merchant_transaction_id", lambda: _call(mtid="d1001 book&1")),
        ("amount_minor", lambda: _call(amount_minor=None, currency=None)),
        ("amount_minor", lambda: _call(PaymentType.RV, amount_minor=None)),
        ("reason", lambda: _call(PaymentType.CR, reason="000.100.220")),
        ("reason", lambda: _call(reason="000.100.110")),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name(field: str, make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=rf"^{field}"):
        make()


def test_a_token_shows_nowhere() -> None:
    call = _call()
    assert "very-secret" not in f"{call} {call!r} {call.entity} {call.entity!r} {call.form()}"


def test_a_deadline_passes() -> None:
    assert Deadline(0).passed
    assert not Deadline(3600).passed
