"""The portfolio: what whoever leads the work on disputes wants to see first."""

from collections.abc import Iterable
from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from disputes.fields import Identifier, Moment
from disputes.money import to_decimal
from disputes.store.portfolio import CaseGroup, Portfolio, PortfolioReads
from starter.api import documents
from starter.api.access import Viewer
from starter.api.office import office_of
from starter.api.once import json_answer

router = APIRouter(tags=["portfolio"])


class PortfolioQuery(BaseModel):
    """Query fields; others are refused by name."""

    model_config = ConfigDict(extra="forbid")

    merchant_id: Identifier | None = Field(default=None, description="Only this merchant's.")


class StatusFigures(BaseModel):
    """Cases of one status and stage; the amount is what is disputed."""

    status: str
    stage: str
    cases: int
    amount: str


class CurrencyFigures(BaseModel):
    """Cases of one currency; decimal strings, each the sum of what the cases show.

    ``currency`` is null for cases of which no notice has told one.
    """

    currency: str | None
    cases: int
    amount: str
    charged_back: str
    at_risk: str
    give_back_due: str
    written_off: str
    recovered: str
    by_status: list[StatusFigures]


class DeadlineFigures(BaseModel):
    """Cases that can still be answered, by their `respond_by`; each count holds the ones before.

    ``overdue``: apart from them; its deadline has passed, and the case will act on it.
    """

    overdue: int
    within_24_h: int
    within_3_d: int
    within_7_d: int


class DoubtFigures(BaseModel):
    """Operations in doubt in one currency; a decimal string."""

    currency: str
    operations: int
    amount: str


class PortfolioAnswer(BaseModel):
    """How everything stands at one moment, ``as_of``; the database follows a case by a moment."""

    as_of: Moment
    cases: int
    needs_attention: int
    deadlines: DeadlineFigures
    approvals_waiting: int
    operations_in_doubt: list[DoubtFigures]
    currencies: list[CurrencyFigures]


@router.get(
    "/v1/portfolio",
    summary="All cases at a glance",
    responses=documents.reads(PortfolioAnswer, "Counts and sums of one state of the database."),
)
def show(request: Request, key: Viewer, asked: Annotated[PortfolioQuery, Query()]) -> Response:
    """Count and sum the cases of the key's merchants, or of one of them."""
    reads = PortfolioReads(office_of(request).store)
    found = reads.portfolio(merchants=key.merchants, merchant_id=asked.merchant_id)
    return json_answer(_answer(found))


def _answer(found: Portfolio) -> PortfolioAnswer:
    groups = found.groups
    return PortfolioAnswer(
        as_of=found.as_of,
        cases=sum(it.cases for it in groups),
        needs_attention=sum(it.needs_attention for it in groups),
        deadlines=DeadlineFigures(
            overdue=sum(it.overdue for it in groups),
            within_24_h=sum(it.within_1_d for it in groups),
            within_3_d=sum(it.within_3_d for it in groups),
            within_7_d=sum(it.within_7_d for it in groups),
        ),
        approvals_waiting=found.approvals_waiting,
        operations_in_doubt=[
            DoubtFigures(
                currency=it.currency,
                operations=it.operations,
                amount=_money(it.amount_minor, it.currency),
            )
            for it in found.doubts
        ],
        currencies=[
            _currency(currency, list(of))
            for currency, of in groupby(groups, lambda it: it.currency)
        ],
    )


def _currency(currency: str, groups: list[CaseGroup]) -> CurrencyFigures:
    def total(minor: Iterable[int]) -> str:
        return _money(sum(minor), currency)

    return CurrencyFigures(
        currency=currency or None,
        cases=sum(it.cases for it in groups),
        amount=total(it.amount_minor for it in groups),
        charged_back=total(it.charged_back_minor for it in groups),
        at_risk=total(it.at_risk_minor for it in groups),
        give_back_due=total(it.give_back_due_minor for it in groups),
        written_off=total(it.written_off_minor for it in groups),
        recovered=total(it.recovered_minor for it in groups),
        by_status=[
            StatusFigures(
                status=it.status,
                stage=it.stage,
                cases=it.cases,
                amount=_money(it.amount_minor, currency),
            )
            for it in groups
        ],
    )


def _money(minor: int, currency: str) -> str:
    return to_decimal(minor, currency) if currency else "0"
