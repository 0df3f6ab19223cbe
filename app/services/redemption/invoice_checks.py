"""Whether a bill may be on the invoice lines that it names, and whether anything of them is left. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from app.kernel.clock import civil_date
from app.kernel.problems import Code, FieldError
from app.kernel.vocabulary import Reason
from app.services.redemption.bills import Bill
from app.services.redemption.invoice_bases import BaseClaim, BaseKey, InvoiceGrounds, counts_contract
from app.services.redemption.invoices import InvoiceLine
from app.services.redemption.signs import Refusal
from app.services.rules.base import InKind
from app.services.rules.facts import Value
from app.services.rules.model import Rules


def refuse_invoices(
    bill: Bill, rules: Rules, claim: Mapping[str, Value], grounds: InvoiceGrounds | None, *, at: datetime
) -> Refusal | None:
    """What is wrong with the invoices of a bill, or with the contract that the rules want; None where nothing is."""
    if rules.bill_checks.invoice.contract_required:
        missing = [name for name in ("contract_no", "contract_fen") if name not in claim]
        if missing:
            what = ", ".join(f"claim.{name}" for name in missing)
            extra: dict[str, str | int] = {"reason": Reason.FACT_MISSING.value, "what": what}
            return Refusal(Code.NOT_ELIGIBLE, {"reason": Reason.FACT_MISSING, "what": what, "limit": what}, extra, ())
    if grounds is None:
        return None
    errors = tuple(_errors(bill, rules, grounds, at))
    return Refusal(Code.VALIDATION_FAILED, {"count": len(errors)}, {}, errors) if errors else None


def refuse_used_up(
    bill: Bill, rules: Rules, claims: Sequence[BaseClaim], grounds: InvoiceGrounds | None
) -> Refusal | None:
    """That of none of the covered lines anything may be claimed any more; None where some of one may.

    A redemption is named where it is the provider's own: what others did with the invoice is not told.
    """
    covered = sum(1 for line in bill.lines if rules.covers(line.category))
    if grounds is None or not claims or len(claims) < covered or any(claim.left_fen for claim in claims):
        return None
    own = next((grounds.own[key] for claim in claims for key, _ in claim.keys if key in grounds.own), None)
    by_en, by_zh = (f", in redemption {own}", f"（核销记录 {own}）") if own else ("", "")
    errors = tuple(
        FieldError(
            f"/bill/lines/{claim.line - 1}" + ("/invoice" if bill.lines[claim.line - 1].invoice else ""),
            Code.INVOICE_ALREADY_USED,
            limit=0,
            actual=bill.lines[claim.line - 1].amount_fen,
        )
        for claim in claims
    )
    context = {"line": claims[0].line, "limit_fen": 0, "actual_fen": errors[0].actual, "by_en": by_en, "by_zh": by_zh}
    told: dict[str, str | int] = {"reason": Reason.DUP_BASE.value}
    return Refusal(Code.INVOICE_ALREADY_USED, context, told | ({"redemption_id": own} if own else {}), errors)


def _errors(bill: Bill, rules: Rules, grounds: InvoiceGrounds, at: datetime) -> Iterator[FieldError]:
    for place, line in enumerate(bill.lines):
        if line.invoice is None:
            continue
        pointer = f"/bill/lines/{place}/invoice"
        if isinstance(rules.unit, InKind):
            yield FieldError(pointer, "not_in_kind")
        else:
            yield from _of_line(pointer, line.invoice, grounds, at)
    contract = grounds.contract if counts_contract(bill, rules) else None
    if contract is not None and (first_fen := _differs(contract.key, contract.amount_fen, grounds)) is not None:
        yield FieldError("/claim/contract_fen", "differs_from_before", limit=first_fen, actual=contract.amount_fen)


def _of_line(pointer: str, invoice: InvoiceLine, grounds: InvoiceGrounds, at: datetime) -> Iterator[FieldError]:
    seller, provider = invoice.seller, grounds.provider_uscc
    if seller is not None and provider is not None and seller != provider:
        yield FieldError(f"{pointer}/seller", "not_the_seller", limit=provider, actual=seller)
    if invoice.buyer is not None and invoice.buyer != grounds.holder_uscc:
        yield FieldError(f"{pointer}/buyer", "not_the_buyer", actual=invoice.buyer)
    if invoice.issued_on is not None and invoice.issued_on > civil_date(at):
        limit, actual = civil_date(at).isoformat(), invoice.issued_on.isoformat()
        yield FieldError(f"{pointer}/issued_on", "lies_in_the_future", limit=limit, actual=actual)
    if invoice.key[0] in grounds.red:
        yield FieldError(f"{pointer}/number", "is_a_red_letter", actual=invoice.number)
    if _differs(invoice.key, invoice.amount_fen, grounds):
        first_fen = grounds.state(invoice.key).stated_fen if invoice.key in grounds.own else None
        actual_fen = invoice.amount_fen
        yield FieldError(f"{pointer}/amount_fen", "differs_from_before", limit=first_fen, actual=actual_fen)


def _differs(key: BaseKey, stated_fen: int, grounds: InvoiceGrounds) -> int | None:
    """The amount with which a line, or a contract, is claimed, where that is another."""
    state = grounds.state(key)
    return state.stated_fen if state.fixed and state.stated_fen != stated_fen else None
