import csv
from importlib import resources

import pytest

from disputes.rulebook import Rulebook, load
from disputes.terms import AnyOf, EvidencePath
from disputes.vocabulary import Flow, Network

EDITION = "2026-11-26"
SHA256_OF_THAT_EDITION = "07cc938b3b1f8b4dbe59b4d6d90c3b72b62886c23ab3b62313a1bf15bfb473cf"


@pytest.fixture
def rulebook() -> Rulebook:
    return load()


def table(name: str) -> list[dict[str, str]]:
    file = resources.files("disputes.rulebook") / "data" / f"{name}.csv"
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


def codes() -> list[tuple[Network, str]]:
    return [(Network(row["network"]), row["code"]) for row in table("reason_codes")]


def path(rulebook: Rulebook, network: Network, code: str, name: str) -> EvidencePath:
    return next(p for p in rulebook.checklist(network, code).paths if p.path == name)


def test_the_data_of_an_edition_never_changes_under_its_date(rulebook: Rulebook) -> None:
    """Open cases are pinned to it: changed data needs a new VERSION (and then a new hash here)."""
    assert (rulebook.pin.version, rulebook.pin.sha256) == (EDITION, SHA256_OF_THAT_EDITION)


def test_every_code_of_every_network_is_known_but_the_alias(rulebook: Rulebook) -> None:
    unknown = [(network, code) for network, code in codes() if not rulebook.reason(network, code)]

    assert len(codes()) == 307
    assert unknown == [(Network.DINERS, "*")]


def test_a_diners_dispute_follows_discovers_codes_and_evidence(rulebook: Rulebook) -> None:
    own = rulebook.reason(Network.DINERS, "B25")
    borrowed = rulebook.reason(Network.DINERS, "UA02")

    assert own is not None
    assert own.title == "Duplicate Charge"
    assert borrowed == rulebook.reason(Network.DISCOVER, "UA02")
    assert rulebook.checklist(Network.DINERS, "UA02") == rulebook.checklist(
        Network.DISCOVER, "UA02"
    )


@pytest.mark.parametrize(
    ("network", "code", "flow"),
    [
        (Network.VISA, "10.4", Flow.ALLOCATION),
        (Network.VISA, "11.3", Flow.ALLOCATION),
        (Network.VISA, "12.6", Flow.COLLABORATION),
        (Network.VISA, "13.1", Flow.COLLABORATION),
        (Network.VISA, "99.9", Flow.COLLABORATION),
        (Network.MASTERCARD, "4870", Flow.COLLABORATION),
        (Network.AMEX, "C08", Flow.COLLABORATION),
        (Network.SEPA_DD, "MD06", Flow.NONE),
        (Network.SEPA_DD, "XX99", Flow.NONE),
    ],
)
def test_the_flow_follows_the_reason_code(
    rulebook: Rulebook, network: Network, code: str, flow: Flow
) -> None:
    assert rulebook.flow(network, code) is flow


def test_only_visa_fraud_and_authorization_codes_are_allocated(rulebook: Rulebook) -> None:
    allocated = {
        code for pair in codes() if rulebook.flow(*pair) is Flow.ALLOCATION for code in pair
    }

    assert allocated == {"visa", "10.1", "10.2", "10.3", "10.4", "10.5", "11.1", "11.2", "11.3"}


def test_codes_without_rows_of_their_own_stay_unruled_with_suggestions(rulebook: Rulebook) -> None:
    """Nothing of a category is required, so that no machine takes it for a complete answer."""
    unruled = [pair for pair in codes() if not rulebook.checklist(*pair).ruled]

    assert len(unruled) == 244
    for pair in unruled:
        (only,) = rulebook.checklist(*pair).paths
        assert only.optional
        assert not only.all_of
        assert not only.any_of


def test_every_ruled_path_asks_for_something(rulebook: Rulebook) -> None:
    """A path that asks for nothing would be complete before any evidence came."""
    ruled = [rulebook.checklist(*pair) for pair in codes() if rulebook.checklist(*pair).ruled]

    assert len(ruled) == 63
    for checklist in ruled:
        assert checklist.paths
        assert all(found.all_of or found.any_of for found in checklist.paths)


