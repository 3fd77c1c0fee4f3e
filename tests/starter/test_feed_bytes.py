"""Bytes to lines and records: however cut, packed or damaged, in bounded memory."""

import gzip
import hashlib
import itertools
import json
import tracemalloc
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from disputes.errors import InvalidMessage
from starter.decompress import Encoding, sniff, unpacker
from starter.feed import read_line
from starter.feed_csv import Header, check_own, read_header, read_record
from starter.lines import MAX_LINE_BYTES, LineSplitter, RawLine

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
NOTICE = {
    "dispute_id": "D-1",
    "merchant_id": "M-1",
    "payment_id": "a" * 32,
    "stage": "chargeback",
    "network": "visa",
    "reason_code": "13.1",
    "amount": "92.00",
    "currency": "EUR",
    "received_at": "2026-11-02T09:30:00Z",
}
HEADER = Header(tuple(NOTICE))


def _split(pieces: Iterable[bytes], *, records: bool = False) -> list[RawLine]:
    splitter = LineSplitter(records=records)
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    return [*lines, *splitter.close()]


def _unpack(encoding: Encoding, data: bytes) -> bytes:
    packed = unpacker(encoding)
    out = b"".join(packed.feed(data))
    packed.close()
    return out


def _packed(encoding: Encoding, data: bytes) -> bytes:
    return gzip.compress(data) if encoding is Encoding.GZIP else zstandard.compress(data)


@settings(deadline=None)
@given(
    feed=st.binary(max_size=300),
    cuts=st.lists(st.integers(0, 300), max_size=6),
    records=st.booleans(),
)
def test_how_a_feed_is_cut_into_pieces_changes_nothing(
    *, feed: bytes, cuts: list[int], records: bool
) -> None:
    places = [0, *sorted(cuts), len(feed)]
    pieces = [feed[start:stop] for start, stop in itertools.pairwise(places)]
    whole = _split([feed], records=records)
    assert _split(pieces, records=records) == whole
    if not records and not feed.startswith(b"\xef\xbb\xbf"):
        rows = [row.rstrip(b"\r") for row in feed.split(b"\n") if row.strip()]
        assert [line.content for line in whole] == rows


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=1, max_size=5))
def test_a_quoted_cell_keeps_its_line_ends(cells: list[str]) -> None:
    quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    lines = _split([f"{quoted}\r\nnext,row\n".encode()], records=True)
    assert [line.content for line in lines] == [quoted.encode(), b"next,row"]
    assert lines[1].number == 2 + quoted.count("\n")


def test_a_stray_quote_costs_its_own_record_only() -> None:
    lines = _split([b'a,5" pipe\nb,c\n'], records=True)
    assert [line.content for line in lines] == [b'a,5" pipe', b"b,c"]


def test_a_quote_that_is_never_closed_does_not_fill_the_memory() -> None:
    lines = _split([b'a,"', *([b"x" * 1023 + b"\n"] * 3000), b"good,row\n"], records=True)
    assert lines[0].cut
    assert all(len(line.content) <= MAX_LINE_BYTES for line in lines)
    assert lines[-1].content.endswith(b"good,row")


@pytest.mark.parametrize("last", [b"b,c", b'b,"c'])
def test_a_last_line_without_an_end_is_given_once(last: bytes) -> None:
    splitter = LineSplitter(records=True)
    assert [line.content for line in splitter.feed(b"a\n" + last)] == [b"a"]
    assert [line.content for line in splitter.close()] == [last]
    assert list(splitter.close()) == []


def test_each_line_tells_where_the_next_begins() -> None:
    feed = b'\xef\xbb\xbfa,"b\nc"\r\n\nd,e\nf'
    for line in _split([feed], records=True)[:-1]:
        before = hashlib.sha256(feed[: line.end])
        assert line.sha256 == before.digest()
        rest = LineSplitter(records=True, line=line.last, offset=line.end, sha256=before)
        assert [*rest.feed(feed[line.end :]), *rest.close()] == [
            later for later in _split([feed], records=True) if later.number > line.number
        ]


@pytest.mark.parametrize("encoding", [Encoding.GZIP, Encoding.ZSTD])
def test_several_members_are_one_feed(encoding: Encoding) -> None:
    data = _packed(encoding, b"one\n") + _packed(encoding, b"two\n")
    assert sniff(data[:4]) is encoding
    assert _unpack(encoding, data) == b"one\ntwo\n"


@pytest.mark.parametrize("encoding", [Encoding.GZIP, Encoding.ZSTD])
@settings(deadline=None)
@given(content=st.binary(max_size=2000), data=st.data())
def test_an_archive_that_ends_early_gives_what_came_and_says_so(
    encoding: Encoding, content: bytes, data: st.DataObject
) -> None:
    whole = _packed(encoding, content)
    stop = data.draw(st.integers(0, len(whole) - 1))
    packed = unpacker(encoding)
    out = b"".join(packed.feed(whole[:stop]))
    assert content.startswith(out)
    with pytest.raises(InvalidMessage, match="ends early"):
        packed.close()


