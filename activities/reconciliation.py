"""Steps of a comparison with the gateway: which payments, what it shows, and taking that over."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from temporalio import activity

from activities.beating import beating
from activities.operation import OperationRunner, Patience
from disputes import differences, twins
from disputes.comparison import Comparison, Windows, compare
from disputes.decode import canonical_of
from disputes.errors import Conflict, NotFound
from disputes.known import KnownOperation, KnownPayment, booked_by_owner, sent_again, untold
from disputes.messages import Booking
from disputes.money import Money
from disputes.operations import GatewayEntry, Plan, owner_of
from disputes.ports import (
    CaseNews,
    GatewayPort,
    Lookup,
    OperationBook,
    ReconciliationBook,
    Register,
)
from disputes.reconciliation import (
    AdoptedPayment,
    AdoptShown,
    ClaimWindow,
    ComparedPayment,
    ListPayments,
    PaymentPage,
    PaymentRoot,
)
from disputes.requests import EntryTold
from disputes.vocabulary import OperationState

#: Questions about one payment before it counts as not compared.
_QUESTIONS = 3


class ReconciliationActivities:
    """Compares payments with the gateway, over the ports of both books.

    One question a payment; the gateway is asked again about it only when its turn has come.
    """

    def __init__(
        self,
        register: Register,
        known: ReconciliationBook,
        book: OperationBook,
        gateway: GatewayPort,
        patience: Patience,
        news: CaseNews,
    ) -> None:
        self._register = register
        self._known = known
        self._book = book
        self._gateway = gateway
        self._windows = Windows(
            settling=timedelta(seconds=patience.settle_window_s),
            patience=timedelta(seconds=patience.doubt_after_s),
        )
        self._news = news
        self._runner = OperationRunner(book, gateway, patience)

    @activity.defn
    def claim_window(self, claim: ClaimWindow) -> list[str]:
        """Take the id of a comparison; gives the fields in which its holder's window differs."""
        try:
            self._register.claim(claim.workflow_id, canonical_of(claim.window))
        except Conflict as conflict:
            return list(conflict.fields)
        return []

    @activity.defn
    def list_payments(self, wanted: ListPayments) -> PaymentPage:
        """The next payments of a window."""
        return self._known.payments(wanted)

    @activity.defn
    async def compare_payment(self, payment: PaymentRoot) -> ComparedPayment:
        """Ask the gateway for all entries of a payment and compare them; changes nothing."""
        async with beating():
            try:
                lookup = await self._ask(payment)
            except NotFound as fault:
                return _not_compared(payment, fault.message)
            if lookup is None:
                return _not_compared(payment, "the gateway gave no answer")
            known, found = await self._compare(payment.root_id, lookup.entries)
            strange = differences.unknown_payment(known) if lookup.absent else ()
            return ComparedPayment(
                shown=lookup.entries,
                differences=(*strange, *differences.for_a_person(known, found)),
                adoptable=differences.adoptable(known, found),
                untold=bool(
                    untold(known)
                    # A dispute may explain by now what it did not when the entry was taken over.
                    or (found.unexplained and known.disputes)
                    or await self._unaware(known)
                    or any(_undoable(found, lookup.entries, payment))
                ),
                amiss=await asyncio.to_thread(self._known.amiss, payment.root_id),
            )

    @activity.defn
    async def adopt_shown(self, adopt: AdoptShown) -> AdoptedPayment:
        """Take over what is ours or new, tell the cases; repeated, it changes nothing more."""
        async with beating():
            root_id = adopt.payment.root_id
            known, found = await self._compare(root_id, adopt.shown)
            await asyncio.to_thread(self._take_over, known, found, adopt)
            corrected = await asyncio.to_thread(self._known.correct, root_id, adopt.at)
            known, left = await self._compare(root_id, adopt.shown)
            for dispute_id, operation in untold(known, adopt.adoptable):
                await self._news.booking(dispute_id, _booking(operation, adopt.at))
            await self._tell_owners(known, adopt)
            left = await self._undo_twins(left, adopt)
            return AdoptedPayment(
                adopted=len(adopt.adoptable) - left.adoptable,
                corrected=corrected,
                differences=(
                    *differences.adoptable(known, left),
                    *differences.for_a_person(known, left),
                ),
            )

    async def _tell_owners(self, known: KnownPayment, adopt: AdoptShown) -> None:
        """Have the payment's own workflows look: an entry is new, or an outcome known."""
        booked = booked_by_owner(known)
        for workflow_id in await self._unaware(known):
            await self._news.payment_booking(workflow_id, _told(booked[workflow_id], adopt.at))
        new = next((it for it in adopt.shown if it.gateway_id in adopt.adoptable), None)
        if new is None:
            return
        owners = {owner_of(op.key) or "" for op in known.operations}
        owners.add(f"preauthorization/{adopt.payment.root_id}")
        ids = sorted(owner for owner in owners if owner.startswith("preauthorization/"))
        for workflow_id in await asyncio.to_thread(self._known.on_file, ids):
            await self._news.payment_booking(workflow_id, _told(new, adopt.at))

    async def _unaware(self, known: KnownPayment) -> tuple[str, ...]:
        """Workflows that do not know what of theirs was booked, whoever had the gateway show it."""
        booked = list(booked_by_owner(known))
        return await asyncio.to_thread(self._known.unaware, booked) if booked else ()

    async def _undo_twins(self, found: Comparison, adopt: AdoptShown) -> Comparison:
        """What is left of a comparison once the twins that can be undone are (step 7)."""
        undone = set()
        for twin, plans in _undoable(found, adopt.shown, adopt.payment):
            await asyncio.to_thread(self._book.adopt_entry, None, twin, adopt.at)
            if await self._runner.undo(plans, adopt.at):
                undone.add(twin.gateway_id)
        left = (match for match in found.twins if match.entry.gateway_id not in undone)
        return replace(found, twins=tuple(left))

    async def _ask(self, payment: PaymentRoot) -> Lookup | None:
        """All entries of a payment; ``None`` for no answer. Raises ``NotFound``: no account."""
        for _question in range(_QUESTIONS):
            lookup = await self._gateway.linked(payment.merchant_id, payment.root_id)
            if lookup.entries or lookup.absent:
                return await self._with_others(payment, lookup)
        return None

    async def _with_others(self, payment: PaymentRoot, lookup: Lookup) -> Lookup | None:
        """With the payments that the gateway booked besides, of one request that was sent again."""
        root_id, shown = payment.root_id, list(lookup.entries)
        known = await asyncio.to_thread(self._known.payment, root_id, shown)
        again = sent_again(known)
        if again is None:
            return lookup
        for _question in range(_QUESTIONS):
            ours = await self._gateway.find(_plan(again, payment.merchant_id))
            if any(entry.gateway_id == root_id for entry in ours.entries):
                break
        else:
            return None
        for entry in ours.entries:
            if entry.succeeded and entry.gateway_id not in {it.gateway_id for it in shown}:
                other = await self._gateway.linked(payment.merchant_id, entry.gateway_id)
                shown += other.entries or (entry,)
        return Lookup(entries=tuple(shown))

    async def _compare(
        self, root_id: str, entries: Sequence[GatewayEntry]
    ) -> tuple[KnownPayment, Comparison]:
        known = await asyncio.to_thread(self._known.payment, root_id, entries)
        return known, compare(known, entries, self._windows)

    def _take_over(self, known: KnownPayment, found: Comparison, adopt: AdoptShown) -> None:
        for match in found.shown:
            # Another comparison, or the owner, may have given the entry to its operation meanwhile.
            with suppress(Conflict):
                self._book.settle(
                    match.operation.key,
                    OperationState.SETTLED,
                    gateway_id=match.entry.gateway_id,
                    amount_minor=match.entry.amount_minor,
                    result_code=match.entry.result_code,
                    at=adopt.at,
                )
        for match in found.named:
            self._known.name(match.operation.key, match.entry.gateway_id)
        if not found.new and not found.unexplained:
            return
        doubted = {match.entry.gateway_id for match in found.altered}
        entries = [entry for entry in adopt.shown if entry.gateway_id not in doubted]
        if not known.disputes:
            payment = adopt.payment
            self._book.adopt_own(payment.merchant_id, payment.root_id, entries, adopt.at)
        for dispute in known.disputes:
            self._book.adopt_payment(
                dispute.dispute_id,
                dispute.payment_id,
                entries,
                adopt.at,
            )


