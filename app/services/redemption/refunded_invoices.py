"""What a refund gives back of invoice lines, and what a red-letter invoice takes off them: locked, decided, written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from math import ceil
from typing import Any

from sqlalchemy import Connection, insert, text
from sqlalchemy.dialects.postgresql import insert as upsert

from app.kernel.vocabulary import HoldStatus
from app.models import RedInvoice as RedInvoiceRow
from app.models import RedLetter
from app.services.redemption.effects import left_json
from app.services.redemption.holds.states import Part
from app.services.redemption.invoice_bases import BaseKey, BaseUse
from app.services.redemption.invoice_counters import InvoiceBases, lock_bases
from app.services.redemption.invoices import InvoiceLine
from app.services.redemption.red_letters import (
    RedInvoice,
    Taken,
    left_after,
    refuse_claimed,
    refuse_unknown_red,
    taken_off,
)
from app.services.redemption.whole_positions import WholePosition
from app.services.rules.assess import Assessment

_HELD = text(
    "SELECT redemption_id, bill_line, fingerprint, line_no, layer, sum(base_fen)::bigint AS base_fen,"
    " sum(granted_fen)::bigint AS granted_fen FROM invoice_uses"
    " WHERE region_code = :region_code AND redemption_id = ANY(CAST(:ids AS text[]))"
    " GROUP BY redemption_id, bill_line, fingerprint, line_no, layer"
)
_BLUE_OF = text(
    "SELECT (SELECT blue_fingerprint FROM red_invoices WHERE fingerprint = :red) AS blue,"
    " EXISTS (SELECT FROM invoice_bases WHERE fingerprint = :red AND stated_fen IS NOT NULL) AS claimed"
)


class RefundedInvoices:
    """The invoice lines of the bills that a refund judges anew. Where they name none, nothing is asked or written."""

    def __init__(self, tx: Connection, position: WholePosition, *, region_code: str, provider_id: str) -> None:
        """Lock what they claim, in sorted order; their voucher is locked already."""
        self._tx = tx
        self._position = position
        self._of = {"region_code": region_code, "provider_id": provider_id}
        self._held: list[tuple[str, BaseUse]] = []
        self._bases = InvoiceBases()
        self._red: tuple[RedInvoice, Taken] | None = None
        self._given_back: list[tuple[str, BaseUse]] = []
        ids = [part.redemption_id for part in position.parts if "invoice_uses" in part.facts]
        if ids:
            rows = tx.execute(_HELD, {"region_code": region_code, "ids": ids}).all()
            for row in rows:
                key = (row.fingerprint, row.line_no)
                use = BaseUse(row.bill_line, key, row.layer, row.base_fen, row.granted_fen)
                self._held.append((row.redemption_id, use))
            keys = {use.key for _, use in self._held}
            _, self._bases, _ = lock_bases(tx, {0: keys}, wait=True)

    def take_off(self, red: RedInvoice | None, redemption_id: str, cancelled: Mapping[int, int]) -> None:
        """Let a red-letter invoice lower the lines that the cancelled lines were billed on, and what these may count.

        Called when they are cancelled in the position, before it is judged. Raises `validation_failed`.
        """
        if red is None:
            return
        taken = taken_off(red, invoices_of(self._position.part(redemption_id).facts), cancelled)
        check_red(self._tx, red, taken)
        self._red = (red, taken)
        own = self._layers()
        available_fen = {}
        for key, red_fen in taken.lines.items():
            state = self._bases.state(key)
            layer, own_fen = own.get(key, ("", 0))
            available_fen[key] = (state.limit_fen or 0) - red_fen - (state.used_by(layer) - own_fen)
        lines = [
            (part, line, key, part.left_fen.get(line, left_fen), part.amount_fen(line))
            for part in self._position.parts
            for line, (key, left_fen) in _claims_of(part).items()
        ]
        after = left_after([(key, before_fen, fen) for _, _, key, before_fen, fen in lines], available_fen)
        for (part, line, key, *_), left_fen in zip(lines, after, strict=True):
            if key in available_fen:
                part.left_fen = {**part.left_fen, line: left_fen}

    def give_back(self, assessment: Assessment, *, drawn_fen: int, returned_fen: int) -> None:
        """Give back what no longer counts. `drawn_fen` is what the position had drawn, of which so much goes back.

        A line keeps at most what of it counts now; nothing where no subsidy is left, unless an open hold may bring it
        to one. Raises `invoice_still_claimed` where a red-letter invoice leaves less of a line than is claimed then.
        """
        left_fen = drawn_fen - returned_fen
        hold = self._position.hold
        keeps = left_fen > 0 or (hold is not None and hold.status == HoldStatus.OPEN)
        counted = self._counted(assessment)
        for redemption_id, use in self._held:
            base_fen = min(use.base_fen, counted.get((redemption_id, use.line), 0)) if keeps else 0
            share = Fraction(left_fen, drawn_fen) if base_fen and drawn_fen else Fraction(0)
            granted_fen = ceil(use.granted_fen * share)
            if (base_fen, granted_fen) != (use.base_fen, use.granted_fen):
                less = BaseUse(use.line, use.key, use.layer, base_fen - use.base_fen, granted_fen - use.granted_fen)
                self._given_back.append((redemption_id, less))
        if self._red is not None:
            self._refuse_claimed(self._red[1])

    def told(self) -> dict[str, Any]:
        """What a refund's stored facts tell of it: what it gave back, and what lines may still count."""
        uses = [{"redemption": redemption_id, **use.stored()} for redemption_id, use in self._given_back]
        told: dict[str, Any] = {"invoice_uses": uses} if uses else {}
        if left := left_json(self._position.parts):
            told["invoice_left"] = left
        if self._red is not None:
            red, taken = self._red
            told["red_letter"] = red.facts() | {"lines": taken.stored()}
        return told

    def write(self, refund_id: str, *, at: datetime) -> None:
        """Write what was given back, because of this refund, which is written by now."""
        for redemption_id, use in self._given_back:
            self._bases.add(
                [use],
                region_code=self._of["region_code"],
                redemption_id=redemption_id,
                cause_id=refund_id,
                provider_id=self._of["provider_id"],
                stated_fen={},
            )
        if self._red is not None:
            red, taken = self._red
            for key, fen in taken.lines.items():
                self._bases.lower(key, fen)
            write_red_letter(self._tx, red, taken, region_code=self._of["region_code"], refund_id=refund_id, at=at)
        self._bases.write(self._tx)

    def _layers(self) -> dict[BaseKey, tuple[str, int]]:
        """In which layer the position counts of each line, and how much."""
        own: dict[BaseKey, tuple[str, int]] = {}
        for _, use in self._held:
            own[use.key] = (use.layer, own.get(use.key, ("", 0))[1] + use.base_fen)
        return own

    def _counted(self, assessment: Assessment) -> dict[tuple[str, int], int]:
        """What counts of each line of each bill now; the assessment numbers the lines of all bills on."""
        by_number = dict(assessment.bases_fen)
        places = (
            (part.redemption_id, line)
            for part in self._position.parts
            for line in range(1, len(part.facts["bill"]["lines"]) + 1)
        )
        return {place: by_number.get(number, 0) for number, place in enumerate(places, start=1)}

    def _refuse_claimed(self, taken: Taken) -> None:
        states = {key: self._bases.state(key).less(fen) for key, fen in taken.lines.items()}
        for _, use in self._given_back:
            if use.key in states:
                states[use.key] = states[use.key].with_use(use.layer, use.base_fen, use.granted_fen)
        refuse_claimed(taken, states)


