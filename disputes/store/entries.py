"""How the gateway's entries hang together: each may reference the one that it acts on."""

from collections.abc import Iterator, Mapping, Sequence

from disputes.operations import GatewayEntry
from disputes.vocabulary import PaymentType

#: What a dispute can be about; an authorization is no money yet.
PRESENTED = (PaymentType.CP, PaymentType.DB, PaymentType.RB)
#: What has a position of its own.
OF_THEIR_OWN = (*PRESENTED, PaymentType.PA, PaymentType.CD)
_USE_UP = (PaymentType.CP, PaymentType.RV)


class Entries:
    """A payment's linked entries, those that succeeded."""

    def __init__(self, entries: Sequence[GatewayEntry]) -> None:
        self._by_id: Mapping[str, GatewayEntry] = {
            entry.gateway_id: entry for entry in entries if entry.succeeded
        }

    def __contains__(self, gateway_id: str | None) -> bool:
        return gateway_id in self._by_id

    def get(self, gateway_id: str | None) -> GatewayEntry | None:
        """An entry by its id."""
        return self._by_id.get(gateway_id or "")

    def parents_first(self) -> list[GatewayEntry]:
        """All entries; in one order for all, so that no two processes wait for each other."""
        return sorted(
            self._by_id.values(),
            key=lambda entry: (len(list(self._above(entry))), entry.gateway_id),
        )

    def root_of(self, entry: GatewayEntry) -> str:
        """Id of the first entry of the payment, whether it is among these or not."""
        top = [entry, *self._above(entry)][-1]
        return top.referenced_id or top.gateway_id

    def presented_of(self, entry: GatewayEntry) -> str | None:
        """The entry whose position another one moves: of a CR the CB's, of an RF the debit's."""
        for above in (entry, *self._above(entry)):
            if above.payment_type in OF_THEIR_OWN:
                return above.gateway_id
        return None

    def amount_of(self, entry: GatewayEntry) -> int | None:
        """Minor units; of a reversal that names none, all that is open of what it reverses."""
        reversed_entry = self.get(entry.referenced_id)
        if entry.amount_minor is not None:
            return entry.amount_minor
        if entry.payment_type is not PaymentType.RV or reversed_entry is None:
            return None
        used = sum(
            other.amount_minor or 0
            for other in self._by_id.values()
            if other.referenced_id == reversed_entry.gateway_id and other.payment_type in _USE_UP
        )
        return max((reversed_entry.amount_minor or 0) - used, 0)

    def left_minor(self, entry: GatewayEntry) -> int:
        """What of a CB or CR stands: less what was reversed of it, and not reversed in turn."""
        reversals = (
            other
            for other in self._by_id.values()
            if other.payment_type is PaymentType.CR and other.referenced_id == entry.gateway_id
        )
        return (entry.amount_minor or 0) - sum(map(self.left_minor, reversals))

    def beside(self, gateway_id: str | None) -> list[GatewayEntry]:
        """Chargebacks of the same entry, amount and currency as one, of which something stands."""
        one = self.get(gateway_id)
        if one is None:
            return []
        like = (one.payment_type, one.referenced_id, one.amount_minor, one.currency)
        return [
            other
            for other in self._by_id.values()
            if other is not one
            and (other.payment_type, other.referenced_id, other.amount_minor, other.currency)
            == like
            and self.left_minor(other) > 0
        ]

    def _above(self, entry: GatewayEntry) -> Iterator[GatewayEntry]:
        """What an entry references, what that references, and so on; ends in a circle too."""
        seen = {entry.gateway_id}
        above = self.get(entry.referenced_id)
        while above is not None and above.gateway_id not in seen:
            yield above
            seen.add(above.gateway_id)
            above = self.get(above.referenced_id)
