"""The command line as a user runs it: a process of its own, its output and its exit code."""

import asyncio
import json
from pathlib import Path
from typing import Any

from starter.processes import claim_port
from tests.support.command import Done, disputes
from tests.support.desk import opened
from tests.support.engine import Engine


async def _run(engine: Engine, *arguments: str) -> Done:
    return await disputes(*arguments, env=engine.env)


async def _open_case(engine: Engine, folder: Path, **changes: object) -> str:
    """Open a case by the command itself; gives its id."""
    notice = await engine.notice(**changes)
    feed = folder / f"{notice['dispute_id']}.jsonl"
    feed.write_text(opened(notice))
    done = await _run(engine, "intake", str(feed))
    assert done.code == 0, done.out
    case_id: str = notice["dispute_id"]
    await engine.settled(engine.handle(case_id), 1)
    return case_id


async def test_a_case_is_worked_from_notice_to_ruling(engine: Engine, tmp_path: Path) -> None:
    """Every step prints JSON that a script can use, and the case file reads like one."""
    case_id = await _open_case(engine, tmp_path)
    letter = tmp_path / "letter.txt"
    letter.write_text("delivered to the door")
    add = ("evidence", "add", case_id, "delivery_confirmation", "--by", "ann")
    added = await _run(engine, *add, "--file", str(letter), "--json")
    assert json.loads(added.out)["present"] == ["delivery_confirmation"]
    again = await _run(engine, *add, "--file", str(letter), "--json")
    assert (again.code, again.out) == (0, added.out)

    sent = await _run(engine, "represent", case_id, "--by", "ann", "--json")
    assert json.loads(sent.out) == {"status": "under_review"}
    partial = ("rule", case_id, "partial", "--merchant-amount", "40.00", "--id", "R-1", "--json")
    ruled = await _run(engine, *partial)
    assert json.loads(ruled.out) == {"dispute_id": case_id, "ruling_id": "R-1"}
    await engine.settled(engine.handle(case_id), 2)

    shown = await _run(engine, "show", case_id)
    assert shown.code == 0
    for word in (case_id, "partially_won", "92.00 EUR", "40.00 EUR", "delivery_confirmation"):
        assert word in shown.out
    status = json.loads((await _run(engine, "show", case_id, "--json")).out)
    assert (status["status"], status["reinstated"], status["written_off"]) == (
        "partially_won",
        "40.00",
        "52.00",
    )
    told = json.loads((await _run(engine, "timeline", case_id, "--json")).out)
    assert [entry["what"] for entry in told if entry["actor"] == "ann"] == [
        "evidence_added",
        "submitted",
    ]
    lines = json.loads((await _run(engine, "ledger", "show", status["payment_id"], "--json")).out)
    assert {"debit": "dispute_loss", "credit": "disputed", "amount": "52.00"}.items() <= next(
        line for line in lines if line["debit"] == "dispute_loss"
    ).items()


async def test_a_second_person_decides_above_the_limit(engine: Engine, tmp_path: Path) -> None:
    amount = {"amount": "9000.00", "currency": "EUR"}
    case_id = await _open_case(engine, tmp_path, amount=amount)
    asked = await _run(engine, "accept", case_id, "--by", "ann", "--amount", "8000.00", "--json")
    request = json.loads(asked.out)["request_id"]
    own = await _run(engine, "approve", request, "--by", "ann")
    assert (own.code, own.out) == (1, "")
    assert "second person" in own.err
    decided = await _run(engine, "approve", request, "--by", "bob")
    assert decided.code == 0
    assert json.loads((await _run(engine, "show", case_id, "--json")).out)["written_off"] == (
        "8000.00"
    )


async def test_cases_are_listed_by_their_next_deadline(engine: Engine, tmp_path: Path) -> None:
    merchant = engine.new_id()
    late = await _open_case(
        engine, tmp_path, merchant_id=merchant, respond_by="2190-01-01T00:00:00Z"
    )
    soon = await _open_case(engine, tmp_path, merchant_id=merchant)
    listed = await _run(engine, "list", "--merchant", merchant, "--json")
    assert [case["dispute_id"] for case in json.loads(listed.out)] == [soon, late]
    shown = await _run(engine, "list", "--merchant", merchant)
    assert shown.out.index(soon) < shown.out.index(late)
    none = await _run(engine, "list", "--merchant", merchant, "--status", "won", "--json")
    assert json.loads(none.out) == []


async def test_rejected_lines_end_with_three_and_are_told(engine: Engine, tmp_path: Path) -> None:
    feed = tmp_path / "feed.jsonl"
    feed.write_text(opened(await engine.notice()) + "\nnot json\n")
    done = await _run(engine, "intake", str(feed), "--json")
    assert done.code == 3
    report = json.loads(done.out)
    assert (report["accepted"], report["rejected"]) == (1, 1)
    assert report["rejected_file"] == f"{feed}.rejected.jsonl"
    assert report["rejected_lines"] == [
        {"line_number": 2, "reasons": {"line": "is not valid JSON"}}
    ]
    again = await _run(engine, "intake", str(feed))
    assert again.code == 3
    assert "duplicates 1" in again.out


