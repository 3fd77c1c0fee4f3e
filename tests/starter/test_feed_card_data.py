"""What may be told of a rejected line: no card number and no code, however they are written."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from disputes.card_data import REMOVED, find
from disputes.errors import InvalidMessage
from starter.feed import read_line, rejection

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
CARD = "4111111111111111"
CODE = "737"
SECRETS = (CARD, "4111 1111 1111 1111", "4111-1111-1111-1111", f"cvv: {CODE}", f"CVC {CODE}")
#: What stands right before them; those of the first row end a word only once they are read.
BEFORE = [
    *(r"\b", r"\f", r"\n", r"\r", r"\t", r"\u00e4", r"\u00fc", r"\u000a", r"\u0020", r"\u00A0"),
    *(r"\/", r"\"", r"\\", " ", "", "\u00e4", "C:\\\\n", r"\ud83d\ude00"),
]
NAMES = (
    *(
        "cvv",
        "CVV2",
        "cvc",
        "csc",
        "cid",
        "cvn",
        "card_cid",
        "cardCvn",
        "my_cvc2",
        "cvv_1",
        "c.v.v",
    ),
    *("security_code", "card security-code", "securityCode3", "verification_value", "1cvv"),
)


def _line(data: str) -> str:
    return (
        '{"event_id": "E-1", "type": "dispute.evidence", "dispute_id": "D-1", "data": {'
        f'"evidence_id": "E", "evidence_type": "invoice", "submitted_by": "ann", {data}'
    )


def _shown(line: str | bytes) -> str:
    raw = line.encode() if isinstance(line, str) else line
    return str(rejection(1, raw, {})["line"])


def _check(line: str, *ends: str) -> None:
    """A line with its ``ends``, and cut off before each of them, shows neither number nor code."""
    for stop in range(len(ends) + 1):
        shown = _shown(line + "".join(ends[:stop]))
        assert "1111" not in shown
        assert CODE not in shown
        assert "E-1" in shown
    with pytest.raises(InvalidMessage, match="card"):
        read_line(line + "".join(ends), NOW)
    assert not list(find(json.loads(shown)))


@st.composite
def _spelled(draw: st.DrawFn, text: str) -> str:
    """A JSON string's inside that says ``text``, some of its characters as escapes."""
    escaped = draw(st.sets(st.integers(0, len(text) - 1)))
    return "".join(
        f"\\u{ord(char):04x}" if place in escaped else char for place, char in enumerate(text)
    )


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("before", BEFORE)
def test_no_escape_hides_a_card_number_or_a_code(before: str, secret: str) -> None:
    text = f'"text": "note{before}{secret}'
    if any(find(json.loads(f'{{{text}"}}'))):  # an umlaut does not end the word before "cvv"
        _check(_line(text), '"', "}", "}")


@given(st.sampled_from(SECRETS).flatmap(_spelled), st.sampled_from(["", " ", "a\\n", "\\u00e4"]))
def test_no_spelling_hides_a_card_number_or_a_code(secret: str, before: str) -> None:
    line = _line(f'"text": "{before}{secret}')
    shown = _shown(line + '"}}')
    assert not list(find(json.loads(shown)))
    assert not list(find(json.loads(_shown(line) + '"}}')))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "value", [f'"{CODE}', f'"\\n{CODE}', f'" {CODE}', f'"{CODE}\\t', f'"\\u0020{CODE}', CODE]
)
def test_no_name_of_a_code_hides_it(name: str, value: str) -> None:
    ends = ('"', "}", "}") if value.startswith('"') else ("}", "}")
    _check(_line(f'"text": "t", "{name}": {value}'), *ends)
    _check(_line(f'"text": "t", "items": [{{"{name}" :\t{value}'), *ends[:-1], "]", "}", "}")


@given(st.sampled_from(NAMES).flatmap(_spelled), _spelled(CODE))
def test_no_spelling_of_its_name_hides_a_code(name: str, code: str) -> None:
    line = _line(f'"text": "t", "{name}": "{code}')
    assert not list(find(json.loads(_shown(line + '"}}'))))
    assert not list(find(json.loads(_shown(line) + '"}}')))


@pytest.mark.parametrize(
    "line",
    [
        _line(f'"text": 4.{CARD[1:]}e15}}}}'),
        _line(f'"cvv_1": "{CODE}", "cvv_1": "x"}}}}'),
        _line(f'"text": "{CARD}", "text": "x"}}}}'),
        _line(f'"cvv_\\"x": "{CODE}"}}}}'),
        _line(f'"{CARD}": "x", "\\n{CARD}": [{CARD}]}}}}'),
        _line('"u": ' + "[" * 5000 + f'"\\n{CARD}", {{"cvv": {CODE}'),
        "note \xe4".encode("latin-1") + CARD.encode(),
        f"\\u0031\\u0032{CODE} cvv\\u003a{CODE}",
    ],
)
def test_whatever_else_hides_a_card_number_or_a_code(line: str | bytes) -> None:
    """A number with an exponent, a name twice, a quote in a name, a deep nest, no UTF-8."""
    shown = _shown(line)
    assert CARD not in shown
    assert CARD[1:] not in shown
    assert f"cvv\\u003a{CODE}" not in shown
    assert f'"{CODE}"' not in shown


def test_all_else_of_a_line_stays_as_it_came() -> None:
    before, after = _line('"text": "Stra\\u00dfe 1\\n'), ' \\u00e4"  ,\t"cycle":1}}'
    assert _shown(f"{before}{CARD}{after}") == f"{before}{REMOVED}{after}"
    harmless = _line('"text": "C:\\\\note\\n4111 of 5\\u00e4", "facts": {"cvv": "M"}}}')
    assert rejection(1, harmless.encode(), {})["line"] == harmless
