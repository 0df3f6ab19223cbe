"""Red-letter invoices: what they take off the lines of the invoice that they correct, and when they cannot be. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.kernel.invoices import invoice_fingerprint
from app.kernel.problems import AppError, Code, FieldError
from app.services.redemption.invoice_bases import BaseKey, BaseState


@dataclass(frozen=True, slots=True)
class RedInvoice:
    """A red-letter invoice by its numbers, as digits; the code is empty for a 数电票."""

    code: str
    number: str

    @property
    def fingerprint(self) -> str:
        """Its fingerprint."""
        return invoice_fingerprint(self.code, self.number)

    def facts(self) -> dict[str, str]:
        """As plain values."""
        return ({"code": self.code} if self.code else {}) | {"number": self.number}


@dataclass(frozen=True, slots=True)
class Taken:
    """What a red-letter invoice takes off the lines of one invoice, in fen."""

    blue: str
    """The fingerprint of the invoice that it corrects."""
    lines: Mapping[BaseKey, int]

    def stored(self) -> list[dict[str, Any]]:
        """As plain values, as they are stored with a refund."""
        return [{"invoice": key[0], "line_no": key[1], "amount_fen": fen} for key, fen in sorted(self.lines.items())]


def taken_off(red: RedInvoice, invoice_of: Mapping[int, BaseKey], cancelled: Mapping[int, int]) -> Taken:
    """What is cancelled of a bill's lines, by the lines of the invoice that they were billed on.

    Raises `validation_failed` where a line names no invoice, where they name several, or the red-letter one itself.
    """
    lines: dict[BaseKey, int] = {}
    for line, fen in cancelled.items():
        if line not in invoice_of:
            raise red_problem("line_names_no_invoice", limit=line)
        lines[invoice_of[line]] = lines.get(invoice_of[line], 0) + fen
    blues = {key[0] for key in lines}
    if len(blues) != 1:
        raise red_problem("corrects_one_invoice", limit=len(blues))
    (blue,) = blues
    if blue == red.fingerprint:
        raise red_problem("is_the_invoice_itself", actual=red.number)
    return Taken(blue, lines)


def refuse_unknown_red(red: RedInvoice, taken: Taken, *, blue_of: str | None, claimed: bool) -> None:
    """Raise `validation_failed` where the red-letter invoice corrects another one, or was billed on as an invoice."""
    if blue_of is not None and blue_of != taken.blue:
        raise red_problem("corrects_another_invoice", actual=red.number)
    if claimed:
        raise red_problem("claimed_as_an_invoice", actual=red.number)


def refuse_claimed(taken: Taken, states: Mapping[BaseKey, BaseState]) -> None:
    """Raise `invoice_still_claimed` where more is claimed of a line than is left of it. `states` are those after it."""
    for key, state in sorted(states.items()):
        assert state.limit_fen is not None, "of a line that somebody claimed"
        used_fen = max((layer.used_fen for layer in state.layers.values()), default=0)
        if key in taken.lines and used_fen > state.limit_fen:
            limit_fen = max(0, state.limit_fen)
            raise AppError(
                Code.INVOICE_STILL_CLAIMED,
                pointer="/red_letter",
                line_no=key[1],
                limit_fen=limit_fen,
                actual_fen=used_fen,
            )


def left_after(lines: Sequence[tuple[BaseKey, int, int]], available_fen: Mapping[BaseKey, int]) -> list[int]:
    """What each line of a position may still count, once an invoice line is worth less.

    `lines` are (key, what it could count before, its amount now), in their order: the first has what there is first.
    Lines of other invoices keep what they had.
    """
    left = dict(available_fen)
    after = []
    for key, before_fen, amount_fen in lines:
        if key not in left:
            after.append(before_fen)
            continue
        own_fen = max(0, min(before_fen, amount_fen, left[key]))
        left[key] -= own_fen
        after.append(own_fen)
    return after


def red_problem(code: str, *, limit: int | None = None, actual: str | None = None) -> AppError:
    """That a red-letter invoice cannot be what it is said to be."""
    errors = [FieldError("/red_letter", code, limit=limit, actual=actual)]
    return AppError(Code.VALIDATION_FAILED, count=1, errors=errors)
