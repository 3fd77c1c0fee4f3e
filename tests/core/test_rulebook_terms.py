import csv
from importlib import resources

import pytest

from disputes.policy import Policy, parse_policy
from disputes.rulebook import load, terms_for
from disputes.terms import CaseTerms
from disputes.vocabulary import Flow, Network

BUILT_IN = Policy(version="built-in")


def terms(
    network: Network,
    code: str,
    *,
    region: str | None = None,
    currency: str = "EUR",
    policy: Policy = BUILT_IN,
    acquirer: str = "default",
) -> CaseTerms:
    return terms_for(
        network=network,
        reason_code=code,
        region=region,
        currency=currency,
        rulebook=load(),
        policy=policy,
        acquirer=acquirer,
    )


def rows(name: str) -> list[dict[str, str]]:
    file = resources.files("disputes.rulebook") / "data" / f"{name}.csv"
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


@pytest.mark.parametrize(
    ("network", "code", "flow", "days"),
    [
        (Network.VISA, "13.1", Flow.COLLABORATION, 30),
        (Network.VISA, "10.4", Flow.ALLOCATION, 30),
        (Network.MASTERCARD, "4853", Flow.COLLABORATION, 30),  # 45 and 30: the shortest
        (Network.AMEX, "C08", Flow.COLLABORATION, 20),
        (Network.DISCOVER, "RG", Flow.COLLABORATION, 20),  # 30 and 20: the shortest
        (Network.DINERS, "RG", Flow.COLLABORATION, 20),  # Discover's cycle
        (Network.JCB, "554", Flow.COLLABORATION, None),
        (Network.UNIONPAY, "RG", Flow.COLLABORATION, None),
        (Network.SEPA_DD, "MD01", Flow.NONE, None),
    ],
)
def test_the_days_to_respond_are_the_shortest_known_or_none(
    network: Network, code: str, flow: Flow, days: int | None
) -> None:
    found = terms(network, code)

    assert (found.flow, found.respond_days) == (flow, days)


def test_every_code_gives_terms_in_every_region() -> None:
    regions = {row["region"] for row in rows("deadlines")}
    for row in rows("reason_codes"):
        for region in (None, *regions):
            found = terms(Network(row["network"]), row["code"], region=region)
            assert found.respond_days is None or found.respond_days > 0
            assert found.inquiry_days is None or found.inquiry_days > 0
            assert found.category == row["category"] or row["code"] == "*"
            assert found.fraud == (row["category"] == "fraud")


def test_an_unknown_code_gets_the_networks_own_window_and_a_mark() -> None:
    """The bank's money is gone whether the code is known or not."""
    found = terms(Network.VISA, "77.7")

    assert not found.known_reason
    assert not found.fraud
    assert not found.checklist.ruled
    assert found.flow is Flow.COLLABORATION
    assert found.respond_days == 30


@pytest.mark.parametrize(
    ("network", "code", "region", "days"),
    [
        (Network.VISA, "13.1", "nigeria_domestic", 2),
        (Network.VISA, "10.4", "tanzania_domestic", 20),
        (Network.VISA, "13.9", "poland_domestic_atm", 20),
        (Network.VISA, "13.1", "poland_domestic_atm", 30),  # that rule is for 12.6 and 13.9 only
        (Network.MASTERCARD, "4853", "costa_rica_domestic", 10),
        (Network.MASTERCARD, "4853", "Nigeria_Domestic", 2),
        (Network.DISCOVER, "RG", "us", 20),
        (Network.VISA, "13.1", "atlantis", 30),
    ],
)
def test_a_regional_window_stands_only_where_the_notice_says_so(
    network: Network, code: str, region: str, days: int
) -> None:
    assert terms(network, code, region=region).respond_days == days


def test_conflicting_windows_are_short_for_us_and_long_for_the_other_side() -> None:
    found = terms(Network.MASTERCARD, "4853")

    assert found.pre_arbitration_answer_days == 15  # 30 and 15
    assert found.tail_response_days == 45  # 45 and 30
    assert found.tail_pre_arbitration_days == 75  # 75, 45 and 10


def test_a_folded_mastercard_code_keeps_its_successors_pre_arbitration_window() -> None:
    assert terms(Network.MASTERCARD, "4855").pre_arbitration_answer_days == 15


