"""Turns to ask the gateway: shared by all workers through the database, on its clock."""

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from sqlmodel import select

from disputes.ports import Question
from disputes.store.engine import Store, open_store, wire_now
from disputes.store.tables import QueryRow
from disputes.store.throttle import SqlQueryThrottle
from tests.store.scene import new_id

#: A turn every tenth of a second; half a minute between two questions about one transaction.
_OFTEN, _INTERVAL_S = 600, 30.0


class _Clock:
    """The database's clock in the hands of a test."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        with store.read() as session:
            self.now = wire_now(session).replace(second=30)
        monkeypatch.setattr("disputes.store.throttle.wire_now", lambda _session: self.now)

    def ago(self, **passed: float) -> datetime:
        """A moment in the past."""
        return self.now - timedelta(**passed)


@pytest.fixture
def clock(store: Store, monkeypatch: pytest.MonkeyPatch) -> _Clock:
    return _Clock(store, monkeypatch)


def _question(
    since: datetime | None = None,
    minor: int = 0,
    *,
    account: str = "E-1",
    transaction_id: str | None = None,
    limit: int | None = 1,
) -> Question:
    return Question(
        account=account,
        transaction_id=transaction_id or new_id(),
        account_per_minute=limit,
        since=since,
        amount_minor=minor,
    )


def test_one_transaction_is_asked_about_twice_a_minute_by_all_workers_together(
    store: Store, store_url: str, clock: _Clock
) -> None:
    other = open_store(store_url)
    here, there = SqlQueryThrottle(store, _INTERVAL_S), SqlQueryThrottle(other, _INTERVAL_S)
    question = _question(limit=None)
    asked = []
    for second in range(61):
        asked += [second for worker in (here, there) if worker.admit(question) == 0]
        clock.now += timedelta(seconds=1)
    assert asked == [0, 30, 60]
    assert there.admit(question) == 29
    assert there.admit(_question(limit=None)) == 0, "another transaction has turns of its own"
    elsewhere = question.model_copy(update={"account": "E-2"})
    assert here.admit(elsewhere) == 0, "so has another account"
    other.close()


def test_the_databases_own_clock_counts(store: Store) -> None:
    throttle, question = SqlQueryThrottle(store, _INTERVAL_S), _question()
    assert throttle.admit(question) == 0
    assert 0 < throttle.admit(question) <= _INTERVAL_S


def test_after_an_outage_the_oldest_and_of_one_minute_the_largest_ask_first(
    store: Store, clock: _Clock
) -> None:
    throttle = SqlQueryThrottle(store, _INTERVAL_S)
    assert throttle.admit(_question()) == 0
    waiting = {
        "late": _question(clock.ago(minutes=2), 9900),
        "small": _question(clock.ago(hours=5), 100),
        "large": _question(clock.ago(hours=5, seconds=20), 5000),
        "oldest": _question(clock.ago(hours=7), 100),
        "new": _question(None, 99_900),
    }
    order = []
    for question in waiting.values():
        assert throttle.admit(question) > 0
    while waiting:
        clock.now += timedelta(seconds=60)
        turns = [name for name, question in waiting.items() if throttle.admit(question) == 0]
        order += turns
        assert len(turns) == 1, "one a minute"
        del waiting[turns[0]]
    assert order == ["oldest", "large", "small", "late", "new"]


def test_who_comes_when_told_is_next_and_a_newcomer_is_not(store: Store, clock: _Clock) -> None:
    throttle = SqlQueryThrottle(store, _INTERVAL_S)
    throttle.admit(_question())
    first, second = _question(clock.ago(hours=2)), _question(clock.ago(hours=1))
    waits = throttle.admit(first)
    assert throttle.admit(second) == 60, "nobody waits longer than a minute unheard"
    clock.now += timedelta(seconds=waits)
    assert throttle.admit(_question()) > 0
    assert throttle.admit(second) > 0
    assert throttle.admit(first) == 0


def test_who_does_not_come_again_holds_up_nobody(store: Store, clock: _Clock) -> None:
    throttle = SqlQueryThrottle(store, _INTERVAL_S)
    throttle.admit(_question())
    assert throttle.admit(_question(clock.ago(hours=2))) > 0
    clock.now += timedelta(seconds=75)
    assert throttle.admit(_question(clock.ago(hours=1))) == 0


def test_another_account_is_not_held_up(store: Store, clock: _Clock) -> None:
    throttle = SqlQueryThrottle(store, _INTERVAL_S)
    throttle.admit(_question())
    assert throttle.admit(_question(clock.ago(hours=2))) > 0
    assert throttle.admit(_question(account="E-2")) == 0


def test_what_says_nothing_any_more_is_forgotten(store: Store, clock: _Clock) -> None:
    throttle = SqlQueryThrottle(store, _INTERVAL_S)
    for _ in range(5):
        throttle.admit(_question(limit=None))
    clock.now += timedelta(seconds=31)
    throttle.admit(_question(limit=None))
    with store.read() as session:
        assert len(session.exec(select(QueryRow)).all()) == 1


async def test_workers_that_ask_at_once_never_ask_more_than_they_may(store: Store) -> None:
    """Real rivals on the real clock: of many, one has the turn, and none waits for ever."""
    throttle = SqlQueryThrottle(store, _INTERVAL_S)
    same = _question(limit=None)
    waits = await asyncio.gather(*(asyncio.to_thread(throttle.admit, same) for _ in range(12)))
    assert sorted(wait > 0 for wait in waits) == [False, *[True] * 11]
    moments = []

    async def ask(question: Question) -> None:
        while wait_s := await asyncio.to_thread(throttle.admit, question):  # noqa: ASYNC110 - a database sets no event
            await asyncio.sleep(wait_s)
        with store.read() as session:
            key = question.account, question.transaction_id
            row = session.get_one(QueryRow, key)
            moments.append(row.asked_at or row.since)

    await asyncio.gather(*(ask(_question(limit=_OFTEN)) for _ in range(6)))
    moments.sort()
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert min(gaps) >= timedelta(seconds=0.1)
