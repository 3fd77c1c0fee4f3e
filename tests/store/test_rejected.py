"""Rejected lines on both databases: each once, whatever stands in it, the newest first."""

from disputes.decode import sha256
from disputes.store.engine import Store
from disputes.store.rejected import RejectedBook


def _entry(number: int, line: str, **more: object) -> dict[str, object]:
    reasons = {"line": "is not valid JSON"}
    told = {"sha256": sha256(line), "line_number": number, "reasons": reasons, "line": line}
    return told | more


def test_a_line_is_kept_once_however_often_it_comes(store: Store) -> None:
    book = RejectedBook(store)
    lines = ["first", "zero \x00 in it", "surrogate \ud800".encode("utf-8", "replace").decode()]
    book.keep([_entry(n, line, feed="a.jsonl") for n, line in enumerate([*lines, lines[0]], 1)])
    book.keep([_entry(9, lines[1], feed="b.jsonl"), _entry(10, "new")])
    book.keep([])
    found = book.page(None, 10)
    assert {it.line: (it.line_number, it.feed) for it in found} == {
        lines[0]: (1, "a.jsonl"),
        lines[1]: (2, "a.jsonl"),
        lines[2]: (3, "a.jsonl"),
        "new": (10, None),
    }
    assert found[0].line == "new"
    after = found[1]
    assert book.page((after.rejected_at, after.sha256), 10) == found[2:]
