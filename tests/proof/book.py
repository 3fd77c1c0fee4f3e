"""The gateway's own book: the judge of every simulated case, and nothing of the engine's."""

from dataclasses import dataclass, field
from datetime import datetime
from random import Random

_PRESENTED = ("DB", "CP", "RB")
_SIGNS = {"DB": 1, "CP": 1, "RB": 1, "RF": -1, "CB": -1, "CD": -1}


@dataclass
class Line:
    """One transaction; amount in minor units. ``state``: live, pending or dead.

    ``excused``: it came where no client could know of it any more: beyond the settle window, after
    false denials, or twice by the gateway's own fault.
    """

    id: str
    kind: str
    amount: int
    referenced_id: str | None
    merchant_transaction_id: str | None
    code: str
    booked_at: datetime
    visible_at: datetime
    state: str = "live"
    excused: str | None = None


@dataclass
class Book:
    """All transactions of one payment, with the gateway's own rules (protocol, section 2)."""

    random: Random
    lines: list[Line] = field(default_factory=list)

    def add(
        self,
        kind: str,
        amount: int,
        at: datetime,
        *,
        under: str | None = None,
        mtid: str | None = None,
        code: str = "000.100.110",
        state: str = "live",
    ) -> Line:
        """Append a transaction, whatever the rules say."""
        line = Line(
            id=f"{self.random.getrandbits(128):032x}",
            kind=kind,
            amount=amount,
            referenced_id=under,
            merchant_transaction_id=mtid,
            code=code,
            booked_at=at,
            visible_at=at,
            state=state,
        )
        self.lines.append(line)
        return line

    def refusal(self, kind: str, amount: int, under: str) -> str | None:
        """The code with which the gateway refuses a transaction, if it does."""
        referenced = self.get(under)
        if referenced is None or referenced.state == "dead":
            return {"RF": "600.200.500"}.get(kind, "700.400.550")
        if referenced.state == "pending":
            return "700.400.570"
        left = referenced.amount - self._under(under, ("RF", "CR", "CB"))
        match kind:
            case "CB" if self._under(under, ("CB",)):
                return self.random.choice(("700.400.400", "700.300.500"))
            case "CB":
                wrong, code = referenced.kind not in _PRESENTED or amount > left, "700.400.550"
            case "CR":
                wrong, code = referenced.kind not in ("CB", "CR") or amount > left, "700.400.410"
            case "RB":
                wrong, code = referenced.kind != "DB", "700.100.700"
            case "RF" if self._under(under, ("CB",)):
                return "700.300.600"
            case _:
                wrong, code = referenced.kind not in _PRESENTED or amount > left, "700.400.200"
        return code if wrong else None

    def get(self, line_id: str | None) -> Line | None:
        """A transaction by its id."""
        return next((line for line in self.lines if line.id == line_id), None)

    def live(self, mtid: str | None = None) -> list[Line]:
        """Booked transactions, all or those under one merchant transaction id."""
        booked = (line for line in self.lines if line.state == "live")
        return [line for line in booked if mtid in (None, line.merchant_transaction_id)]

    @property
    def total(self) -> int:
        """What the acquirer owes the merchant by this book, signed minor units."""
        return sum(self._signed(line) for line in self.live())

    def _signed(self, line: Line) -> int:
        if line.kind != "CR":
            return _SIGNS.get(line.kind, 0) * line.amount
        depth, above = 0, line
        while above.kind == "CR":
            parent = self.get(above.referenced_id)
            if parent is None:
                raise ValueError("a CR without its chain")
            depth, above = depth + 1, parent
        return line.amount if depth % 2 else -line.amount

    def _under(self, under: str, kinds: tuple[str, ...]) -> int:
        return sum(
            line.amount
            for line in self.lines
            if line.referenced_id == under and line.kind in kinds and line.state != "dead"
        )
