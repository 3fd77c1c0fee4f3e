"""Every kind of fault by name, one seeded die for all, and the count of what really happened."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

#: Ways in which an answer is lost or spoilt; each can come before or after the booking.
SPOILS = ("timeout", "reset", "http_500", "malformed", "truncated", "empty")
#: One code of each uncertain class (protocol, section 5), and one that no list has.
UNCERTAIN = {
    "communication": "900.100.300",
    "communication_other": "900.100.201",
    "system": "999.999.999",
    "configuration": "600.100.100",
    "in_processing": "800.700.100",
    "maintenance": "800.800.800",
    "ambiguous": "100.400.065",
    "duplicate": "800.110.100",
    "future": "987.654.321",
}
_SPOILT = [f"{spoil}_{when}_booking" for spoil in SPOILS for when in ("before", "after")]
_CODED = [f"code_{name}_{when}_booking" for name in UNCERTAIN for when in ("before", "after")]

#: What can happen to one request to book.
POST = (
    *_SPOILT,
    *_CODED,
    "other_transaction_id_echoed",
    "other_type_echoed",
    "other_amount_echoed",
    "other_amount_booked",
    "success_without_id",
    "success_with_http_400",
    "refusal_with_http_200",
    "code_not_sent",
    "code_was_reversed",
    "code_ask_a_person",
    "throttled_post",
    "throttled_post_without_body",
    "connection_refused",
    "slow_answer",
    "pending_for_minutes",
    "pending_for_days",
    "pending_then_failed",
    "booked_late_within_window",
    "booked_late_beyond_window",
    "booked_twice",
)
#: Time is where money gets lost: these come up as often as all that is spoilt.
_TIMED = ("booked_late_within_window", "booked_late_beyond_window", "pending_for_minutes")
POST_DICE = (*POST, *_TIMED * 3, *("timeout_after_booking", "timeout_before_booking") * 3)
#: What can happen to one question.
QUERY = (
    "query_throttled",
    "query_throttled_without_body",
    "query_timeout",
    "query_http_500",
    "query_malformed",
    "query_empty",
    "query_other_transaction_id",
    "query_other_amount",
    "query_list_with_a_hole",
    "query_denied_while_booked",
)
#: How long the gateway's reports lag behind its bookings.
REPORT = ("report_lags_within_window", "report_lags_beyond_window")
#: What the acquirer does by itself.
ACQUIRER = (
    "chargeback_booked_by_acquirer",
    "reversal_booked_by_acquirer",
    "undo_booked_by_acquirer",
    "refund_booked_by_merchant",
)
#: What happens to the gateway's notifications.
NOTIFICATION = (
    "notification_late",
    "notification_twice",
    "notification_without_reference",
)
#: What happens to the bank's facts on their way.
FEED = ("fact_late", "fact_twice", "fact_told_again_under_another_id", "fact_before_notice")
#: What happens to the worker that carries a step; ``intend`` and its like are transactions.
_CUTS = ("intend", "mark_sent", "settle", "adopt_payment", "adopt_entry", "record_events")
PROCESS = (
    *(f"killed_{when}_{name}" for name in _CUTS for when in ("before", "after")),
    "killed_mid_request",
    "killed_after_booking",
    "killed_elsewhere",
    "frozen_past_the_send_deadline",
    "frozen_between_check_and_write",
    "zombie_beside_its_successor",
    "continued_as_new_from_the_register",
)
DATABASE = (
    "database_gone_at_begin",
    "database_gone_at_commit",
    "database_gone_after_commit",
    "database_gone_at_read",
)
KINDS = (*POST, *QUERY, *REPORT, *ACQUIRER, *NOTIFICATION, *FEED, *PROCESS, *DATABASE)


@dataclass
class Faults:
    """The die of one case: what happens, how often, and a hash over all that was done.

    ``left`` is how many faults may still happen: no step outlives a world that fails for ever.
    ``calm`` ends all faults; ``trace`` keeps the lines.
    """

    seed: int
    trace: bool = False
    calm: bool = False
    left: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)  # noqa: S311 - a seed must give the same case again
        self._hash = hashlib.sha256()
        self.left = self.random.choice((0, 2, 5, 10, 20, 40))

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens now; never once it is calm."""
        return not self.calm and self.left > 0 and self.random.random() < probability

    def pick(self, kinds: Sequence[str], probability: float) -> str | None:
        """One of ``kinds``, or nothing; it is counted by whoever carries it out."""
        return self.random.choice(kinds) if self.chance(probability) else None

    def struck(self, kind: str) -> None:
        """Count a fault that really happened."""
        if kind not in KINDS:
            raise ValueError(f"{kind} is no kind of fault")
        self.counts[kind] += 1
        self.left -= 1
        self.note(f"FAULT {kind}")

    def note(self, line: str) -> None:
        """Add a line to the trace."""
        self._hash.update(line.encode())
        if self.trace:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        """Hash over every line so far, kept or not."""
        return self._hash.hexdigest()
