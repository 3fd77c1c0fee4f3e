"""Card numbers are found as their plain definition says, however cheaply."""

import re
from collections.abc import Iterator

from hypothesis import example, given
from hypothesis import strategies as st

from disputes.card_data import REMOVED, has_card_number, redact

CARD = "4111111111111111"
_RUN = re.compile(r"(?<![0-9A-Za-z.-])[0-9](?:[ -]?[0-9]){12,}(?![0-9A-Za-z])")


def _passes_luhn(digits: str) -> bool:
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    once = [int(digit) for digit in digits[-1::-2]]
    return (sum(once) + sum(it // 10 + it % 10 for it in doubled)) % 10 == 0


def _is_card(digits: str) -> bool:
    return 13 <= len(digits) <= 19 and digits[0] in "23456" and _passes_luhn(digits)


def _plainly(text: str) -> Iterator[tuple[int, int]]:
    """From each group of digits on, the fewest groups that are a card number together."""
    for run in _RUN.finditer(text):
        groups = list(re.finditer("[0-9]+", run[0]))
        done = 0
        for place, first in enumerate(groups):
            for count in range(1, len(groups) - place + 1):
                taken = groups[place : place + count]
                if place >= done and _is_card("".join(group[0] for group in taken)):
                    yield run.start() + first.start(), run.start() + taken[-1].end()
                    done = place + count
                    break


def _replaced(text: str) -> str:
    for start, end in reversed(list(_plainly(text))):
        text = text[:start] + REMOVED + text[end:]
    return text


_MARK = st.sampled_from(["", "", " ", "-", "  ", ".", "x", ","])
_GROUP = st.sampled_from([CARD, "4222222222222", "5500", "0004"]) | st.text(
    "0123456789", max_size=9
)


@given(st.lists(st.tuples(_GROUP, _MARK), max_size=30))
@example([("1", " ")] * 40)
@example([("4", " ")] * 40)
@example([("1", " "), *[(digit, "-") for digit in CARD], ("2", "")])
@example([("6" * 50, " "), (CARD, " "), (CARD, "")])
@example([("1", " "), *[("0" * 9, "")] * 3, (" " + CARD, "")])
def test_card_numbers_are_found_as_their_plain_definition_says(
    parts: list[tuple[str, str]],
) -> None:
    text = "".join(group + mark for group, mark in parts)
    assert redact(text) == _replaced(text)
    assert has_card_number(text) == any(True for _ in _plainly(text))


@given(st.text("0123456789 -", max_size=120))
def test_so_they_are_among_nothing_but_digits(text: str) -> None:
    assert redact(text) == _replaced(text)
