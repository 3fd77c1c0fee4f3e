"""PayUnity's notifications: the envelope that proves who sent them, and what is kept of them.

The envelope is the whole authentication (protocol, section 6): AES-256-GCM over the body, IV and
tag in headers. It has no moment and no number, so a replay is authentic too: what repeats must be
harmless. Of the content only ids, types, codes and amounts are read; cards, tokens and the
shopper's data go nowhere.
"""

import binascii
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictStr, ValidationError
from pydantic.alias_generators import to_camel

from disputes.card_data import has_card_number
from disputes.decode import canonical, sha256
from disputes.gateway.codes import Verdict, classify
from disputes.gateway.wire import GATEWAY_ID, minor_of, moment_of
from disputes.notification import Arrival, Notification, NotifiedEntry
from disputes.vocabulary import PaymentType

IV_HEADER: Final = "X-Initialization-Vector"
TAG_HEADER: Final = "X-Authentication-Tag"
#: A notification has some kilobytes, and its hex twice as many.
MAX_BODY_BYTES: Final = 256 * 1024
_IV_DIGITS: Final = 24
_TAG_DIGITS: Final = 32
_YEARS: Final = range(2000, 2200)
_WORDS: Final = re.compile(r"[A-Za-z][A-Za-z_ -]{0,39}")
_CODE: Final = re.compile(r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_ARN: Final = re.compile(r"[0-9]{23}", re.ASCII)
#: Where an acquirer's reference number may stand: ASSUMED, no real CB notification is public.
_ARN_NAMES: Final = frozenset({"arn", "acquirerreferencenumber"})
#: Proof that the entry is not booked, or not yet.
_NOT_BOOKED: Final = (
    Verdict.REFUSED,
    Verdict.NOT_SENT,
    Verdict.REVERSED,
    Verdict.PENDING,
    Verdict.THROTTLED,
    Verdict.BACK_OFF,
)
#: The portal's button; lower case as it comes, documented nowhere (protocol, section 6).
_TEST: Final = "test"
_PAYMENT: Final = "PAYMENT"


class NotAuthentic(Exception):
    """No key of ours sealed this; the reason is told to nobody."""


class WebhookKeys:
    """The keys that a webhook may be sealed with: the portal's, and during a rotation both.

    ``keys``: 64 hex digits each, as the settings check them.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._ciphers = tuple(AESGCM(bytes.fromhex(key)) for key in keys)

    def open(self, body: bytes, iv: str | None, tag: str | None) -> bytes:
        """The plaintext of an envelope; body, ``iv`` and ``tag`` as they came, in hex.

        Raises:
            NotAuthentic: whatever is wrong with it.
        """
        if len(body) > MAX_BODY_BYTES:
            raise NotAuthentic
        # A shorter tag would be easier to guess.
        nonce = _hex_of(iv, _IV_DIGITS)
        sealed = _unhex(_ciphertext(body)) + _hex_of(tag, _TAG_DIGITS)
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(nonce, sealed, None)
            except InvalidTag:
                continue
        raise NotAuthentic


class _Wrapper(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, hide_input_in_errors=True)

    encrypted_body: StrictStr


def _ciphertext(body: bytes) -> bytes:
    """Hex digits of a raw or JSON-wrapped body."""
    content = body.strip(b" \t\r\n")
    if not content.startswith(b"{"):
        return content
    try:
        return _Wrapper.model_validate_json(content).encrypted_body.encode()
    except ValidationError:
        pass
    raise NotAuthentic


def _hex_of(text: str | None, digits: int) -> bytes:
    if text is None or len(text) != digits:
        raise NotAuthentic
    return _unhex(text)


def _unhex(digits: str | bytes) -> bytes:
    try:
        return binascii.unhexlify(digits)
    except ValueError:
        pass
    raise NotAuthentic


def _text(value: object) -> object:
    # Fields come and go: one of another type is as good as none.
    return value if isinstance(value, str) else None


def _object(value: object) -> object:
    return value if isinstance(value, dict) else {}


_Text = Annotated[str | None, BeforeValidator(_text)]


class _Result(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    code: _Text = None


class _Payload(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, hide_input_in_errors=True)

    id: _Text = None
    payment_type: _Text = None
    referenced_id: _Text = None
    merchant_transaction_id: _Text = None
    amount: _Text = None
    currency: _Text = None
    timestamp: _Text = None
    result: Annotated[_Result, BeforeValidator(_object)] = _Result()
    result_details: Annotated[dict[str, object], BeforeValidator(_object)] = Field(
        default_factory=dict
    )


class _Envelope(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    type: StrictStr
    action: _Text = None


class _PaymentEnvelope(_Envelope):
    payload: _Payload


def read_notification(plaintext: bytes) -> Arrival:
    """What an authentic plaintext says; never raises, for its sender would only repeat it."""
    digest = sha256(plaintext)
    try:
        envelope = _Envelope.model_validate_json(plaintext)
    except ValidationError:
        return Arrival(notification=_kept("unreadable", "it cannot be read"), sha256=digest)
    name = _fitting(_WORDS, envelope.type) or "unreadable"
    action = _fitting(_WORDS, envelope.action)
    if name == _TEST:
        return Arrival(notification=_kept(name, "the portal's test", action), sha256=digest)
    if name != _PAYMENT:
        kept = _kept(name, "not about a payment", action)
        return Arrival(notification=kept, sha256=digest)
    try:
        payload = _PaymentEnvelope.model_validate_json(plaintext).payload
    except ValidationError:
        kept = _kept(name, "its payload cannot be read", action)
        return Arrival(notification=kept, sha256=digest)
    entry = _entry_of(payload)
    kept = Notification(type=name, action=action, entry=entry, ignored=_unbooked(payload, entry))
    return Arrival(notification=kept, sha256=digest, meaning=_meaning(payload) if entry else None)


def _kept(name: str, ignored: str, action: str | None = None) -> Notification:
    return Notification(type=name, action=action, ignored=ignored)


def _entry_of(payload: _Payload) -> NotifiedEntry | None:
    gateway_id = _fitting(GATEWAY_ID, payload.id)
    if gateway_id is None or payload.payment_type not in set(PaymentType):
        return None
    currency = _fitting(_CURRENCY, payload.currency)
    return NotifiedEntry(
        gateway_id=gateway_id,
        payment_type=PaymentType(payload.payment_type),
        referenced_id=_fitting(GATEWAY_ID, payload.referenced_id),
        merchant_transaction_id=_fitting(GATEWAY_ID, payload.merchant_transaction_id),
        amount_minor=_minor(payload.amount, currency),
        currency=currency,
        result_code=_fitting(_CODE, payload.result.code),
        arn=_arn(payload.result_details),
        at=_moment(payload.timestamp),
    )


def _unbooked(payload: _Payload, entry: NotifiedEntry | None) -> str | None:
    """Why a payment's notification is nobody's business; its type counts before its code.

    A booked CB says why in its code (000.100.2xx), which on other types proves nothing.
    """
    if entry is None:
        known = _fitting(GATEWAY_ID, payload.id) is not None
        return "a type that is not used here" if known else "its payload has no id"
    if classify(entry.result_code or "", entry.payment_type) in _NOT_BOOKED:
        return "the gateway has booked nothing"
    return None


def _meaning(payload: _Payload) -> str:
    parts = (payload.id, payload.payment_type, payload.result.code, payload.timestamp)
    return sha256(canonical(list(parts)).encode("utf-8", "backslashreplace"))


def _fitting(form: re.Pattern[str], text: str | None) -> str | None:
    return text if text is not None and form.fullmatch(text) else None


def _minor(amount: str | None, currency: str | None) -> int | None:
    try:
        return minor_of(amount, currency) if amount and currency else None
    except ValueError:
        return None


def _moment(timestamp: str | None) -> datetime | None:
    moment = moment_of(timestamp) if timestamp else None
    return moment if moment is not None and moment.year in _YEARS else None


def _arn(details: dict[str, object]) -> str | None:
    for name, value in details.items():
        if re.sub(r"[^a-z]", "", name.lower()) in _ARN_NAMES and isinstance(value, str):
            arn = _fitting(_ARN, value)
            return arn if arn and not has_card_number(arn) else None
    return None
