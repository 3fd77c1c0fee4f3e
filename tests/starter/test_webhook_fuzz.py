"""Whatever comes to the webhook's door: no fault, and nothing is taken that nobody sealed."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from disputes.card_data import has_card_number
from disputes.decode import sha256
from disputes.gateway.webhooks import MAX_BODY_BYTES
from disputes.notification import (
    Bearings,
    KnownAs,
    NotifiedEntry,
    Suspect,
    TellDisputes,
    Wait,
    route,
)
from disputes.store import open_store
from disputes.store.inbox import Inbox, InboxState
from disputes.store.migrations import migrate
from disputes.vocabulary import OperationState, PaymentType
from starter.api.metrics import DoorCounts
from starter.api.webhooks import PATH
from tests.support.door import door_app
from tests.support.webhooks import OTHER_KEY, Json, sealed

IV, TAG = "X-Initialization-Vector", "X-Authentication-Tag"
CARD = "4200000000000000"
_fuzz = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class FuzzedDoor:
    """The door on a real store, without who delivers, on a loop of its own."""

    def __init__(self, http: httpx.AsyncClient, inbox: Inbox, counts: DoorCounts) -> None:
        self.http, self.inbox, self.counts = http, inbox, counts
        self.loop = asyncio.new_event_loop()

    def knock(self, body: bytes, headers: dict[str, str]) -> int:
        """The status of the answer."""
        sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        answer = self.http.post(PATH, content=body, headers=sent)
        return self.loop.run_until_complete(answer).status_code

    def kept(self) -> int:
        """How many notifications are kept."""
        return len(self.inbox.lines(limit=1_000_000))


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzedDoor]:
    file: Path = tmp_path_factory.mktemp("fuzz") / "store.sqlite3"
    migrate(f"sqlite:///{file}")
    store = open_store(f"sqlite:///{file}")
    counts = DoorCounts()
    transport = httpx.ASGITransport(door_app(store, asyncio.Event(), counts))
    http = httpx.AsyncClient(transport=transport, base_url="http://door")
    opened = FuzzedDoor(http, Inbox(store), counts)
    yield opened
    opened.loop.run_until_complete(http.aclose())
    opened.loop.run_until_complete(opened.loop.shutdown_default_executor())
    opened.loop.close()
    store.close()


_hex = st.text("0123456789abcdefABCDEF", max_size=80)
_header = st.one_of(
    _hex,
    st.binary(min_size=12, max_size=16).map(bytes.hex),
    st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f")),
)
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from([CARD, "a" * 32, "CB", "CR", "RF", "PAYMENT", "92.00", "EUR"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
_body = st.one_of(
    st.binary(max_size=200),
    _hex.map(str.encode),
    st.builds(lambda it: json.dumps({"encryptedBody": it}).encode(), _json | _hex),
    _json.map(lambda it: json.dumps(it).encode()),
)
_value = _json | st.sampled_from(["a" * 32, "b" * 32, CARD, "", "000.100.220", "2024-09-16"])
_OPTIONAL = (
    "amount currency referencedId merchantTransactionId timestamp result resultDetails".split()
)
_payload = st.fixed_dictionaries(
    {"id": st.sampled_from(["c" * 32, "C" * 32]) | _value, "paymentType": _value},
    optional=dict.fromkeys(_OPTIONAL, _value),
)
_notification = st.one_of(
    _json,
    st.fixed_dictionaries({"type": _value}, optional={"action": _value, "payload": _value}),
    st.builds(lambda payload: {"type": "PAYMENT", "payload": payload}, _payload),
)


@_fuzz
@given(body=_body, iv=_header, tag=_header)
def test_what_nobody_sealed_is_refused_and_leaves_nothing(
    door: FuzzedDoor, body: bytes, iv: str, tag: str
) -> None:
    before, count = door.kept(), door.counts.not_authentic
    assert door.knock(body, {IV: iv, TAG: tag}) == 401
    assert (door.kept(), door.counts.not_authentic) == (before, count + 1)


@_fuzz
@given(
    content=_notification,
    wrapped=st.booleans(),
    part=st.sampled_from(["body", IV, TAG]),
    place=st.integers(min_value=0),
    change=st.sampled_from(["flip", "cut", "double", "key"]),
)
def test_a_changed_envelope_is_refused_and_leaves_nothing(
    door: FuzzedDoor, content: Json, part: str, place: int, change: str, *, wrapped: bool
) -> None:
    before = door.kept()
    plaintext = json.dumps(content).encode()
    body, headers = sealed(plaintext, wrapped=wrapped)
    digits = json.loads(body)["encryptedBody"] if wrapped else body.decode()
    text = digits if part == "body" else headers[part]
    place %= len(text)
    if change == "key":
        body, headers = sealed(plaintext, OTHER_KEY, wrapped=wrapped)
    else:
        flipped = f"{int(text[place], 16) ^ 1:x}"
        text = {
            "flip": text[:place] + flipped + text[place + 1 :],
            "cut": text[:place] + text[place + 1 :],
            "double": text[:place] + text[place] + text[place:],
        }[change]
        if part == "body":
            body = json.dumps({"encryptedBody": text}).encode() if wrapped else text.encode()
        else:
            headers[part] = text
    assert door.knock(body, headers) == 401
    assert door.kept() == before


@_fuzz
@given(content=_notification | st.binary(max_size=300), wrapped=st.booleans())
def test_what_a_key_of_ours_sealed_is_kept_once_whatever_it_says(
    door: FuzzedDoor, content: Json | bytes, *, wrapped: bool
) -> None:
    plaintext = content if isinstance(content, bytes) else json.dumps(content).encode()
    for _ in range(2):
        assert door.knock(*sealed(plaintext, wrapped=wrapped)) == 200
    lines = {line.sha256: line for line in door.inbox.lines(limit=1_000_000)}
    kept = lines.get(sha256(plaintext))
    if kept is None:  # then one of the same meaning is
        assert any(line.notification.entry for line in lines.values())
        return
    told = kept.notification.kept()
    assert not has_card_number(json.dumps(told))
    assert len(json.dumps(told)) < 1000
    if kept.state is InboxState.RECEIVED:
        entry = kept.notification.entry
        assert entry is not None
        assert isinstance(content, dict)
        assert content["type"] == "PAYMENT"
        assert content["payload"]["id"] == entry.gateway_id
        assert entry.booking(kept.received_at)["gateway_id"] == entry.gateway_id


@_fuzz
@given(size=st.integers(MAX_BODY_BYTES - 2, MAX_BODY_BYTES + 2))
def test_the_limit_is_exact(door: FuzzedDoor, size: int) -> None:
    status = door.knock(b"0" * size, {IV: "0" * 24, TAG: "0" * 32})
    assert status == (413 if size > MAX_BODY_BYTES else 401)


_id = st.sampled_from([letter * 32 for letter in "abc"])
_ids = st.none() | _id
_suspect = st.builds(
    Suspect,
    dispute_id=st.sampled_from(["D-1", "D-2"]),
    payment_id=_ids,
    gateway_reference=_ids,
    amount_minor=st.sampled_from([0, 92_00]),
    currency=st.sampled_from(["", "EUR"]),
    final=st.booleans(),
    booked=st.booleans(),
)
_known = st.builds(
    KnownAs,
    key=st.sampled_from(["dispute:D-1:book:1", "refund:R-1:refund:1", "gateway:" + "a" * 32]),
    state=st.sampled_from(OperationState),
    gateway_id=_ids,
    dispute_id=st.none() | st.just("D-1"),
)
_bearings = st.builds(
    Bearings,
    operation=st.none() | _known,
    parent_dispute=st.none() | st.just("D-1"),
    told=st.none() | st.sampled_from(["D-1", "D-2"]),
    suspects=st.lists(_suspect, max_size=3).map(tuple),
)


@_fuzz
@given(
    entry=st.builds(
        lambda **fields: fields,
        gateway_id=_id,
        payment_type=st.sampled_from(PaymentType),
        referenced_id=_ids,
        amount_minor=st.none() | st.just(92_00),
        currency=st.none() | st.just("EUR"),
    ),
    known=_bearings,
)
def test_every_entry_has_a_way_whatever_the_books_know(entry: Json, known: Bearings) -> None:
    """And only a chargeback that is no operation of ours is ever listed as a case."""
    way = route(NotifiedEntry.model_validate(entry), known)
    if isinstance(way, Wait) and way.orphan:
        assert entry["payment_type"] is PaymentType.CB
        assert known.operation is None or known.operation.key.startswith("gateway:")
    if isinstance(way, TellDisputes):
        assert way.dispute_ids
        assert all(way.dispute_ids)
