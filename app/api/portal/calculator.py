"""The calculator: am I eligible, how much, why not more. It asks, computes, explains; nothing is stored or reserved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import Connection
from starlette.exceptions import HTTPException

from app.api.context import ServiceDep
from app.api.portal.calculator_form import CalculatorForm, Purchase, read_purchase
from app.api.portal.calculator_questions import Questions, questions_of
from app.api.portal.explanation import Explanation, explain_assessment
from app.api.portal.guard import PortalRoute, SignedIn, SignedInForm
from app.api.portal.naming import Names
from app.api.portal.pages import show, words_of
from app.api.portal.presentation import ENDS
from app.api.portal.texts import Words
from app.api.problems import http_status
from app.kernel.problems import AppError, Code
from app.kernel.wording import detail
from app.services.identity.passwords import TYPED_LENGTH
from app.services.identity.principals import Caller
from app.services.quotes import QuotableProgramme, Quote, judged_by, quotable_programmes, quote
from app.services.rules.model import Rules
from app.services.rules.terms import Evidence
from app.services.vouchers.mandates import admitted_providers
from app.services.vouchers.reads import VoucherRecord, list_vouchers
from app.sql import now

VOUCHERS_OFFERED = 200

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

router = APIRouter(prefix="/portal/calculator", route_class=PortalRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Desk:
    """What the page offers: the programmes, the chosen one's questions, the firm's vouchers in it, its providers."""

    own: tuple[QuotableProgramme, ...]
    others: tuple[QuotableProgramme, ...]
    chosen: QuotableProgramme
    questions: Questions
    vouchers: tuple[VoucherRecord, ...]
    providers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ShownEvidence:
    """A document that the rules ask for."""

    name: str
    note: str
    steps: str
    mandatory: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """A quote as the page shows it. `hindrance` is what stands against it apart from the rules' own calculation."""

    quote: Quote
    verdict: str
    explanation: Explanation
    hindrance: str | None
    evidence: tuple[ShownEvidence, ...]
    assumed: str
    unstated: str
    document_no: str


async def typed_fields(request: Request) -> Mapping[str, str]:
    """The text fields of a form whose fields follow from the rules. No field of ours is overlong or of two lines."""
    form = await request.form()
    typed = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    if any(len(value) > TYPED_LENGTH or _CONTROL.search(value) for value in typed.values()):
        raise HTTPException(400)
    return typed


TypedFields = Annotated[Mapping[str, str], Depends(typed_fields)]


@router.get("")
def calculator(
    request: Request, service: ServiceDep, visitor: SignedIn, programme: str = "", voucher: str = ""
) -> Response:
    """The empty form of a programme: the one that was asked for, else that of a voucher, else the first."""
    form = CalculatorForm({"programme": programme, "voucher": voucher})
    words = words_of(request)
    desk = service.database.snapshot(lambda tx: _desk(tx, visitor.caller, form, words))
    return _page(request, desk, form)


@router.post("")
def calculate(request: Request, service: ServiceDep, visitor: SignedInForm, typed: TypedFields) -> Response:
    """The answer under the form as it was sent, or the form with what has to be corrected, or with one more line."""
    words, form = words_of(request), CalculatorForm.read(typed)

    def read(tx: Connection) -> Response:
        desk = _desk(tx, visitor.caller, form, words)
        if desk is None or form.value("act") == "add_line":
            return _page(request, desk, form)
        purchase = read_purchase(form, desk.chosen.rules, desk.questions, words)
        if isinstance(purchase, CalculatorForm):
            return _page(request, desk, purchase, status=422)
        try:
            quoted = _quote(tx, visitor.caller, desk.chosen, form, purchase)
        except AppError as error:
            status = http_status(error)
            return _page(request, desk, _refused(form, error, words), status=status)
        return _page(request, desk, form, answer=_answer(quoted, desk.chosen, purchase, words))

    return service.database.snapshot(read)


def _page(
    request: Request, desk: Desk | None, form: CalculatorForm, *, answer: Answer | None = None, status: int = 200
) -> Response:
    context = {"desk": desk, "form": form, "answer": answer}
    return show(request, "calculator.html", context, part="_calculator.html", status=status)


