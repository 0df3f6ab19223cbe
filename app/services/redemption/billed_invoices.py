"""The invoice lines and contracts of one batch's bills: locked together, told to each decision, then claimed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from app.services.redemption.bills import Bill
from app.services.redemption.decisions import Drawn
from app.services.redemption.holds.decisions import Redeemed
from app.services.redemption.invoice_bases import Contract, InvoiceGrounds, contract_of, keys_of
from app.services.redemption.invoice_counters import InvoiceBases, identifiers, lock_bases, read_bases
from app.services.redemption.states import ProgrammeTerms
from app.services.rules.facts import Value


class Billed(NamedTuple):
    """A bill that names invoice lines, or whose contract counts: whose it is, and whether it claims or only asks."""

    bill: Bill
    claim: Mapping[str, Value]
    region_code: str
    firm_id: str
    provider_id: str
    claims: bool

    @property
    def contract(self) -> Contract | None:
        """The contract that its claim states."""
        return contract_of(self.claim, firm_id=self.firm_id, provider_id=self.provider_id)

    def counts(self, terms: ProgrammeTerms) -> bool:
        """Whether anything was or will be claimed of an invoice line or a contract by it."""
        return self.bill.names_invoices or terms.counts_contracts


class BilledInvoices:
    """What the bills of one batch claim of invoice lines, as it evolves. Bills that name none are not among them."""

    def __init__(self) -> None:
        self._billed: dict[int, tuple[Billed, Contract | None]] = {}
        self._bases = InvoiceBases()
        self._identifiers: dict[str, str] = {}

    def lock(self, tx: Connection, billed: Mapping[int, Billed], *, wait: bool) -> tuple[list[int], datetime]:
        """Lock all that these bills name, in sorted order. Says whose lines are busy, and what time it is then.

        A hold claims nothing: it is told how its lines stand.
        """
        self._billed = {place: (one, one.contract) for place, one in billed.items()}
        keys = {place: keys_of(one.bill, contract) for place, (one, contract) in self._billed.items()}
        busy, self._bases, at = lock_bases(
            tx,
            {place: of_place for place, of_place in keys.items() if billed[place].claims},
            {key for place, of_place in keys.items() if not billed[place].claims for key in of_place},
            wait=wait,
        )
        named = [one for one in billed.values() if one.bill.names_parties]
        self._identifiers = identifiers(tx, {of for one in named for of in (one.firm_id, one.provider_id)})
        return busy, at

    def grounds(self, place: int) -> InvoiceGrounds | None:
        """How the lines of a bill stand by now, with those before it in this batch; None where it names none."""
        if place not in self._billed:
            return None
        one, contract = self._billed[place]
        return _grounds(one, contract, self._bases, self._identifiers)

    def take(self, place: int, redemption_id: str, made: Drawn | Redeemed) -> None:
        """Let the next bill see what this one claims."""
        if made.uses:
            one, _ = self._billed[place]
            self._bases.add(
                made.uses,
                region_code=one.region_code,
                redemption_id=redemption_id,
                cause_id=redemption_id,
                provider_id=one.provider_id,
                stated_fen={key: fen for claim in made.claims for key, fen in claim.keys},
            )

    def write(self, tx: Connection) -> None:
        """Write what was claimed."""
        self._bases.write(tx)


def ask_invoices(tx: Connection, billed: Billed) -> InvoiceGrounds:
    """How the lines of one bill stand, without a lock: for what only asks."""
    contract = billed.contract
    bases = read_bases(tx, keys_of(billed.bill, contract))
    named = {billed.firm_id, billed.provider_id} if billed.bill.names_parties else set()
    return _grounds(billed, contract, bases, identifiers(tx, named))


def _grounds(
    billed: Billed, contract: Contract | None, bases: InvoiceBases, identifiers_of: Mapping[str, str]
) -> InvoiceGrounds:
    return bases.grounds(
        keys_of(billed.bill, contract),
        provider_id=billed.provider_id,
        contract=contract,
        provider_uscc=identifiers_of.get(billed.provider_id),
        holder_uscc=identifiers_of.get(billed.firm_id),
    )