def _undoable(
    found: Comparison, shown: Sequence[GatewayEntry], payment: PaymentRoot
) -> Iterator[tuple[GatewayEntry, tuple[Plan, ...]]]:
    """Twins on which nothing builds, each with what undoes it."""
    built_on = twins.built_on(shown)
    for match in found.twins:
        op, twin = match.operation, match.entry
        plans = twins.undoing(op.key, op.purpose, payment.merchant_id, twin)
        if plans and op.gateway_id is not None and twin.gateway_id not in built_on:
            yield twin, plans


def _plan(op: KnownOperation, merchant_id: str) -> Plan:
    """As much of an operation's plan as a question by its reference needs."""
    if op.purpose is None:
        raise ValueError("an entry of the gateway's own has no plan")
    return Plan(
        key=op.key,
        purpose=op.purpose,
        merchant_id=merchant_id,
        payment_id=op.payment_id,
        amount_minor=op.amount_minor,
        currency=op.currency,
    )


def _not_compared(payment: PaymentRoot, reason: str) -> ComparedPayment:
    return ComparedPayment(differences=(differences.not_compared(payment.root_id, reason),))


def _told(entry: KnownOperation | GatewayEntry, at: datetime) -> EntryTold:
    return EntryTold.model_validate(
        {"gateway_id": entry.gateway_id, "payment_type": entry.payment_type, "occurred_at": at}
    )


def _booking(operation: KnownOperation, at: datetime) -> Booking:
    return Booking.model_validate(
        {
            "gateway_id": operation.gateway_id,
            "payment_type": operation.payment_type,
            "occurred_at": operation.settled_at or at,
            "referenced_id": operation.referenced_id,
            "amount": Money.of(operation.amount_minor, operation.currency),
            "result_code": operation.result_code,
        }
    )