def _desk(tx: Connection, caller: Caller, form: CalculatorForm, words: Words) -> Desk | None:
    """What there is to choose from; None where no programme is open. Raises `not_found` for one that is not."""
    programmes = {one.id: one for one in quotable_programmes(tx, caller=caller)}
    held = list_vouchers(tx, caller=caller, at=now(tx), limit=VOUCHERS_OFFERED, before_id=None)
    vouchers = [one for one in held if one.programme_id in programmes and one.status not in ENDS]
    own = dict.fromkeys(one.programme_id for one in vouchers)
    if not programmes:
        return None
    of_voucher = next((one.programme_id for one in vouchers if one.id == form.value("voucher")), "")
    wanted = form.value("programme") or of_voucher or next(iter([*own, *programmes]))
    chosen = programmes.get(wanted)
    if chosen is None:
        raise AppError(Code.NOT_FOUND, what="programme")
    picked = next((one for one in vouchers if one.id == form.value("voucher") and one.programme_id == chosen.id), None)
    if picked is not None:
        chosen = judged_by(tx, programme=chosen, voucher_id=picked.id)
    providers = admitted_providers(tx, region_code=chosen.region_code, programme_id=chosen.id)
    return Desk(
        own=tuple(programmes[one] for one in own),
        others=tuple(one for one in programmes.values() if one.id not in own),
        chosen=chosen,
        questions=questions_of(chosen.rules, Names(words, chosen.rules)),
        vouchers=tuple(one for one in vouchers if one.programme_id == chosen.id),
        providers=tuple(providers),
    )


def _quote(
    tx: Connection, caller: Caller, chosen: QuotableProgramme, form: CalculatorForm, purchase: Purchase
) -> Quote:
    return quote(
        tx,
        caller=caller,
        programme_id=chosen.id,
        lines=purchase.lines,
        claim=purchase.claim,
        voucher_id=form.value("voucher") or None,
        provider_id=form.value("provider") or None,
        amounts_fen=purchase.amounts_fen,
    )


def _refused(form: CalculatorForm, error: AppError, words: Words) -> CalculatorForm:
    """The form with the service's refusal at its field, or above all of them."""
    match error.code:
        case Code.PROVIDER_NOT_ADMITTED:
            return replace(
                form,
                errors={"provider": words("field.provider.not_admitted")},
                labels={"provider": words("calculator.provider")},
            )
        case Code.VOUCHER_NOT_FOUND:
            return replace(
                form, errors={"voucher": words("field.voucher.choose")}, labels={"voucher": words("calculator.voucher")}
            )
    return replace(form, problem=detail(error.code, words.language, error.context))


def _answer(quoted: Quote, chosen: QuotableProgramme, purchase: Purchase, words: Words) -> Answer:
    names = Names(words, chosen.rules)
    drawable_fen = quoted.assessment.amount_fen
    if quoted.voucher_balance_fen is not None:
        drawable_fen = min(drawable_fen, quoted.voucher_balance_fen)
    explanation = explain_assessment(
        quoted.trace["steps"],
        quoted.trace["reductions"],
        words,
        rules=chosen.rules,
        amount_fen=drawable_fen,
        bill_fen=quoted.bill_fen,
    )
    # What the rules themselves refuse is told by the explanation, in more words than the refusal has.
    hindered = quoted.refusal if quoted.assessment.amount_fen else None
    return Answer(
        quote=quoted,
        verdict=("part" if explanation.cuts else "yes") if quoted.subsidy_fen else "no",
        explanation=explanation,
        hindrance=detail(hindered.code, words.language, hindered.context) if hindered else None,
        evidence=tuple(_evidence(document, words) for document in quoted.evidence),
        assumed=names.facts(f"amounts.{name}" for name in purchase.assumed),
        unstated=names.facts(_worth_telling(quoted.unstated, chosen.rules)),
        document_no=chosen.document_no,
    )


def _worth_telling(unstated: tuple[str, ...], rules: Rules) -> list[str]:
    """Facts of firm and claim that nobody gave, those that the explanation misses already among them."""
    return [name for name in unstated if name in rules.fact_types and not name.startswith("provider.")]


def _evidence(document: Evidence, words: Words) -> ShownEvidence:
    zh_first = words.language == "zh"
    note = (document.zh or document.en) if zh_first else (document.en or document.zh)
    steps = words("list.comma").join(words(f"checkpoint.{one}") for one in document.checkpoints)
    return ShownEvidence(words.named("document", document.document), note or "", steps, document.mandatory)