async def test_refused_is_one_and_wrong_usage_is_two(engine: Engine) -> None:
    asked = {
        ("represent", "D-unknown", "--by", "ann"): (1, "no case"),
        ("show", "no id"): (1, "dispute_id"),
        ("approve", "R-1", "--by", "ann"): (1, "no request"),
        ("explain", "99.99"): (1, "no network"),
        ("ledger", "show", "0" * 32): (1, "nothing"),
        ("rule", "D-unknown", "won"): (2, "merchant_won"),
        ("evidence", "add", "D-1", "invoice", "--by", "ann"): (2, "--file or --text"),
        ("intake", "no-such-feed.jsonl"): (2, "no-such-feed.jsonl"),
    }
    told = await asyncio.gather(*(_run(engine, *arguments) for arguments in asked))
    for arguments, done in zip(asked, told, strict=True):
        code, reason = asked[arguments]
        assert (done.code, done.out) == (code, ""), arguments
        assert reason in done.err, arguments


async def test_card_numbers_and_files_that_are_no_text_are_refused(
    engine: Engine, tmp_path: Path
) -> None:
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(b"%PDF-1.7\n\xff\xfe\x00")
    add = ("evidence", "add", "D-1", "invoice", "--by", "ann")
    done = await _run(engine, *add, "--file", str(scan))
    assert done.code == 1
    assert "only UTF-8 text" in done.err
    card = await _run(engine, *add, "--text", "paid with 4111 1111 1111 1111")
    assert card.code == 1
    assert "card number" in card.err
    assert "4111" not in card.err


async def test_services_that_are_away_end_with_four(engine: Engine, tmp_path: Path) -> None:
    feed = tmp_path / "feed.jsonl"
    feed.write_text(opened(await engine.notice()))
    away = engine.env | {"TEMPORAL_ADDRESS": f"127.0.0.1:{claim_port(0, 'nobody')}"}
    for arguments in (["show", "D-1"], ["intake", str(feed)]):
        done = await disputes(*arguments, env=away)
        assert (done.code, done.out) == (4, "")
        assert "no Temporal server answers" in done.err


async def test_a_wrong_setting_or_a_database_without_tables_is_told(
    engine: Engine, tmp_path: Path
) -> None:
    """Until ``setup`` has been run; it may be run again."""
    empty = engine.env | {"DISPUTES_DATABASE_URL": f"sqlite:///{tmp_path / 'new.sqlite3'}"}
    done = await disputes("list", env=empty)
    assert done.code == 2
    assert "disputes setup" in done.err
    for _ in range(2):
        assert (await disputes("setup", env=empty)).code == 0
    assert (await disputes("list", "--json", env=empty)).out == "[]\n"
    wrong = await disputes("list", env=empty | {"DISPUTES_TASK_QUEU": "x"})
    assert wrong.code == 2
    assert "DISPUTES_TASK_QUEUE" in wrong.err


async def test_commands_find_the_stack_that_runs_in_their_folder(
    engine: Engine, tmp_path: Path
) -> None:
    case_id = await _open_case(engine, tmp_path)
    named = {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "DISPUTES_DATABASE_URL"}
    unnamed = {name: value for name, value in engine.env.items() if name not in named}
    (tmp_path / ".disputes").mkdir()
    endpoints: dict[str, Any] = {
        "temporal": engine.env["TEMPORAL_ADDRESS"],
        "namespace": "default",
        "database": engine.settings.database_url,
    }
    (tmp_path / ".disputes" / "endpoints.json").write_text(json.dumps(endpoints))
    done = await disputes("show", case_id, "--json", env=unnamed, folder=tmp_path)
    assert json.loads(done.out)["dispute_id"] == case_id


async def test_text_from_strangers_cannot_steer_the_terminal(
    engine: Engine, tmp_path: Path
) -> None:
    case_id = await _open_case(engine, tmp_path)
    text = "\x1b[2J\x1b]0;owned\x07 [bold]hello[/bold]"
    await _run(engine, "note", case_id, text, "--by", "ann")
    shown = (await _run(engine, "timeline", case_id)).out
    assert "\x1b" not in shown
    assert "[bold]hello[/bold]" in shown


async def test_the_books_add_up_or_the_exit_code_says_so(engine: Engine, tmp_path: Path) -> None:
    await _open_case(engine, tmp_path)
    done = await _run(engine, "ledger", "verify", "--json")
    told = json.loads(done.out)
    assert told["balanced"] is (done.code == 0)
    assert told["differences"] == []


async def test_a_reason_code_is_explained_for_each_network_that_has_it(engine: Engine) -> None:
    told = json.loads((await _run(engine, "explain", "UA02", "--json")).out)
    assert [entry["network"] for entry in told] == ["discover", "unionpay"]
    assert {"code", "description", "group", "action"} <= set(told[0])
