"""What of a bill may still be claimed of its invoice lines and its contract, and what it claims. Pure.

A contract is like an invoice line that all lines of the bill share: the line 0 of its own fingerprint. Amounts are fen,
VAT included; lines of bills count from 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil
from typing import Any, NamedTuple

from app.kernel.invoices import contract_fingerprint
from app.kernel.rates import parse_decimal
from app.services.redemption.bills import Bill
from app.services.rules.assess import Assessment
from app.services.rules.base import Cny
from app.services.rules.facts import Line, Value
from app.services.rules.model import Rules

BaseKey = tuple[str, int]
"""(fingerprint, line): line 0 is a contract as a whole."""

EXCLUSIVE = ""
"""The layer in which all programmes with an exclusive base count together."""


class Layer(NamedTuple):
    """What is claimed in one layer, and the subsidy that was granted for it."""

    used_fen: int = 0
    granted_fen: int = 0


@dataclass(frozen=True, slots=True)
class BaseState:
    """One invoice line, or contract, as it is counted. Where nothing is claimed the next bill states its amount."""

    stated_fen: int | None = None
    limit_fen: int | None = None
    layers: Mapping[str, Layer] = field(default_factory=dict)

    @property
    def fixed(self) -> bool:
        """Whether its amount stands: as long as anybody claims of it, and once a red-letter invoice took off some."""
        return self.limit_fen != self.stated_fen or any(one.used_fen for one in self.layers.values())

    def used_by(self, layer: str) -> int:
        """What is claimed in a layer."""
        return self.layers.get(layer, Layer()).used_fen

    def left_fen(self, layer: str, *, limit_fen: int) -> int:
        """What a programme may still claim; `limit_fen` is the amount where none stands.

        Where the base is exclusive, nothing that anybody was granted for; where it may be stacked, what this programme
        itself has not claimed yet.
        """
        limit_fen = self.limit_fen if self.fixed and self.limit_fen is not None else limit_fen
        used_fen = sum(one.used_fen for one in self.layers.values()) if layer == EXCLUSIVE else self.used_by(layer)
        return max(0, limit_fen - used_fen)

    def beside_fen(self, layer: str) -> int:
        """The subsidy that other layers were granted."""
        return sum(one.granted_fen for name, one in self.layers.items() if name != layer)

    def with_use(self, layer: str, base_fen: int, granted_fen: int, *, stated_fen: int | None = None) -> BaseState:
        """With a use more; the first one states the amount."""
        known = self if self.fixed else replace(self, stated_fen=stated_fen, limit_fen=stated_fen)
        before = known.layers.get(layer, Layer())
        after = Layer(before.used_fen + base_fen, before.granted_fen + granted_fen)
        return replace(known, layers={**known.layers, layer: after})

    def less(self, red_fen: int) -> BaseState:
        """With so much taken off its amount by a red-letter invoice."""
        assert self.limit_fen is not None, "of a line that somebody claimed"
        return replace(self, limit_fen=self.limit_fen - red_fen)


@dataclass(frozen=True, slots=True)
class Contract:
    """The contract that a claim states, with its whole amount."""

    key: BaseKey
    amount_fen: int


@dataclass(frozen=True, slots=True)
class InvoiceGrounds:
    """What is known of the invoice lines of a bill when it is judged."""

    states: Mapping[BaseKey, BaseState] = field(default_factory=dict)
    own: Mapping[BaseKey, str] = field(default_factory=dict)
    """Where the asking provider claimed of them before: its redemption. What others did is not told to it."""
    red: frozenset[str] = frozenset()
    """Fingerprints among them that are red-letter invoices."""
    contract: Contract | None = None
    provider_uscc: str | None = None
    holder_uscc: str | None = None

    def state(self, key: BaseKey) -> BaseState:
        """A line as it is counted; one that nobody claimed is new."""
        return self.states.get(key, _NEW)


@dataclass(frozen=True, slots=True)
class BaseClaim:
    """What one covered line of a bill may claim at most, and of what: its invoice line, the contract, or both."""

    line: int
    keys: tuple[tuple[BaseKey, int], ...]
    """Each with its amount as the bill states it."""
    left_fen: int
    beside_fen: int
    """What other layers were granted for that part of the invoice line."""

    def stored(self) -> dict[str, int]:
        """As plain values, as they are stored with a redemption."""
        return {"line": self.line, "left_fen": self.left_fen, "beside_fen": self.beside_fen}


@dataclass(frozen=True, slots=True)
class BaseUse:
    """What one line of a bill claims of one invoice line or contract; below zero where a refund gives it back."""

    line: int
    key: BaseKey
    layer: str
    base_fen: int
    granted_fen: int

    def stored(self) -> dict[str, Any]:
        """As plain values, as they are stored with a redemption or a refund."""
        return {
            "line": self.line,
            "invoice": self.key[0],
            "line_no": self.key[1],
            "layer": self.layer,
            "base_fen": self.base_fen,
            "granted_fen": self.granted_fen,
        }

    @staticmethod
    def read(row: Mapping[str, Any]) -> BaseUse:
        """What `stored()` wrote."""
        key = (row["invoice"], row["line_no"])
        return BaseUse(row["line"], key, row["layer"], row["base_fen"], row["granted_fen"])


def layer_of(rules: Rules, programme_id: str) -> str:
    """In which layer a programme counts: with all others, or by itself where its base may be stacked."""
    return EXCLUSIVE if rules.stacking.base == "exclusive" else programme_id


def contract_of(claim: Mapping[str, Value], *, firm_id: str, provider_id: str) -> Contract | None:
    """The contract that a claim states, where it states its whole amount too."""
    number, amount = claim.get("contract_no"), claim.get("contract_fen")
    if not isinstance(number, str) or isinstance(amount, bool | tuple) or amount is None:
        return None
    try:
        amount_fen = int(parse_decimal(str(amount), max_decimals=8, max_digits=18))
    except ValueError:
        return None
    return Contract((contract_fingerprint(number, firm_id=firm_id, provider_id=provider_id), 0), amount_fen)


def keys_of(bill: Bill, contract: Contract | None) -> set[BaseKey]:
    """The invoice lines that a bill names, and its contract."""
    keys = {line.invoice.key for line in bill.lines if line.invoice is not None}
    return keys | {contract.key} if contract is not None else keys


def counts_contract(bill: Bill, rules: Rules) -> bool:
    """Whether a bill counts in its contract: where it names invoices, or where the rules want it."""
    return bill.names_invoices or (rules.bill_checks.invoice.contract_required and isinstance(rules.unit, Cny))


def base_claims(bill: Bill, rules: Rules, grounds: InvoiceGrounds, layer: str) -> tuple[BaseClaim, ...]:
    """What the covered lines of a bill may claim, the first line first: what it takes the next one does not have."""
    contract = grounds.contract if counts_contract(bill, rules) else None
    taken_fen: dict[BaseKey, int] = {}
    claims = []
    for number, line in enumerate(bill.lines, start=1):
        if not rules.covers(line.category):
            continue
        keys = [(line.invoice.key, line.invoice.amount_fen)] if line.invoice is not None else []
        keys += [(contract.key, contract.amount_fen)] if contract is not None else []
        if not keys:
            continue
        left_fen = line.amount_fen
        for key, stated_fen in keys:
            of_key = grounds.state(key).left_fen(layer, limit_fen=stated_fen) - taken_fen.get(key, 0)
            left_fen = min(left_fen, max(0, of_key))
        for key, _ in keys:
            taken_fen[key] = taken_fen.get(key, 0) + left_fen
        beside_fen = 0
        if layer != EXCLUSIVE and line.invoice is not None:
            state = grounds.state(line.invoice.key)
            whole_fen = state.limit_fen if state.fixed and state.limit_fen else line.invoice.amount_fen
            share = Fraction(left_fen, whole_fen)
            beside_fen = ceil(state.beside_fen(layer) * share)
        claims.append(BaseClaim(number, tuple(keys), left_fen, beside_fen))
    return tuple(claims)


def bounded(lines: Sequence[Line], claims: Sequence[BaseClaim]) -> list[Line]:
    """The lines as the rules look at them: with what of each is used up."""
    if not claims:
        return list(lines)
    by_line = {claim.line: claim for claim in claims}
    return [
        within_left(line, claim.left_fen, claim.beside_fen) if (claim := by_line.get(number)) is not None else line
        for number, line in enumerate(lines, start=1)
    ]


def within_left(line: Line, left_fen: int, beside_fen: int) -> Line:
    """A line of which no more than `left_fen` may count."""
    return replace(line, used_up_fen=max(0, line.amount_fen - left_fen), beside_fen=beside_fen)


def base_uses(
    claims: Sequence[BaseClaim],
    assessment: Assessment,
    layer: str,
    *,
    drawn_fen: int,
    due_fen: int,
    deferred_fen: int = 0,
    lines_before: int = 0,
) -> tuple[BaseUse, ...]:
    """What a bill claims: what of its lines counted. Where less was drawn than due, in proportion, rounded up.

    So what one voucher had no money for can be claimed with another. What a cap or a minimum cuts stays claimed. Of a
    hold the assessment is that of all its bills, `lines_before` are those of the earlier ones, and `deferred_fen` is
    drawn with its next bills.
    """
    covered_fen = drawn_fen + deferred_fen
    share = Fraction(covered_fen, due_fen) if 0 <= covered_fen < due_fen else Fraction(1)
    counted = {number - lines_before: fen for number, fen in assessment.bases_fen if number > lines_before}
    whole_fen = sum(counted.values())
    uses = []
    for claim in claims:
        counted_fen = counted.get(claim.line, 0)
        base_fen = ceil(counted_fen * share)
        granted_fen = ceil(Fraction(drawn_fen * counted_fen, whole_fen)) if whole_fen else 0
        if base_fen or granted_fen:
            uses += [BaseUse(claim.line, key, layer, base_fen, granted_fen) for key, _ in claim.keys]
    return tuple(uses)


_NEW = BaseState()
