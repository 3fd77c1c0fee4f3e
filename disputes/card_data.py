"""Finds card numbers and security codes wherever they hide, so that no door lets them in.

PCI DSS 3.3.1, 3.4.1: neither may be stored; what we refuse or redact never reaches a file.
"""

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

REMOVED = "[removed]"
#: Digits with single spaces or hyphens between them, not inside a longer word or number.
_RUN = re.compile(r"(?<![0-9A-Za-z.-])[0-9](?:[ -]?[0-9]){12,}(?![0-9A-Za-z])")
_GROUP = re.compile(r"[0-9]+")
_PAN_DIGITS = range(13, 20)
#: Leading digits of the card networks' numbers (ISO/IEC 7812).
_MAJOR = b"23456"
#: What the Luhn check adds for a digit, and for one that it doubles.
_ONCE = bytes.maketrans(b"0123456789", bytes(range(10)))
_TWICE = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_CODE_WORDS = r"cvv2?|cvc2?|csc|cvn|security[ _-]?code|verification[ _-]?value"
_CODE_NAME = re.compile(
    r"^(?:card)?(?:csc|cid|cvn)$|cvv|cvc|cardcsc|securitycode|verificationvalue"
)
#: In what is only shown, more is a code's name than what is refused for it.
_SHOWN_NAME = re.compile(rf"{_CODE_NAME.pattern}|csc|cvn")
_CODE = re.compile(r"[0-9]{3,4}")
#: A name and what may be its code; only looked ahead at, for the name's end may begin another.
_PAIR = re.compile(r'"([^"]*)(?="\s*:\s*(?:"\s*)?([0-9]{3,4})\b)')
_CODE_TEXT = re.compile(
    rf"\b(?:{_CODE_WORDS})\b(?:\s+(?:is|was|code|number|no))?[\s:=#.-]{{0,3}}([0-9]{{3,4}})\b",
    re.IGNORECASE,
)
#: Of a field's name with all names around it: many fields may stand within one that never ends.
_PATH_CHARS = 500
#: A shopper's token at the gateway: as good as a card to whoever has our access.
_TOKEN_PAIR = re.compile(r'"registration_?id"\s*:\s*"([^"]+)', re.IGNORECASE)
#: An escape of JSON, or of a byte that is no UTF-8 (Python's ``backslashreplace``).
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|x([0-9a-f]{2})|(["\\/bfnrt]))')
#: What one letter behind the backslash says; an escaped quote begins and ends nothing.
_SAYS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': "'"}


def _card_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Spans of card numbers: whole groups of digits, for an expiry date may stand beside them."""
    for run in _RUN.finditer(text):
        sizes = (len(group[0]) for group in _GROUP.finditer(run[0]))
        before = list(accumulate(sizes, initial=0))  # digits before each group
        for first, behind in _cards(run[0].replace(" ", "").replace("-", "").encode(), before):
            # One character stands between two groups.
            yield run.start() + before[first] + first, run.start() + before[behind] + behind - 1


def _cards(digits: bytes, before: list[int]) -> Iterator[tuple[int, int]]:
    """The groups that are a card number: the first of them, and the one behind the last.

    A stranger may send a mebibyte of groups: each costs a few steps, whatever stands around it.
    """
    sums = _luhn_sums(digits)
    first, count = 0, len(before) - 1
    while first < count:
        start, card = before[first], None
        if digits[start] in _MAJOR:
            near = bisect_left(before, start + _PAN_DIGITS.start, first)
            far = bisect_left(before, start + _PAN_DIGITS.stop, near)
            card = next((it for it in range(near, far) if _luhn(sums, start, before[it])), None)
        if card is not None:
            yield first, card
        first = first + 1 if card is None else card


def _luhn(sums: tuple[bytes, bytes], start: int, stop: int) -> bool:
    # The last digit is not doubled, the one before it is.
    parity = sums[stop % 2]
    return parity[start] == parity[stop]


def _luhn_sums(digits: bytes) -> tuple[bytes, bytes]:
    """The Luhn check's sums before each place: digits at even places doubled, then at odd ones.

    Of each sum only its last digit: the check asks for no more, and a byte holds it.
    """

    def sums(doubled: int) -> bytes:
        values = bytearray(digits.translate(_ONCE))
        values[doubled::2] = digits.translate(_TWICE)[doubled::2]
        totals: Iterator[int] = accumulate(values, lambda a, b: (a + b) % 10, initial=0)
        return bytes(totals)

    return sums(0), sums(1)


def has_card_number(text: str) -> bool:
    """Whether ``text`` holds 13-19 digits that pass the Luhn check."""
    return any(True for _ in _card_numbers(text))


def find(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (field, reason) for each card number or security code in parsed JSON."""
    if isinstance(value, dict):
        for name, item in value.items():
            here = (f"{path}.{name}" if path else str(name))[:_PATH_CHARS]
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
    return bool(_CODE_NAME.search(_letters(name)))


def names_code(name: str) -> bool:
    """Whether what stands under this name is not to be shown: it may be a security code."""
    return bool(_SHOWN_NAME.search(_letters(name)))


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def redact(text: str) -> str:
    """Replace card numbers and security codes in raw text, JSON or not, well-formed or not."""
    return _without(text, _spans)


def redact_json(text: str) -> str:
    """Replace them in a line of JSON: surely, where it can be read, and else as ``redact`` does."""
    shown = redact(text)
    try:
        parsed: object = json.loads(text)
        return shown if _is_clean(shown) else redact(json.dumps(_cleaned(parsed)))
    except (ValueError, RecursionError):
        return shown


def _is_clean(shown: str) -> bool:
    try:
        return not any(find(json.loads(shown)))
    except ValueError:
        return False  # a number was taken out, and words stand there now


def _cleaned(value: object) -> object:
    """Parsed JSON without what ``find`` finds in it."""
    if isinstance(value, dict):
        return {
            redact(str(name)): REMOVED if _is_code(str(name), item) else _cleaned(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    return REMOVED if any(find(value)) else value


def redact_tokens(text: str) -> str:
    """Replace shoppers' tokens in raw JSON, well-formed or not."""
    return _without(text, lambda raw: (found.span(1) for found in _TOKEN_PAIR.finditer(raw)))


_Spans = Iterable[tuple[int, int]]


def _spans(text: str) -> Iterator[tuple[int, int]]:
    yield from _card_numbers(text)
    for pair in _PAIR.finditer(text):
        if names_code(pair[1]):
            yield pair.span(2)
    yield from (found.span(1) for found in _CODE_TEXT.finditer(text))


def _without(text: str, spans: Callable[[str], _Spans]) -> str:
    """Replace what is found in the text as it stands, and as it reads with its escapes undone."""
    text = _cut(text, spans(text))
    if "\\" not in text:
        return text
    plain, place = _undone(text)
    return _cut(text, ((place(start), place(end)) for start, end in spans(plain)))


def _cut(text: str, spans: _Spans) -> str:
    parts, done = [], 0
    for start, end in sorted(spans):
        if start >= done:
            parts += [text[done:start], REMOVED]
        done = max(done, end)
    return "".join([*parts, text[done:]])


def _undone(text: str) -> tuple[str, Callable[[int], int]]:
    """The text without escapes, and what gives a place's own place in ``text``."""
    behind, longer = [0], [0]  # from a place behind an escape on, ``text`` is so much longer

    def says(escape: re.Match[str]) -> str:
        behind.append(escape.start() - longer[-1] + 1)
        longer.append(longer[-1] + len(escape[0]) - 1)
        wide, byte, letter = escape.groups()
        return _SAYS.get(letter, letter) if letter else chr(int(wide or byte, 16))

    plain = _ESCAPE.sub(says, text)
    return plain, lambda place: place + longer[bisect_right(behind, place) - 1]