def test_the_two_visa_flows_give_each_side_its_own_clocks() -> None:
    allocation = terms(Network.VISA, "10.4")
    collaboration = terms(Network.VISA, "13.1")

    assert allocation.issuer_answer_days == 30
    assert allocation.arbitration_days == 10
    assert allocation.pre_arbitration_answer_days is None
    assert collaboration.issuer_answer_days is None
    assert collaboration.arbitration_days is None  # the issuer files there
    assert collaboration.pre_arbitration_answer_days == 30


def test_an_inquiry_has_its_own_window() -> None:
    assert terms(Network.AMEX, "004").inquiry_days == 20
    assert terms(Network.DISCOVER, "6005").inquiry_days == 5  # 5 and 20
    assert terms(Network.VISA, "30").inquiry_days is None


def test_an_empty_tail_means_120_days_and_an_explicit_zero_means_none() -> None:
    assert terms(Network.VISA, "13.1").tail_arbitration_days == 0
    assert terms(Network.SEPA_DD, "MD01").tail_lost_days == 0
    assert terms(Network.VISA, "13.1").tail_lost_days == 120
    assert terms(Network.AMEX, "C08").tail_pre_arbitration_days == 120


def test_the_tail_of_a_response_is_the_issuers_next_window() -> None:
    assert terms(Network.VISA, "10.4").tail_response_days == 30
    assert terms(Network.VISA, "13.1").tail_response_days == 30
    assert terms(Network.VISA, "13.1").tail_pre_arbitration_days == 10
    assert terms(Network.DISCOVER, "RG").tail_response_days == 30


def test_only_our_own_clock_is_counted_in_business_days() -> None:
    """We count them as calendar days: early for us, but it would be too early for the issuer."""
    business = [row for row in rows("deadlines") if row["day_type"] == "business"]

    assert business
    assert {row["who_acts"] for row in business} == {"acquirer_merchant"}


def test_the_acquirers_days_shorten_our_clocks_and_never_the_issuers() -> None:
    policy = parse_policy('version = "1"\n[clocks]\nacquirer_days = 8')
    found = terms(Network.VISA, "10.4", policy=policy)

    assert (found.respond_days, found.arbitration_days) == (22, 2)
    assert (found.issuer_answer_days, found.tail_response_days) == (30, 30)


def test_one_day_is_left_to_answer_however_slow_the_acquirer() -> None:
    policy = parse_policy('version = "1"\n[clocks]\nacquirer_days = 8')

    assert terms(Network.VISA, "13.1", region="nigeria_domestic", policy=policy).respond_days == 1


def test_terms_carry_the_merchants_choices_for_the_cases_currency() -> None:
    policy = parse_policy(
        """
        version = "7"
        [decisions]
        auto_submit = true
        submission_needs_approval = true
        auto_accept_below = { JPY = "500" }
        four_eyes_above = { JPY = "90000", KWD = "1500.000" }
        [clocks]
        last_call_hours = 6
        ladder_hours = [48, 4]
        notice_wait_days = 3
        fallback_days = 5
        approval_hours = 9
        rebill_cool_off_hours = 11
        [chargeback_fees."*"]
        JPY = "2000"
        """
    )
    found = terms(Network.AMEX, "C08", currency="JPY", policy=policy)
    kwd = terms(Network.AMEX, "C08", currency="KWD", policy=policy)

    assert found.policy == policy.pin
    assert found.rulebook == load().pin
    assert (found.auto_submit, found.submission_needs_approval) == (True, True)
    assert (found.auto_accept_below_minor, found.four_eyes_above_minor) == (500, 90000)
    assert (kwd.auto_accept_below_minor, kwd.four_eyes_above_minor) == (None, 1500000)
    assert (found.last_call_hours, found.ladder_hours) == (6, (48, 4))
    assert (found.notice_wait_days, found.fallback_days) == (3, 5)
    assert (found.approval_hours, found.rebill_cool_off_hours) == (9, 11)
    assert (found.expected_fee_minor, kwd.expected_fee_minor) == (2000, 0)


def test_terms_survive_the_trip_through_a_history() -> None:
    found = terms(Network.VISA, "10.4")

    assert CaseTerms.model_validate_json(found.model_dump_json()) == found
