"""Finds card numbers and security codes wherever they hide, so that no door lets them in.

PCI DSS 3.3.1, 3.4.1: neither may be stored; what we refuse or redact never reaches a file.
"""

import re
from collections.abc import Iterator

REMOVED = "[removed]"
#: Digits with single spaces or hyphens between them, not inside a longer word or number.
_RUN = re.compile(r"(?<![0-9A-Za-z.-])[0-9](?:[ -]?[0-9]){12,}(?![0-9A-Za-z])")
_GROUP = re.compile(r"[0-9]+")
_PAN_DIGITS = range(13, 20)
#: Leading digits of the card networks' numbers (ISO/IEC 7812).
_MAJOR = tuple("23456")
_CODE_WORDS = r"cvv2?|cvc2?|csc|cvn|security[ _-]?code|verification[ _-]?value"
_CODE_NAME = re.compile(
    r"^(?:card)?(?:csc|cid|cvn)$|cvv|cvc|cardcsc|securitycode|verificationvalue"
)
_CODE = re.compile(r"[0-9]{3,4}")
_CODE_PAIR = re.compile(
    rf'("[A-Za-z_. -]*(?:{_CODE_WORDS})[A-Za-z_. -]*"\s*:\s*"?\s*)([0-9]{{3,4}})\b', re.IGNORECASE
)
_CODE_TEXT = re.compile(
    rf"(\b(?:{_CODE_WORDS})\b(?:\s+(?:is|was|code|number|no))?[\s:=#.-]{{0,3}})([0-9]{{3,4}})\b",
    re.IGNORECASE,
)
#: A shopper's token at the gateway: as good as a card to whoever has our access.
_TOKEN_PAIR = re.compile(r'("registration_?id"\s*:\s*")([^"]+)', re.IGNORECASE)


def _luhn(digits: str) -> bool:
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (2 if place % 2 else 1)
        total += value // 10 + value % 10
    return total % 10 == 0


def _card_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Spans of card numbers: whole groups of digits, for an expiry date may stand beside them."""
    for run in _RUN.finditer(text):
        groups = [group.span() for group in _GROUP.finditer(text, *run.span())]
        first = 0
        while first < len(groups):
            # More groups than digits in the longest number cannot be one.
            lasts = range(first, min(first + _PAN_DIGITS.stop, len(groups)))
            last = next((it for it in lasts if _is_card(text, groups[first : it + 1])), None)
            if last is not None:
                yield groups[first][0], groups[last][1]
            first = first + 1 if last is None else last + 1


def _is_card(text: str, groups: list[tuple[int, int]]) -> bool:
    digits = "".join(text[start:end] for start, end in groups)
    return len(digits) in _PAN_DIGITS and digits.startswith(_MAJOR) and _luhn(digits)


def has_card_number(text: str) -> bool:
    """Whether ``text`` holds 13-19 digits that pass the Luhn check."""
    return any(True for _ in _card_numbers(text))


def find(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (field, reason) for each card number or security code in parsed JSON."""
    if isinstance(value, dict):
        for name, item in value.items():
            here = f"{path}.{name}" if path else str(name)
            if has_card_number(str(name)):
                yield path or "field name", "must not hold a card number"
            elif _is_code(str(name), item):
                yield here, "must not hold a card security code"
            else:
                yield from find(item, here)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from find(item, f"{path}.{place}" if path else str(place))
    elif isinstance(value, str | int | float):
        yield from _in_text(str(value), path)


def _in_text(text: str, path: str) -> Iterator[tuple[str, str]]:
    if has_card_number(text.removesuffix(".0")):
        yield path, "must not hold a card number"
    elif _CODE_TEXT.search(text):
        yield path, "must not hold a card security code"


def _is_code(name: str, value: object) -> bool:
    # Most values cannot be one, and the name need not be looked at.
    if not isinstance(value, str | int) or not _CODE.fullmatch(str(value).strip()):
        return False
    return bool(_CODE_NAME.search(re.sub(r"[^a-z]", "", name.lower())))


def redact(text: str) -> str:
    """Replace card numbers and security codes in raw text, well-formed or not."""
    for start, end in reversed(list(_card_numbers(text))):
        text = text[:start] + REMOVED + text[end:]
    for pattern in (_CODE_PAIR, _CODE_TEXT):
        text = pattern.sub(rf"\g<1>{REMOVED}", text)
    return text


def redact_tokens(text: str) -> str:
    """Replace shoppers' tokens in raw JSON, well-formed or not."""
    return _TOKEN_PAIR.sub(rf"\g<1>{REMOVED}", text)
