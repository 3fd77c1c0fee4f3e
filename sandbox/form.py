"""The platform's form check: what it refuses before it looks at any payment."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from disputes.money import decimals
from disputes.vocabulary import PaymentType
from sandbox import codes
from sandbox.rules import Refused
from sandbox.transactions import Order, minor_amount

#: Payment types that stand alone; all others reference a transaction in the path.
STANDALONE = (PaymentType.PA, PaymentType.DB, PaymentType.CD)
BACK_OFFICE = (
    PaymentType.CP,
    PaymentType.RV,
    PaymentType.RF,
    PaymentType.RB,
    PaymentType.CB,
    PaymentType.CR,
)
#: Test cards of the white labels' documentation (protocol, section 7); any other is refused, so
#: that a real number sent here by mistake goes nowhere.
TEST_CARDS = frozenset(
    """4200000000000000 4111111111111111 4711100000000000 4012888888881881 5212345678901234
    5105105105105100 5454545454545454 375987000000005 377777777777770 30082246403846
    4200000000000091 4200000000000026 4200000000000109 4200000000000059 4200000000000042
    4200000000000067 4200000000000018 4200000000000075 4012001037141112 4012001037461114
    5200000000000007 5200000000000015 5200000000000064""".split()
)
_PATTERNS = {
    "amount": re.compile(r"[0-9]{1,12}\.[0-9]{2}"),
    "currency": re.compile(r"[A-Z]{3}"),
    "testMode": re.compile(r"INTERNAL|EXTERNAL"),
    "merchantTransactionId": re.compile(r".{1,255}", re.DOTALL),
    "card.number": re.compile(r"[0-9]{12,19}"),
}
#: Largest amount taken, in whole units: judgement, the platform's own limit is not published.
_LARGEST = 9_999_999_999
#: The wire name of a chargeback's reason is not published: any of these (protocol, section 2).
_REASON_NAMES = ("chargeback.reason", "chargeback.reasonCode", "reason")


def read_form(body: bytes) -> dict[str, str]:
    """Fields of a form body; raises ``Refused`` where it is no UTF-8 form."""
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict"))
    except ValueError:
        errors = [_error("body", "must be a form in UTF-8")]
        raise Refused(codes.BAD_PARAMETER, errors) from None


def read_order(form: Mapping[str, str], referenced_id: str | None) -> Order:
    """The order in a form.

    Raises ``Refused``: with its ``parameter_errors`` where fields are missing or malformed.
    """
    # A PA on a PA increases it.
    allowed = (*BACK_OFFICE, PaymentType.PA) if referenced_id else STANDALONE
    errors = [
        # A card number is never repeated, not even a malformed one.
        _error(name, "is invalid", None if name == "card.number" else form[name])
        for name, pattern in _PATTERNS.items()
        if name in form and not pattern.fullmatch(form[name])
    ]
    if form.get("paymentType") not in allowed:
        errors.append(_error("paymentType", "is invalid or missing", form.get("paymentType")))
    if "currency" not in form and ("amount" in form or not referenced_id):
        errors.append(_error("currency", "is missing"))
    if errors:
        raise Refused(codes.BAD_PARAMETER, errors)
    card = form.get("card.number", "")
    order = Order(
        payment_type=PaymentType(form["paymentType"]),
        entity_id=entity_of(form),
        amount_minor=_amount(form),
        currency=form.get("currency"),
        referenced_id=referenced_id,
        merchant_transaction_id=form.get("merchantTransactionId"),
        test_mode=form.get("testMode", "INTERNAL"),
        reason=next((form[name] for name in _REASON_NAMES if name in form), None),
        simulated_code=form.get("customParameters[SIM_resultCode]"),
        brand=None if referenced_id else form.get("paymentBrand"),
        card_bin=card[:6] or None,
        card_last4=card[-4:] or None,
        registration_id=form.get("registrationId"),
    )
    if not referenced_id:
        _check_standalone(form, order)
    return order


def entity_of(fields: Mapping[str, str]) -> str:
    """Entity of a form or query; the older spelling is accepted (protocol, section 1)."""
    return fields.get("entityId") or fields.get("authentication.entityId", "")


def _amount(form: Mapping[str, str]) -> int | None:
    """The amount in minor units; its pattern and the currency's are checked already."""
    if "currency" in form:
        try:
            decimals(form["currency"])
        except ValueError:
            raise Refused(codes.BAD_CURRENCY) from None
    if "amount" not in form:
        return None
    if int(form["amount"].partition(".")[0]) > _LARGEST:
        raise Refused(codes.AMOUNT_TOO_LARGE)
    try:
        minor = minor_amount(form["amount"], form["currency"])
    except ValueError:
        raise Refused(codes.AMOUNT_DECIMALS) from None
    if minor == 0:
        raise Refused(codes.NO_AMOUNT)
    return minor


def _check_standalone(form: Mapping[str, str], order: Order) -> None:
    if order.amount_minor is None:
        raise Refused(codes.NO_AMOUNT)
    if not {"card.number", "registrationId", "bankAccount.iban"} & form.keys():
        raise Refused(codes.NO_ACCOUNT)
    if "card.number" in form and form["card.number"] not in TEST_CARDS:
        raise Refused(codes.BAD_CARD)


def _error(name: str, message: str, value: str | None = None) -> dict[str, str]:
    error = {"name": name, "message": message}
    return error if value is None else error | {"value": value}
