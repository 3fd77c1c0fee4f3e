"""Examples of the OpenAPI document; each is a body that the engine accepts."""

from typing import Final

MONEY: Final = {"amount": "92.00", "currency": "EUR"}
NOTICE: Final = {
    "dispute_id": "D-1001",
    "merchant_id": "M-1",
    "payment_id": "8ac7a4a09136ba2801913734d9e253d8",
    "stage": "chargeback",
    "network": "visa",
    "reason_code": "13.1",
    "amount": MONEY,
    "received_at": "2026-11-02T09:30:00Z",
    "processed_at": "2026-10-31",
    "respond_by": "2026-12-02T00:00:00Z",
}
EVIDENCE: Final = {
    "evidence_id": "EV-1",
    "evidence_type": "delivery_confirmation",
    "text": "Signed for on 2 October at 14:05.",
}
REBILL: Final = {
    "reason": "the shopper kept the goods",
    "consent": {"given_at": "2026-11-20T10:00:00Z", "evidence_id": "EV-2"},
    "amount": MONEY,
}
BULK_ACCEPTANCE: Final = {"dispute_ids": ["D-1001", "D-1002"], "reason": "the goods were lost"}
RULING: Final = {
    "ruling_id": "R-1",
    "outcome": "merchant_won",
    "decided_at": "2026-11-20T10:00:00Z",
}
NETWORK_EVENT: Final = {
    "event_id": "E-1",
    "kind": "pre_arbitration_opened",
    "occurred_at": "2026-11-20T10:00:00Z",
    "amount": MONEY,
}
HYPOTHETICAL: Final = {"ruling": RULING}
RESOLUTION: Final = {
    "resolution": "happened",
    "proof": "the gateway's back office shows the entry",
}
FEED: Final = (
    '{"event_id": "E-1", "type": "dispute.ruling", "dispute_id": "D-1001", "data": {"ruling_id":'
    ' "R-1", "outcome": "merchant_won", "decided_at": "2026-11-20T10:00:00Z"}}\n'
)
FEED_CSV: Final = (
    "dispute_id,merchant_id,payment_id,stage,network,reason_code,amount,currency,received_at\n"
    "D-1001,M-1,8ac7a4a09136ba2801913734d9e253d8,chargeback,visa,13.1,92.00,EUR,"
    "2026-11-02T09:30:00Z\n"
)
PREAUTHORIZATION: Final = {
    "payment_id": "8ac7a4a09136ba2801913734d9e253d9",
    "merchant_id": "M-1",
    "network": "visa",
    "amount": MONEY,
    "authorized_at": "2026-11-20T10:00:00Z",
    "capture_when": ["order_fulfilled"],
}
CONDITION: Final = {"condition": "order_fulfilled", "occurred_at": "2026-11-22T08:00:00Z"}
REFUND: Final = {
    "refund_id": "RF-1001",
    "payment_id": "8ac7a4a09136ba2801913734d9e253d8",
    "merchant_id": "M-1",
    "amount": {"amount": "20.00", "currency": "EUR"},
    "reason": "damaged_or_defective",
}
PAYOUT: Final = {
    "payout_id": "PO-1001",
    "merchant_id": "M-1",
    "amount": {"amount": "15.00", "currency": "EUR"},
    "registration_id": "8a829449515d198b01517d5601df5584",
    "reason": "customer_service_gesture",
}
ORDER_REBILL: Final = {
    "rebill_id": "RB-1001",
    "payment_id": "8ac7a4a09136ba2801913734d9e253d8",
    "merchant_id": "M-1",
    "amount": {"amount": "8.00", "currency": "EUR"},
    "reason": "final_amount_differs",
}
#: A sealed notification, as hex digits.
SEALED: Final = "5f0c7e1b94d2a36870bd"
