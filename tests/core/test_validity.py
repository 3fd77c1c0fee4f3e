import csv
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from importlib import resources
from typing import Literal

import pytest

from disputes.rulebook import Validity, load
from disputes.rulebook.tables import AuthorizationWindow, rows
from disputes.rulebook.validity import validity_for
from disputes.vocabulary import Network


@dataclass(frozen=True)
class Asked:
    """A question to the rulebook; nothing is known unless it is said."""

    network: Network
    authorization_type: str | None = None
    mcc: str | None = None
    initiator: Literal["customer", "merchant"] | None = None
    card_present: bool | None = None
    region: str | None = None
    extended: bool = False


RULEBOOK = load()
VISA, MASTERCARD, AMEX = Network.VISA, Network.MASTERCARD, Network.AMEX
DISCOVER, DINERS, UNIONPAY = Network.DISCOVER, Network.DINERS, Network.UNIONPAY


def answer(asked: Asked) -> Validity:
    return RULEBOOK.validity(
        network=asked.network,
        authorization_type=asked.authorization_type,
        mcc=asked.mcc,
        initiator=asked.initiator,
        card_present=asked.card_present,
        region=asked.region,
        extended=asked.extended,
    )


def days(asked: Asked) -> str | None:
    found = answer(asked).days
    return None if found is None else str(found)


def table() -> list[dict[str, str]]:
    file = resources.files("disputes.rulebook") / "data" / "auth_validity.csv"
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


def binding() -> list[dict[str, str]]:
    """The rows that bind: every network's rules, and what processors say of Diners."""
    return [row for row in table() if row["layer"] != "psp_practice"]


#: For every row that binds (network, type, region, days) a question that it answers.
QUESTIONS: dict[tuple[str, str, str, str], Asked] = {
    ("visa", "cnp_cit_extended", "all", "30"): Asked(
        VISA, initiator="customer", card_present=False, extended=True
    ),
    ("visa", "cnp_cit", "all", "10"): Asked(VISA, initiator="customer", card_present=False),
    ("visa", "estimated", "all", "30"): Asked(VISA, "estimated", mcc="7011"),
    ("visa", "estimated", "all", "10"): Asked(VISA, "estimated", mcc="7394"),
    ("visa", "card_present", "all", "5"): Asked(VISA, card_present=True),
    ("visa", "merchant_initiated", "all", "5"): Asked(VISA, initiator="merchant"),
    ("visa", "incremental", "all", ""): Asked(VISA, "incremental"),
    ("visa", "afd_preauth", "all", "0.0833"): Asked(VISA, "afd_preauth"),
    ("visa", "reversal_deadline", "all", "1"): Asked(VISA, "reversal_deadline"),
    ("visa", "cnp_not_tokenized", "india_domestic", "2"): Asked(VISA, region="india_domestic"),
    ("visa", "all_other", "india_domestic", "4"): Asked(
        VISA, card_present=True, region="india_domestic"
    ),
    ("visa", "all", "japan_domestic", "30"): Asked(VISA, region="japan_domestic"),
    ("visa", "afd", "malaysia_domestic", "2"): Asked(VISA, "afd", region="malaysia_domestic"),
    ("visa", "on_us", "nepal_domestic", "1"): Asked(VISA, "on_us", region="nepal_domestic"),
    ("visa", "all_other", "nepal_domestic", "3"): Asked(VISA, region="nepal_domestic"),
    ("visa", "cash_back", "argentina", "1"): Asked(VISA, "cash_back", region="argentina"),
    ("visa", "contactless_clearing", "europe_intraregional", "2"): Asked(
        VISA, "contactless_clearing", region="europe_intraregional"
    ),
    ("mastercard", "pre_auth", "all", "30"): Asked(MASTERCARD, "pre_auth"),
    ("mastercard", "final", "all", "7"): Asked(MASTERCARD),
    ("mastercard", "offline_chip", "all", "7"): Asked(MASTERCARD, "offline_chip"),
    ("mastercard", "maestro", "all", "7"): Asked(MASTERCARD, "maestro"),
    ("mastercard", "atm", "all", "7"): Asked(MASTERCARD, "atm"),
    ("mastercard", "payment_transaction", "all", "1"): Asked(MASTERCARD, "payment_transaction"),
    ("mastercard", "transit_aggregated", "all", "14"): Asked(MASTERCARD, "transit_aggregated"),
    ("mastercard", "refund", "all", "5"): Asked(MASTERCARD, "refund"),
    ("mastercard", "all", "india_domestic", "4"): Asked(
        MASTERCARD, "pre_auth", region="india_domestic"
    ),
    ("mastercard", "incremental", "all", "30"): Asked(MASTERCARD, "incremental"),
    ("amex", "final", "all", "7"): Asked(AMEX),
    ("amex", "estimated", "all", "30"): Asked(AMEX, "estimated", mcc="7011"),
    ("amex", "card_present", "all", "7"): Asked(AMEX, "card_present"),
    ("discover", "final", "all", "10"): Asked(DISCOVER),
    ("discover", "estimated", "all", "30"): Asked(DISCOVER, "estimated"),
    ("diners", "final", "all", "7"): Asked(DINERS),
    ("jcb", "final", "all", ""): Asked(Network.JCB),
    ("unionpay", "pre_auth", "china", "30"): Asked(UNIONPAY, "pre_auth", region="china"),
}


