"""What of the gateway's behaviour differs by acquirer or is unknown: settable while it runs."""

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """The switches of one sandbox.

    Attributes:
        entities: entity id -> bearer token.
        query_limit_per_minute: v1 queries and status reads per key; 0 lifts the limit
            (protocol, section 5).
        post_limit_per_minute: back-office posts per payment; 0 lifts the limit (section 5).
        throttle_http_status: status of a throttled answer: unconfirmed (section 10).
        chargeback_answers_reason: a booked CB answers with its reason as result code, not with the
            ordinary success: unconfirmed (section 2).
        captures: authorizations can be captured (section 2).
        multiple_captures: more than once (section 2).
        authorization_valid_s: how long an authorization can be captured: judgement (section 8).
        merchant_chargebacks: a merchant may post a CB: unconfirmed (section 10).
        refuse_duplicates: a second post under a merchantTransactionId is refused; off on the
            platform by default (section 5).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    entities: dict[str, str] = {"sandbox": "sandbox"}
    query_limit_per_minute: int = Field(default=2, ge=0)
    post_limit_per_minute: int = Field(default=200, ge=0)
    throttle_http_status: int = Field(default=429, ge=200, le=599)
    chargeback_answers_reason: bool = False
    captures: bool = True
    multiple_captures: bool = True
    authorization_valid_s: int = Field(default=7 * 24 * 60 * 60, ge=0)
    merchant_chargebacks: bool = True
    refuse_duplicates: bool = False
