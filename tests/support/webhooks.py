"""The gateway's side of a webhook: notifications and their envelope, as PayUnity seals them."""

import json
import os
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

Json = dict[str, Any]
KEY = "000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f"
OTHER_KEY = "ff" * 32


def sealed(
    plaintext: bytes | Json, key: str = KEY, *, wrapped: bool = False
) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a notification."""
    content = plaintext if isinstance(plaintext, bytes) else json.dumps(plaintext).encode()
    iv = os.urandom(12)
    box = AESGCM(bytes.fromhex(key)).encrypt(iv, content, None)
    digits = box[:-16].hex().upper()
    body = json.dumps({"encryptedBody": digits}) if wrapped else digits
    headers = {"X-Initialization-Vector": iv.hex(), "X-Authentication-Tag": box[-16:].hex()}
    return body.encode(), headers


def notification(entry: Json, **more: object) -> Json:
    """A PAYMENT notification of an entry as the sandbox's book shows it, or with other fields."""
    minor, currency = int(entry.get("amount_minor", 92_00)), entry.get("currency", "EUR")
    payload: Json = {
        "id": entry["id"],
        "paymentType": entry["payment_type"],
        "amount": f"{minor / 100:.2f}",
        "currency": currency,
        "result": {"code": "000.100.220", "description": "Fraudulent Transaction"},
        "timestamp": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}+0000",
        "card": {"bin": "420000", "last4Digits": "0000", "holder": "Jane Jones"},
        "customer": {"email": "jane.jones@example.com", "ip": "192.0.2.7"},
        "registrationId": "8ac7a4a1" * 4,
    }
    if entry.get("referenced_id"):
        payload["referencedId"] = entry["referenced_id"]
    if entry.get("merchant_transaction_id"):
        payload["merchantTransactionId"] = entry["merchant_transaction_id"]
    if entry["payment_type"] != "CB":
        payload["result"] = {"code": "000.000.000", "description": "Transaction succeeded"}
    return {"type": "PAYMENT", "payload": payload | more}