def key(row: dict[str, str]) -> tuple[str, str, str, str]:
    return row["network"], row["authorization_type"], row["region"], row["days"]


def test_every_row_that_binds_has_its_question() -> None:
    """A new row fails here until somebody has decided when it counts."""
    assert sorted(QUESTIONS) == sorted(key(row) for row in binding())


@pytest.mark.parametrize("row", binding(), ids=lambda row: "-".join(key(row)))
def test_every_row_that_binds_answers_its_question(row: dict[str, str]) -> None:
    found = answer(QUESTIONS[key(row)])

    place = "" if row["region"] == "all" else f" in {row['region']}"
    assert found.why.startswith(f"{row['network']} {row['authorization_type']}{place}: ")
    assert found.days == (Decimal(row["days"]) if row["days"] else None)
    assert found.extendable == (row["extendable"] == "yes")
    assert "; ".join(found.sources) == row["source"]
    assert found.confidence == row["confidence"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        # Nothing is known: the shortest of what an ordinary authorization may be.
        (Asked(VISA), "5"),
        (Asked(VISA, initiator="customer"), "5"),
        (Asked(VISA, card_present=False), "5"),
        (Asked(VISA, extended=True), "30"),
        # The indicator is for card-absent payments of a customer; elsewhere it changes nothing.
        (Asked(VISA, initiator="merchant", extended=True), "5"),
        (Asked(VISA, card_present=True, extended=True), "5"),
        # The name wins over the facts.
        (Asked(VISA, "cnp_cit", card_present=True), "10"),
        (Asked(VISA, "card_present", initiator="customer", card_present=False), "5"),
        # An estimate's category: the ends of the ranges, beside them, no category at all.
        (Asked(VISA, "estimated"), "10"),
        (Asked(VISA, "estimated", mcc="4411"), "30"),
        (Asked(VISA, "estimated", mcc="3351"), "30"),
        (Asked(VISA, "estimated", mcc="3500"), "30"),
        (Asked(VISA, "estimated", mcc="3501"), "30"),
        (Asked(VISA, "estimated", mcc="3999"), "30"),
        (Asked(VISA, "estimated", mcc="3350"), "10"),
        (Asked(VISA, "estimated", mcc="4000"), "10"),
        (Asked(VISA, "estimated", mcc="35A1"), "10"),
        (Asked(VISA, "estimated", mcc="lodging"), "10"),
        # A category alone makes no estimate and no pump.
        (Asked(VISA, mcc="7011"), "5"),
        (Asked(VISA, mcc="5542"), "5"),
        # A name without a row of the network, or of the region, is no name.
        (Asked(VISA, "pre_auth"), "5"),
        (Asked(VISA, "on_us"), "5"),
        (Asked(VISA, "on_us", region="japan_domestic"), "30"),
        (Asked(MASTERCARD, "cnp"), "7"),
        (Asked(MASTERCARD, "extended", extended=True), "7"),
        (Asked(DINERS, "jpy", region="japan"), "7"),
        # Countries: the region as the table writes it, in either case of letters.
        (Asked(VISA, "cnp_cit", region="india_domestic"), "2"),
        (Asked(VISA, "card_present", region="India_Domestic"), "4"),
        (Asked(VISA, "estimated", mcc="7011", region="nepal_domestic"), "3"),
        (Asked(VISA, region="india"), "5"),
        (Asked(VISA, region="europe_intraregional"), "5"),
        (Asked(VISA, region="all"), "5"),
        # A country's "all" shortens what it also covers and lengthens nothing.
        (Asked(VISA, "afd_preauth", region="japan_domestic"), "0.0833"),
        (Asked(VISA, "reversal_deadline", region="india_domestic"), "1"),
        (Asked(MASTERCARD, "transit_aggregated", region="india_domestic"), "4"),
        (Asked(MASTERCARD, "payment_transaction", region="india_domestic"), "1"),
        # No number in the sources.
        (Asked(Network.JCB, "final", card_present=True), None),
        (Asked(UNIONPAY, "pre_auth"), None),
        (Asked(UNIONPAY, region="china"), None),
        (Asked(Network.SEPA_DD), None),
    ],
    ids=str,
)
def test_the_window_of_an_authorization(asked: Asked, expected: str | None) -> None:
    assert days(asked) == expected


