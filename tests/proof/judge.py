"""Whether the money is right, by the gateway's own book and by the ledger's own identity."""

from collections import Counter
from random import Random

from disputes.case import Case
from disputes.chain import owed_minor, target_minor
from disputes.events import FACTS, Booked, CaseEvent
from disputes.ledger import levels
from disputes.lifecycle import HOLDS, advance, fold
from disputes.status import attention
from disputes.store.projection import load_case
from disputes.vocabulary import OperationState
from tests.proof.book import Line
from tests.proof.world import World

#: Attention that tells a person that the gateway's book and ours may differ.
_FLAGS = {"operation_in_doubt", "twin_entries", "payment_unknown"}
#: Differences that a comparison tells of although both books say the same.
_HARMLESS = {"unexplained"}


class Judge:
    """Judges one world at rest; ``faults_found`` are sentences, ``twins`` what became of twins."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.findings: list[str] = []
        self.twins: Counter[str] = Counter()
        with world.store.read() as session:
            self.cases = [load_case(session, case_id) for case_id in world.script.disputes]

    def judge(self) -> None:
        """Everything that must hold."""
        world = self._world
        self.findings += [f"a case or step crashed: {crash!r}" for crash in world.stage.crashes]
        self.findings += [
            f"the ledger's identity was off by {minor}" for minor in world.store.broken_identities
        ]
        self.findings += world.ledger.verify()
        flagged = self._flags()
        if not world.rested and not flagged:
            self.findings.append("the engine never came to rest")
        self._totals(flagged)
        self._once_each(flagged)
        for case in self.cases:
            self._owed(case)
            self._waits(case)
            self._any_order(case)

    def _flags(self) -> set[str]:
        doubtful = self._world.reads.operations(state=OperationState.IN_DOUBT)
        report = self._world.report
        told = {item.type.value for item in report.differences} if report else set()
        doubt = {"operation_in_doubt"} if doubtful else set()
        return self._raised() | (told - _HARMLESS) | doubt

    def _raised(self) -> set[str]:
        return _FLAGS & {code for case in self.cases for code in attention(case)}

    def _totals(self, flagged: set[str]) -> None:
        world = self._world
        if world.book.total != world.acquirer and not flagged:
            self.findings.append(
                f"the gateway's book says {world.book.total}, the ledger {world.acquirer}"
            )
        booked, ours = world.alone or (0, 0)
        unforeseen = any(line.excused for line in world.book.lines)
        if booked != ours and not (unforeseen or self._raised()):
            self.findings.append("a difference showed only when the books were compared")

    def _once_each(self, flagged: set[str]) -> None:
        """No operation is booked twice, unless nobody could know; and then it is seen."""
        live = self._world.book.live()
        for mtid in {line.merchant_transaction_id for line in live} - {None}:
            lines = [line for line in live if line.merchant_transaction_id == mtid]
            if len(lines) == 1:
                continue
            unforeseen = [line for line in lines if line.excused]
            if len(lines) - len(unforeseen) > 1:
                self.findings.append(f"{lines[0].kind} was booked {len(lines)} times")
                continue
            known = {row.gateway_id for row in self._world.reads.operations()}
            seen = all(line.id in known for line in lines)
            word = "flagged" if flagged else "on the books" if seen else "unnoticed"
            word = "repaired" if any(map(self._undone, lines)) else word
            self.twins[f"{lines[0].kind}: {unforeseen[0].excused}: {word}"] += 1
            if word == "unnoticed":
                self.findings.append(f"{lines[0].kind} was booked twice and nobody was told")

    def _undone(self, line: Line) -> bool:
        """Whether a twin was undone in full."""
        undoing = (it for it in self._world.book.live() if it.kind in ("RF", "RV"))
        return any((it.referenced_id, it.amount) == (line.id, line.amount) for it in undoing)

    def _owed(self, case: Case) -> None:
        known = case.payment is not None and case.payment.known
        if known and owed_minor(case) and not attention(case):
            self.findings.append(f"{case.case_id} owes {owed_minor(case)} and tells nobody")

    def _waits(self, case: Case) -> None:
        stale = set(attention(case)).intersection(HOLDS)
        if self._world.rested and stale:
            self.findings.append(f"{case.case_id} is at rest and says {', '.join(sorted(stale))}")

    def _any_order(self, case: Case) -> None:
        """The same facts in another order of arrival end in the same case."""
        told = fold(case.case_id, case.events)
        shuffled = advance_all(case.case_id, _permuted(case.events, self._world.faults.random))
        for name, first, second in zip(_READ, _reading(told), _reading(shuffled), strict=True):
            if first != second:
                self.findings.append(f"{case.case_id}: {name} depends on the order of arrival")


_READ = ("status", "stage", "cycle", "finality", "levels", "target")


def _reading(case: Case) -> tuple[object, ...]:
    return (
        case.status,
        case.stage,
        case.cycle,
        case.finality,
        levels(case),
        target_minor(case),
    )


def _permuted(events: tuple[CaseEvent, ...], random: Random) -> list[CaseEvent]:
    """Facts anywhere and some twice; ours keep their order among themselves."""
    facts = [event for event in events if isinstance(event.body, (*FACTS, Booked))]
    random.shuffle(facts)
    arrival = [event for event in events if not isinstance(event.body, (*FACTS, Booked))]
    for fact in (*facts, *facts[:2]):
        arrival.insert(random.randint(0, len(arrival)), fact)
    return [event.model_copy(update={"sequence": place}) for place, event in enumerate(arrival, 1)]


def advance_all(case_id: str, events: list[CaseEvent]) -> Case:
    """The case after events, one by one as they arrive."""
    case = Case(case_id=case_id)
    for event in events:
        case = advance(case, event)
    return case
