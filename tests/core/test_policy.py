from pathlib import Path

import pytest

from disputes.errors import ConfigurationError
from disputes.policy import CapabilityRow, Policy, parse_policy
from disputes.terms import Capabilities
from disputes.vocabulary import Network

EXAMPLE = Path(__file__).parents[2] / "examples" / "policy.toml"
BUILT_IN = Policy(version="built-in")


def refusal(text: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        parse_policy(text)
    return str(refused.value)


def test_without_a_file_nothing_is_decided_for_the_merchant() -> None:
    assert parse_policy('version = "built-in"') == BUILT_IN
    assert not BUILT_IN.decisions.auto_submit
    assert BUILT_IN.decisions.auto_accept_below == {}
    assert BUILT_IN.expected_fee_minor(Network.VISA, "EUR") == 0
    assert BUILT_IN.capabilities("any", Network.AMEX) == Capabilities()


def test_amounts_are_exact_in_their_currency() -> None:
    policy = parse_policy(
        'version = "1"\n[decisions.four_eyes_above]\nEUR = "5000.00"\nJPY = "5000"\nKWD = "1.250"'
    )

    assert policy.decisions.four_eyes_above == {"EUR": 500000, "JPY": 5000, "KWD": 1250}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[decisions]\nauto_submitt = true", "decisions.auto_submitt: unknown key, allowed: auto_"),
        ("[clock]\nacquirer_days = 1", "clock: unknown key, allowed: version, decisions, clocks"),
        ("[acquirers.a.visa]\nrebil = true", "acquirers.a.visa.rebil: unknown key, allowed: cred"),
        ("[acquirers.credit.visa]\nrebil = true", "acquirers.credit.visa.rebil: unknown key"),
        ('[decisions]\nauto_submit = "yes"', "decisions.auto_submit: "),
        ("[clocks]\nlast_call_hours = -1", "clocks.last_call_hours: "),
        ("[clocks]\nlast_call_hours = 1.5", "clocks.last_call_hours: "),
        ("[clocks]\nacquirer_days = true", "clocks.acquirer_days: "),
        ("[clocks]\nfallback_days = 0", "clocks.fallback_days: "),
        ("[clocks]\napproval_hours = 99999999999", "clocks.approval_hours: "),
        ("[clocks]\nladder_hours = [24, 72]", "clocks.ladder_hours: must go down"),
        ("[clocks]\nladder_hours = [24, -1]", "clocks.ladder_hours.1: "),
        ('[decisions.auto_accept_below]\nEURO = "1.00"', "auto_accept_below: EURO is not an ISO"),
        ('[decisions.auto_accept_below]\nJPY = "5.00"', "auto_accept_below: JPY must be a decimal"),
        ('[decisions.auto_accept_below]\nEUR = "-5.00"', "auto_accept_below: EUR must be a dec"),
        ("[decisions.auto_accept_below]\nEUR = 5.0", "auto_accept_below: EUR must be a decimal"),
        ("[decisions]\nauto_accept_below = 5", "decisions.auto_accept_below: "),
        ('[chargeback_fees.visaa]\nEUR = "1.00"', "chargeback_fees.visaa: must be one of: *, visa"),
        ('[acquirers.a."*"]\nundo_reversal = "cr"', "acquirers.a.*.undo_reversal: "),
    ],
)
def test_a_wrong_key_is_named_with_its_path_and_reason(text: str, named: str) -> None:
    assert named in refusal(f'version = "1"\n{text}')


def test_all_that_is_wrong_is_said_at_once() -> None:
    said = refusal(
        """
        [decisions]
        auto_submit = 1
        auto_accept_below = { EURO = "1.00", JPY = "1.00" }
        [clocks]
        last_call_hours = -4711
        speed = "fast"
        """
    )

    for named in ("version", "auto_submit", "EURO", "JPY", "last_call_hours", "clocks.speed"):
        assert named in said
    assert "4711" not in said
    assert "fast" not in said


@pytest.mark.parametrize(
    "text", ["", "version = 2026-11-22", 'version = ""', 'version = "two words"', "version ="]
)
def test_a_policy_needs_a_version_that_cases_can_name(text: str) -> None:
    assert "version" in refusal(text) or "TOML" in refusal(text)


def test_the_hash_follows_the_content_and_not_the_layout() -> None:
    one = parse_policy('version = "1"\n[clocks]\nacquirer_days = 2\nfallback_days = 6')
    same = parse_policy('version="1" # why\n[clocks]\nfallback_days=6\nacquirer_days=2')
    other = parse_policy('version = "1"\n[clocks]\nacquirer_days = 3\nfallback_days = 6')

    assert one.pin == same.pin
    assert one.pin.sha256 != other.pin.sha256


def test_a_networks_own_fee_comes_before_the_common_one() -> None:
    policy = parse_policy(
        'version = "1"\n[chargeback_fees]\n'
        '"*" = { EUR = "15.00", USD = "16.00" }\namex = { EUR = "20.00" }'
    )

    assert policy.expected_fee_minor(Network.AMEX, "EUR") == 2000
    assert policy.expected_fee_minor(Network.AMEX, "USD") == 1600
    assert policy.expected_fee_minor(Network.VISA, "EUR") == 1500
    assert policy.expected_fee_minor(Network.VISA, "GBP") == 0


def test_a_brands_own_capability_comes_before_the_acquirers() -> None:
    policy = parse_policy(
        'version = "1"\n[acquirers.north]\n'
        '"*" = { undo_reversal = "cr_on_tip", post_reversal = false }\n'
        "amex = { post_reversal = true }"
    )

    amex = policy.capabilities("north", Network.AMEX)
    assert (amex.undo_reversal, amex.post_reversal) == ("cr_on_tip", True)
    assert not policy.capabilities("north", Network.JCB).post_reversal
    assert policy.capabilities("south", Network.AMEX) == Capabilities()


def test_a_rebill_after_a_visa_dispute_is_off_unless_said_of_visa() -> None:
    common = 'version = "1"\n[acquirers.north."*"]\nrebill_after_dispute = true\n'
    confirmed = parse_policy(f"{common}[acquirers.north.visa]\nrebill_after_dispute = true")

    assert not parse_policy(common).capabilities("north", Network.VISA).rebill_after_dispute
    assert parse_policy(common).capabilities("north", Network.AMEX).rebill_after_dispute
    assert confirmed.capabilities("north", Network.VISA).rebill_after_dispute


def test_the_capability_table_has_the_names_of_the_contract() -> None:
    """Besides, an acquirer may say for how long it keeps an authorization."""
    assert set(CapabilityRow.model_fields) - {"authorization_days"} == set(
        """credit rebill rebill_after_dispute multiple_capture partial_reversal increase
        post_chargeback post_reversal partial_reversal_of_chargeback undo_reversal
        refund_after_chargeback""".split()
    )


def test_the_example_policy_is_valid_and_shows_every_key() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    policy = parse_policy(text)
    shown = {line.partition("=")[0].strip() for line in text.splitlines() if "=" in line}

    for section in (policy.decisions, policy.clocks, CapabilityRow()):
        for key in type(section).model_fields:
            assert key in shown or f"[decisions.{key}]" in text
    assert policy.capabilities("default", Network.VISA).undo_reversal == "cr_on_tip"
    assert policy.capabilities("default", Network.VISA).rebill_after_dispute
    assert policy.decisions.auto_submit
