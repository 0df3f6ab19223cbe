"""The firm's vouchers: the list, one voucher with everything on it, its holds, its bills and its movements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from app.api.context import Service, ServiceDep
from app.api.portal.explanation import Explanation, explain, lines
from app.api.portal.forms import GrantForm, PaymentCodeForm
from app.api.portal.guard import PortalRoute, SignedIn
from app.api.portal.holds import Stretch, shown_holds
from app.api.portal.pages import see_other, show, words_of
from app.api.portal.presentation import (
    WARNING_DAYS,
    ShownVoucher,
    shown_mandates,
    shown_movements,
    shown_payment_code,
    shown_voucher,
)
from app.api.portal.texts import Words
from app.kernel.ids import is_id
from app.kernel.problems import AppError, Code
from app.services.identity.principals import Caller
from app.services.redemption.commands import RedemptionRecord
from app.services.redemption.holds.reads import read_hold
from app.services.redemption.loading import load_terms
from app.services.redemption.reads import list_redemptions, list_refunds, read_redemption
from app.services.rules.model import Rules
from app.services.vouchers.extensions import list_extensions
from app.services.vouchers.mandates import admitted_providers, list_mandates
from app.services.vouchers.payment_codes import MAX_MINUTES, list_payment_codes
from app.services.vouchers.reads import issuer_of, list_vouchers, movements, provider_names, read_voucher
from app.sql import now

VOUCHERS_SHOWN = 50
BILLS_SHOWN = 10
MOVEMENTS_SHOWN = 10
CODES_SHOWN = 5
"""The newest of each stand on the voucher's page; the rest is one click away."""