@pytest.mark.parametrize("encoding", [Encoding.GZIP, Encoding.ZSTD])
@settings(deadline=None)
@given(content=st.binary(max_size=200))
def test_what_is_no_archive_is_an_error_and_no_crash(encoding: Encoding, content: bytes) -> None:
    with suppress(InvalidMessage):
        _unpack(encoding, _packed(encoding, b"x")[:4] + content)


@pytest.mark.parametrize("encoding", [Encoding.GZIP, Encoding.ZSTD])
def test_a_bomb_comes_out_in_pieces(encoding: Encoding) -> None:
    """256 MiB of zeros: never more than a few of them are held."""
    part = _packed(encoding, b"\0" * (64 * 1024 * 1024))
    packed, size = unpacker(encoding), 0
    tracemalloc.start()
    for _ in range(4):
        for piece in packed.feed(part):
            size += len(piece)
            assert len(piece) <= 256 * 1024
            del piece
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    packed.close()
    assert size == 256 * 1024 * 1024
    assert peak < 20 * 1024 * 1024


def _record(**changes: str) -> bytes:
    cells = {**NOTICE, **changes}
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells.values()).encode()


def test_a_record_is_the_notice_that_json_would_bring() -> None:
    entry = read_record(HEADER, _record(), NOW)
    data: dict[str, object] = {name: cell for name, cell in NOTICE.items() if name != "currency"}
    data["amount"] = {"amount": "92.00", "currency": "EUR"}
    line = {"event_id": entry.event_id, "type": "dispute.opened", "data": data}
    assert read_line(json.dumps(line), NOW) == entry
    assert read_record(HEADER, _record(), NOW).event_id == entry.event_id
    assert read_record(HEADER, _record(amount="1.00"), NOW).event_id != entry.event_id


@pytest.mark.parametrize(
    ("changes", "column", "reason"),
    [
        ({"amount": "92.5"}, "amount", "2 decimals"),
        ({"amount": ""}, "amount.amount", "required"),
        ({"currency": "XXX"}, "amount", "ISO 4217"),
        ({"network": "maestro"}, "network", "visa"),
        ({"payment_id": "PAY-1"}, "payment_id", "hex"),
        ({"reason_code": "4111 1111 1111 1111"}, "reason_code", "card number"),
        ({"received_at": "2099-01-01T00:00:00Z"}, "received_at", "future"),
        ({"merchant_id": ""}, "merchant_id", "required"),
    ],
)
def test_a_bad_record_is_refused_by_column(
    changes: dict[str, str], column: str, reason: str
) -> None:
    with pytest.raises(InvalidMessage) as refused:
        read_record(HEADER, _record(**changes), NOW)
    assert reason in refused.value.fields[column]
    assert "4111" not in refused.value.message


def test_a_header_is_one_error_that_names_every_column() -> None:
    wrong = read_header(b"dispute_id,colour,merchant_id")
    with pytest.raises(InvalidMessage) as refused:
        check_own(wrong)
    assert refused.value.fields["column colour"] == "is not a known column"
    assert refused.value.fields["column amount"] == "is required"
    with pytest.raises(InvalidMessage, match="twice"):
        read_header(b"dispute_id,dispute_id")


def test_what_only_its_column_names_as_a_security_code_is_not_shown() -> None:
    header = Header(("dispute_id", "CVV", "text"))
    assert header.shown(b'D-1,737,"a ""b"""') == '"D-1","[removed]","a ""b"""'
    assert header.shown(b'D-1,737,"') == "[removed]"
    assert Header(("dispute_id", "text")).shown(b"D-1,737") == "D-1,737"


@pytest.mark.parametrize("name", ["Customer CVN", "payment_csc", "CVN code", "Card CVC2"])
def test_a_code_of_a_customer_is_shown_by_no_name(name: str) -> None:
    assert Header(("id", name)).shown(b"D-1,737") == '"D-1","[removed]"'


def test_a_row_whose_cells_have_moved_shows_none_of_them() -> None:
    """A comma without quotes moves the code to where another column's cell would stand."""
    header = Header(("Name", "CVV", "Amount"))
    assert header.shown(b"Smith, John,737,10.00") == "[removed]"
    assert header.shown(b"Smith,737") == "[removed]"


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_record_of_noise_is_a_crash_or_is_taken(raw: bytes) -> None:
    with pytest.raises(InvalidMessage):
        read_record(HEADER, raw, NOW)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(NOTICE)), st.text(max_size=40), max_size=3))
def test_a_record_that_is_taken_is_a_notice_that_json_would_have_brought(
    changes: dict[str, str],
) -> None:
    """Nothing gets in by CSV that the notice's own rules would keep out."""
    try:
        entry = read_record(HEADER, _record(**changes), NOW)
    except InvalidMessage:
        return
    again = read_line(entry.line.model_dump_json(exclude_none=True), NOW)
    assert again.line == entry.line


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["event_id", "type", "data", *NOTICE]), inner, max_size=5)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(_JSON | st.text(max_size=60))
def test_no_line_of_noise_is_a_crash_or_is_taken(value: object) -> None:
    text = value if isinstance(value, str) else json.dumps(value)
    with pytest.raises(InvalidMessage) as refused:
        read_line(text, NOW)
    assert refused.value.fields