def check_red(tx: Connection, red: RedInvoice, taken: Taken) -> None:
    """Raise `validation_failed` where a red-letter invoice is known as another's, or as an invoice."""
    row = tx.execute(_BLUE_OF, {"red": red.fingerprint}).one()
    refuse_unknown_red(red, taken, blue_of=row.blue, claimed=row.claimed)


def write_red_letter(
    tx: Connection, red: RedInvoice, taken: Taken, *, region_code: str, refund_id: str, at: datetime
) -> None:
    """Write a red-letter invoice with its refund. The lines that it lowers are locked and lowered by the caller."""
    red_row = {"fingerprint": red.fingerprint, "blue_fingerprint": taken.blue}
    tx.execute(upsert(RedInvoiceRow).values(red_row).on_conflict_do_nothing())
    rows = [
        {
            "region_code": region_code,
            "refund_id": refund_id,
            "blue_fingerprint": key[0],
            "line_no": key[1],
            "fingerprint": red.fingerprint,
            "amount_fen": fen,
            "recorded_at": at,
        }
        for key, fen in sorted(taken.lines.items())
    ]
    tx.execute(insert(RedLetter), rows)


def invoices_of(facts: Mapping[str, Any]) -> dict[int, BaseKey]:
    """The invoice line of each line of a bill that claimed any, from the facts stored with its redemption."""
    lines = facts["bill"]["lines"]
    return {
        claim["line"]: InvoiceLine.read(lines[claim["line"] - 1]["invoice"]).key
        for claim in facts.get("invoices", ())
        if "invoice" in lines[claim["line"] - 1]
    }


def _claims_of(part: Part) -> dict[int, tuple[BaseKey, int]]:
    """The same, each with what could count of it when it was judged."""
    keys = invoices_of(part.facts)
    return {
        claim["line"]: (keys[claim["line"]], claim["left_fen"])
        for claim in part.facts.get("invoices", ())
        if claim["line"] in keys
    }