router = APIRouter(prefix="/portal", route_class=PortalRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class ShownBill:
    """A redemption with its provider's name and its explanation."""

    record: RedemptionRecord
    provider: str
    explanation: Explanation


@router.get("")
@router.get("/")
def home(request: Request) -> Response:
    """The portal begins with the vouchers."""
    return see_other(request, "/portal/vouchers")


@router.get("/vouchers")
def voucher_list(request: Request, service: ServiceDep, visitor: SignedIn, before: str = "") -> Response:
    """The firm's vouchers, newest first."""

    def read(tx: Connection) -> tuple[list[ShownVoucher], list[ShownVoucher]]:
        at, caller = now(tx), visitor.caller
        before_id = before if is_id(before, "vch") else None
        records = list_vouchers(tx, caller=caller, at=at, limit=VOUCHERS_SHOWN + 1, before_id=before_id)
        ending = list_vouchers(tx, caller=caller, at=at, limit=VOUCHERS_SHOWN, expiring_within_days=WARNING_DAYS)
        return [shown_voucher(one, at=at) for one in records], [shown_voucher(one, at=at) for one in ending]

    found, ending = service.database.snapshot(read)
    ending.sort(key=lambda one: one.record.valid_until)
    older = found[VOUCHERS_SHOWN - 1].record.id if len(found) > VOUCHERS_SHOWN else None
    shown = {"vouchers": found[:VOUCHERS_SHOWN], "ending": ending, "older": older, "paged": bool(before)}
    return show(request, "vouchers.html", shown)


@router.get("/vouchers/{voucher_id}")
def voucher_page(request: Request, service: ServiceDep, visitor: SignedIn, voucher_id: str) -> Response:
    """One voucher: balance, validity, mandates, bills with their reasons, movements."""
    return show_voucher(request, service, visitor.caller, voucher_id)


@router.get("/vouchers/{voucher_id}/holds")
def more_holds(
    request: Request,
    service: ServiceDep,
    visitor: SignedIn,
    voucher_id: str,
    open_before: str = "",
    ended_before: str = "",
) -> Response:
    """The holds after one: a page, or the next stretch of the list."""
    caller, stretch = visitor.caller, Stretch.read(open_before, ended_before)

    def read(tx: Connection) -> dict[str, object]:
        voucher = own_voucher(tx, caller, voucher_id)
        names = provider_names(tx, caller=caller, voucher_id=voucher_id)
        holds, more = shown_holds(tx, caller, voucher_id, names, stretch, at=now(tx))
        return {"voucher": voucher, "holds": holds, "more_holds": more}

    return show(request, "holds.html", service.database.snapshot(read), part="_holds.html")


@router.get("/vouchers/{voucher_id}/bills")
def older_bills(
    request: Request, service: ServiceDep, visitor: SignedIn, voucher_id: str, before: str = ""
) -> Response:
    """The bills before one: a page, or the next stretch of the list."""
    words, caller = words_of(request), visitor.caller

    def read(tx: Connection) -> dict[str, object]:
        voucher = own_voucher(tx, caller, voucher_id)
        names = provider_names(tx, caller=caller, voucher_id=voucher_id)
        bills, older = _bills(tx, caller, voucher, names, words, before=before if is_id(before, "rdm") else None)
        return {"voucher": voucher, "bills": bills, "older_bills": older}

    return show(request, "bills.html", service.database.snapshot(read), part="_bills.html")


@router.get("/vouchers/{voucher_id}/bills/{redemption_id}")
def bill_page(
    request: Request, service: ServiceDep, visitor: SignedIn, voucher_id: str, redemption_id: str
) -> Response:
    """One bill alone, with its lines and its refunds: what a firm files."""
    words, caller = words_of(request), visitor.caller

    def read(tx: Connection) -> dict[str, object]:
        voucher = own_voucher(tx, caller, voucher_id)
        if not is_id(redemption_id, "rdm"):
            raise AppError(Code.NOT_FOUND, what="redemption")
        redemption = read_redemption(tx, caller=caller, redemption_id=redemption_id)
        if redemption.voucher_id != voucher_id:
            raise AppError(Code.NOT_FOUND, what="redemption")
        refunds = list_refunds(tx, caller=caller, redemption_id=redemption_id)
        names = provider_names(tx, caller=caller, voucher_id=voucher_id)
        rules = _rules(tx, voucher).get(redemption.rule_version_id)
        explanation = explain(redemption, words, refunds, rules=rules)
        bill = ShownBill(redemption, names[redemption.provider_id], explanation)
        hold = read_hold(tx, caller=caller, hold_id=redemption.hold_id) if redemption.hold_id else None
        return {"voucher": voucher, "bill": bill, "hold": hold, "lines": lines(redemption, words)}

    return show(request, "bill.html", service.database.snapshot(read))


@router.get("/vouchers/{voucher_id}/movements")
def all_movements(request: Request, service: ServiceDep, visitor: SignedIn, voucher_id: str) -> Response:
    """Every movement of a voucher: a page, or the whole table in place of its newest rows."""
    caller = visitor.caller

    def read(tx: Connection) -> dict[str, object]:
        voucher = own_voucher(tx, caller, voucher_id)
        at = now(tx)
        names = provider_names(tx, caller=caller, voucher_id=voucher_id)
        shown = shown_movements(movements(tx, caller=caller, voucher_id=voucher_id, at=at), names)
        return {"voucher": voucher, "movements": shown, "movement_count": len(shown)}

    return show(request, "movements.html", service.database.snapshot(read), part="_movements.html")


def show_voucher(
    request: Request,
    service: Service,
    caller: Caller,
    voucher_id: str,
    *,
    form: GrantForm | None = None,
    code_form: PaymentCodeForm | None = None,
    status: int = 200,
) -> Response:
    """The voucher's page, with a form as it was sent; to htmx only the mandates' section."""
    words = words_of(request)

    def read(tx: Connection) -> dict[str, object]:
        voucher = own_voucher(tx, caller, voucher_id)
        at = now(tx)
        mandates = list_mandates(tx, caller=caller, voucher_id=voucher_id, at=at)
        codes = list_payment_codes(tx, caller=caller, voucher_id=voucher_id, at=at, limit=CODES_SHOWN)
        names = provider_names(tx, caller=caller, voucher_id=voucher_id)
        holds, more_holds = shown_holds(tx, caller, voucher_id, names, Stretch(), at=at)
        bills, older = _bills(tx, caller, voucher, names, words)
        moved = shown_movements(movements(tx, caller=caller, voucher_id=voucher_id, at=at), names)
        programme = {"region_code": voucher.record.region_code, "programme_id": voucher.record.programme_id}
        return {
            "at": at,
            "voucher": voucher,
            "extensions": list_extensions(tx, caller=caller, voucher_id=voucher_id, at=at),
            "mandates": shown_mandates(mandates, at=at),
            "codes": [shown_payment_code(code, at=at) for code in codes],
            "providers": admitted_providers(tx, **programme),
            "issuer": issuer_of(tx, voucher.record),
            "holds": holds,
            "more_holds": more_holds,
            "bills": bills,
            "older_bills": older,
            "movements": moved[:MOVEMENTS_SHOWN],
            "movement_count": len(moved),
            "form": form or GrantForm(until=voucher.last_day.isoformat()),
            "code_form": code_form or PaymentCodeForm(),
            "max_minutes": MAX_MINUTES,
        }

    return show(request, "voucher.html", service.database.snapshot(read), part="_mandates.html", status=status)


def own_voucher(tx: Connection, caller: Caller, voucher_id: str) -> ShownVoucher:
    """The firm's voucher as of now. Raises `voucher_not_found` for anything else."""
    if not is_id(voucher_id, "vch"):
        raise AppError(Code.VOUCHER_NOT_FOUND)
    at = now(tx)
    return shown_voucher(read_voucher(tx, caller=caller, voucher_id=voucher_id, at=at), at=at)


def _bills(
    tx: Connection,
    caller: Caller,
    voucher: ShownVoucher,
    names: Mapping[str, str],
    words: Words,
    *,
    before: str | None = None,
) -> tuple[list[ShownBill], str | None]:
    """The newest bills before one, and the id to go on from where there are more."""
    found = list_redemptions(tx, caller=caller, limit=BILLS_SHOWN + 1, before_id=before, voucher_id=voucher.record.id)
    rules = _rules(tx, voucher) if found else {}
    shown = [
        ShownBill(record, names[record.provider_id], explain(record, words, rules=rules.get(record.rule_version_id)))
        for record in found[:BILLS_SHOWN]
    ]
    return shown, shown[-1].record.id if len(found) > BILLS_SHOWN else None


def _rules(tx: Connection, voucher: ShownVoucher) -> dict[str, Rules]:
    """The programme's published rule versions by id."""
    programme = (voucher.record.region_code, voucher.record.programme_id)
    return {version.id: version.rules for version in load_terms(tx, [programme])[programme].versions}