def test_a_row_that_says_it_does_not_help_is_on_no_path(rulebook: Rulebook) -> None:
    names = [found.path for found in rulebook.checklist(Network.VISA, "13.3").paths]

    assert "as_described" in names
    assert "not_relevant" not in names


def test_a_path_tells_required_from_optional_evidence(rulebook: Rulebook) -> None:
    found = path(rulebook, Network.VISA, "13.7", "policy_disclosed")

    assert found.all_of == ("refund_policy",)
    assert found.optional == ("terms_acceptance",)


def test_compelling_evidence_3_asks_for_an_anchor_and_another_element(rulebook: Rulebook) -> None:
    """Visa Core Rules 11.7.5.6: one IP address is not both the anchor and the second element."""
    found = path(rulebook, Network.VISA, "10.4", "compelling_evidence_3_0")

    def elements_complete(*given: str) -> bool:
        return all(set(group.types) & set(given) for group in found.any_of)

    assert found.all_of == ("prior_undisputed_transactions", "product_description", "service_date")
    assert found.any_of[0] == AnyOf(
        group="anchor", types=("ip_address", "device_id", "device_fingerprint")
    )
    assert elements_complete("ip_address", "shipping_address")
    assert elements_complete("device_id", "device_fingerprint")
    assert not elements_complete("ip_address")
    assert not elements_complete("account_login_id", "shipping_address")


def test_no_two_groups_of_a_path_can_be_met_by_one_type_alone(rulebook: Rulebook) -> None:
    for pair in codes():
        for found in rulebook.checklist(*pair).paths:
            types = {kind for group in found.any_of for kind in group.types}
            alone = [k for k in types if all(k in group.types for group in found.any_of)]
            assert len(found.any_of) <= 1 or not alone


def test_every_code_has_a_category_that_evidence_knows() -> None:
    mapped = table("category_map")
    known = {row["reason_code"] for row in table("evidence") if row["network"] == "*"}

    assert [(row["network"], row["code"]) for row in mapped] == [
        (row["network"], row["code"]) for row in table("reason_codes")
    ]
    assert {row["category"] for row in mapped} == known
    assert {row["basis"] for row in mapped} == {"category", "judgement"}


def test_a_fraud_code_is_never_suggested_a_delivery_packet() -> None:
    fraud = {
        (row["network"], row["code"]) for row in table("reason_codes") if row["category"] == "fraud"
    }
    suggested = {
        row["category"] for row in table("category_map") if (row["network"], row["code"]) in fraud
    }

    assert suggested == {"category:fraudulent", "category:unrecognized"}


def test_sources_named_by_the_tables_are_listed() -> None:
    listed = {row["source_key"] for row in table("sources")} | {"UNVERIFIED", "deadlines.csv"}
    named = {
        source.strip().split("#")[0].split(" ")[0]
        for name in ("reason_codes", "deadlines", "evidence", "tails")
        for row in table(name)
        for source in row["source"].replace(", ", "; ").split(";")
    }

    assert {name for name in named if name[:1].isalpha()} <= listed


#: The platform's words for cards; 201 to 210 and 226 to 229 are for bank accounts (data/README).
CARD_REASONS = {f"000.100.{number}" for number in (200, *range(220, 226), *range(230, 235))}


def test_every_reason_code_has_an_assumed_reason_of_the_gateways(rulebook: Rulebook) -> None:
    given = table("gateway_reasons")

    named = {(Network(row["network"]), row["code"]) for row in given}
    assert named == set(codes()) - {(Network.DINERS, "*")}
    assert {row["status"] for row in given} == {"assumed"}
    for row in given:
        network, reason = Network(row["network"]), row["gateway_reason"]
        assert rulebook.gateway_reason(network, row["code"]) == reason
        assert network is Network.SEPA_DD or reason in CARD_REASONS


@pytest.mark.parametrize(
    ("network", "code", "reason"),
    [
        (Network.MASTERCARD, "4837", "000.100.222"),
        (Network.VISA, "13.1", "000.100.221"),
        (Network.DINERS, "UA05", "000.100.232"),
        (Network.SEPA_DD, "AM04", "000.100.203"),
        (Network.VISA, "99.9", "000.100.200"),
    ],
)
def test_a_chargeback_is_given_the_gateways_reason(
    rulebook: Rulebook, network: Network, code: str, reason: str
) -> None:
    assert rulebook.gateway_reason(network, code) == reason