@pytest.mark.parametrize("region", [None, "japan_domestic", "nepal_domestic"])
def test_a_visa_increment_leaves_the_end_of_the_authorization_alone(region: str | None) -> None:
    found = answer(Asked(VISA, "incremental", region=region))

    assert found.days is None
    assert not found.extendable
    assert "keeps the window of the original authorization" in found.why


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (
            Asked(VISA, initiator="customer", card_present=False),
            "visa cnp_cit: 10 days (VCR2025#5.7.3.5 table 5-11)",
        ),
        (
            Asked(VISA),
            "visa card_present: 5 days (VCR2025#5.7.3.5 table 5-11), the shortest of 3 rows",
        ),
        (
            Asked(VISA, region="nepal_domestic"),
            "visa all_other in nepal_domestic: 3 days (VCR2025#5.7.3.5 table 5-12)",
        ),
        (Asked(MASTERCARD, "refund"), "mastercard refund: 5 days (MCTPR#3.15.1)"),
        (
            Asked(MASTERCARD, "payment_transaction"),
            "mastercard payment_transaction: 1 day (MCTPR#3.15.1)",
        ),
        (Asked(Network.JCB), "jcb final: no source gives a number (UNVERIFIED)"),
        (Asked(UNIONPAY), "unionpay: no row of the table applies"),
    ],
    ids=str,
)
def test_a_person_reads_which_row_it_was(asked: Asked, why: str) -> None:
    assert answer(asked).why == why


@pytest.mark.parametrize(
    ("card_present", "expected"), [(None, "2"), (True, "2"), (False, "7")], ids=str
)
def test_a_shorter_window_at_the_terminal_stands_where_the_card_may_have_been(
    card_present: bool | None,  # noqa: FBT001 - pytest passes it by name
    expected: str,
) -> None:
    """No network's is shorter today, so that the row is made so here."""
    made = [
        row.model_copy(update={"days": Decimal(2)})
        if row.authorization_type == "card_present"
        else row
        for row in rows("auth_validity", AuthorizationWindow)
    ]

    found = validity_for(
        made,
        network=AMEX,
        authorization_type=None,
        mcc=None,
        initiator=None,
        card_present=card_present,
        region=None,
        extended=False,
    )

    assert found.days == Decimal(expected)


def questions() -> Iterator[Asked]:
    """Every question that the table can tell from another."""
    regions = [None, *sorted({row["region"] for row in table()} - {"all"})]
    for network in Network:
        own = {row["authorization_type"] for row in table() if row["network"] == network}
        yield from itertools.starmap(
            Asked,
            itertools.product(
                [network],
                [None, "no such type", *sorted(own)],
                [None, "7011", "5542", "5999"],
                [None, "customer", "merchant"],
                [None, True, False],
                regions,
                [False, True],
            ),
        )


def test_no_answer_is_invented_or_longer_than_a_row_that_is_named() -> None:
    """The answer is of a row that binds, there or everywhere; the named type's rows bound it."""
    bound = binding()
    for asked in questions():
        found = answer(asked)
        here = [
            row
            for row in bound
            if row["network"] == asked.network and row["region"] in {"all", asked.region}
        ]
        assert found.days is None or found.days in {
            Decimal(row["days"]) for row in here if row["days"]
        }
        assert bool(found.sources) == (found.confidence != "unknown")
        named = [row for row in here if row["authorization_type"] == asked.authorization_type]
        # Japan's 30 days replace shorter general windows: the one country that has a longer one.
        if found.days is not None and named and asked.region != "japan_domestic":
            longest = max(Decimal(row["days"]) for row in named)
            assert found.days <= longest, asked


def test_knowing_less_never_gives_a_longer_window() -> None:
    """What is not known may be the worse case; only the extended indicator speaks for itself."""
    for asked in questions():
        found = answer(asked).days
        if found is None or asked.extended:
            continue
        for less in (
            replace(asked, mcc=None),
            replace(asked, initiator=None),
            replace(asked, card_present=None),
            replace(asked, mcc=None, initiator=None, card_present=None),
        ):
            shorter = answer(less).days
            assert shorter is not None, asked
            assert shorter <= found, (asked, less)
