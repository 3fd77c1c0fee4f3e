"""One immutable edition of the network rules and the questions that a case asks it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache

from disputes.rulebook.checklists import checklists
from disputes.rulebook.tables import (
    EVERY,
    VERSION,
    AuthorizationWindow,
    Category,
    EvidenceRow,
    GatewayReason,
    ReasonCode,
    Scope,
    Tail,
    Window,
    data_sha256,
    rows,
)
from disputes.rulebook.validity import Initiator, Validity, validity_for
from disputes.terms import Checklist, Pin
from disputes.vocabulary import Flow, Network

#: Networks that run another network's cycle, codes included (``reason_codes.csv``, Diners ``*``).
_RUNS_CYCLE_OF = {Network.DINERS: Network.DISCOVER}
#: Suggestions for a code that no table knows.
_UNKNOWN_CATEGORY = "category:general"
#: Days of a tail for which no source has a number: judgement, never zero (``data/README.md``).
UNKNOWN_TAIL_DAYS = 120
#: The gateway's reason "Reason not Specified".
UNSPECIFIED_REASON = "000.100.200"


@dataclass(frozen=True)
class Rulebook:
    """Rules of one edition; build it with ``load``.

    A ``region`` is one of the table's (``nigeria_domestic``, ``us`` ...) or ``None`` when the
    notice names none. Days are calendar days.
    """

    pin: Pin
    _reasons: Mapping[tuple[Network, str], ReasonCode]
    _checklists: Mapping[tuple[str, str], Checklist]
    _windows: tuple[Window, ...]
    _scopes: Mapping[tuple[Network, str], Scope]
    _tails: tuple[Tail, ...]
    _gateway_reasons: Mapping[tuple[Network, str], str]
    _authorizations: tuple[AuthorizationWindow, ...]

    def reason(self, network: Network, code: str) -> ReasonCode | None:
        """The network's reason code, or the one of the network whose cycle it runs."""
        if code == EVERY:  # the table's word for "see the other network", no code of a notice
            return None
        found = (self._reasons.get((member, code)) for member in _cycle(network))
        return next((reason for reason in found if reason), None)

    def gateway_reason(self, network: Network, code: str) -> str:
        """The gateway's own chargeback reason, 000.100.2xx; "not specified" for an unknown code."""
        found = (self._gateway_reasons.get((member, code)) for member in _cycle(network))
        return next((reason for reason in found if reason), UNSPECIFIED_REASON)

    def flow(self, network: Network, code: str) -> Flow:
        """How the merchant answers; an unknown code takes the collaboration flow."""
        if network is Network.SEPA_DD:
            return Flow.NONE
        reason = self.reason(network, code)
        if reason and reason.second_stage == "acquirer_pre_arbitration":
            return Flow.ALLOCATION
        return Flow.COLLABORATION

    def checklist(self, network: Network, code: str) -> Checklist:
        """The code's evidence paths; unruled, with suggestions only, where it has no own rows."""
        reason = self.reason(network, code)
        key = (reason.network.value, reason.code) if reason else (EVERY, _UNKNOWN_CATEGORY)
        return self._checklists[key]

    def merchant_days(
        self, steps: Collection[str], network: Network, code: str, region: str | None
    ) -> int | None:
        """Our own clock for a step: the shortest window of any confidence; ``None`` if unknown.

        ``steps`` are stages of ``deadlines.csv`` that mean the same step.
        """
        days = self._days("acquirer_merchant", steps, network, code, region)
        return min(days, default=None)

    def issuer_days(
        self, steps: Collection[str], network: Network, code: str, region: str | None
    ) -> int | None:
        """The issuer's clock for a step: the longest window of any confidence."""
        return max(self._days("issuer", steps, network, code, region), default=None)

    def tail_days(self, after: str, network: Network, flow: Flow) -> int:
        """For how long a decision may still turn after a fact: the longest of the network's rows.

        An explicit zero is zero; an empty cell or a missing row is ``UNKNOWN_TAIL_DAYS``.
        """
        matching = [
            tail
            for tail in self._tails
            if tail.after == after
            and tail.network in {EVERY, network}
            and tail.flow in {"all", flow}
        ]
        days = (UNKNOWN_TAIL_DAYS if tail.days is None else tail.days for tail in matching)
        return max(days, default=UNKNOWN_TAIL_DAYS)

    def validity(
        self,
        *,
        network: Network,
        authorization_type: str | None,
        mcc: str | None,
        initiator: Initiator | None,
        card_present: bool | None,
        region: str | None,
        extended: bool,
    ) -> Validity:
        """For how long an authorization stays good by the network's rules (``validity_for``)."""
        return validity_for(
            self._authorizations,
            network=network,
            authorization_type=authorization_type,
            mcc=mcc,
            initiator=initiator,
            card_present=card_present,
            region=region,
            extended=extended,
        )

    def _days(
        self, actor: str, steps: Collection[str], network: Network, code: str, region: str | None
    ) -> list[int]:
        flow = self.flow(network, code)
        matching = [
            window
            for window in self._windows
            if window.network in _cycle(network)
            and window.stage in steps
            and window.who_acts == actor
            and self._scopes[window.network, window.flow_or_codes].covers(flow, code)
        ]
        here = region and region.lower()
        own = [window for window in matching if window.region == here]
        # A domestic rule needs both banks in that country, which only the notice can tell.
        general = [window for window in matching if "_domestic" not in window.region]
        return [window.days for window in own or general if window.days is not None]


def _cycle(network: Network) -> tuple[Network, ...]:
    return (network, _RUNS_CYCLE_OF[network]) if network in _RUNS_CYCLE_OF else (network,)


@cache
def load() -> Rulebook:
    """The packaged edition, read once per process."""
    return Rulebook(
        pin=Pin(version=VERSION, sha256=data_sha256()),
        _reasons={(row.network, row.code): row for row in rows("reason_codes", ReasonCode)},
        _checklists=checklists(rows("evidence", EvidenceRow), rows("category_map", Category)),
        _windows=tuple(row for row in rows("deadlines", Window) if row.days is not None),
        _scopes={(row.network, row.flow_or_codes): row for row in rows("deadline_scopes", Scope)},
        _tails=tuple(rows("tails", Tail)),
        _gateway_reasons={
            (row.network, row.code): row.gateway_reason
            for row in rows("gateway_reasons", GatewayReason)
        },
        _authorizations=tuple(rows("auth_validity", AuthorizationWindow)),
    )
