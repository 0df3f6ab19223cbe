"""What a bill draws from a voucher, and what a refund gives back. Pure: a refusal is a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.kernel.money import MAX_FEN
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import Checkpoint, ProgrammeStatus, Reason, VoucherEnd
from app.services.redemption.assessing import Counts, claimable, draw, gather, left_of
from app.services.redemption.bills import Bill
from app.services.redemption.evidence import (
    grounds_to_store,
    judge_evidence,
    judge_units,
    refusal_of,
    settle,
    with_flags,
)
from app.services.redemption.grounds import Grounds
from app.services.redemption.invoice_bases import (
    BaseClaim,
    BaseUse,
    InvoiceGrounds,
    base_claims,
    base_uses,
    bounded,
    layer_of,
)
from app.services.redemption.invoice_checks import refuse_invoices, refuse_used_up
from app.services.redemption.shortfalls import missed_minimum, reached_cap
from app.services.redemption.signs import Finding, Refusal
from app.services.redemption.states import DatedRules, MandateState, Parties, ProgrammeTerms, Share, VoucherState
from app.services.rules.assess import Assessment
from app.services.rules.facts import Facts, Line, Value, fits
from app.services.rules.model import Rules
from app.services.rules.position import Kept, Position
from app.services.rules.stated import value_problem
from app.services.standing.facts import naming, telling
from app.services.vouchers.status import LIVING, status_at

ENDED_CODES = {
    VoucherEnd.EXPIRED: Code.VOUCHER_EXPIRED,
    VoucherEnd.VOIDED: Code.VOUCHER_VOIDED,
    VoucherEnd.SURRENDERED: Code.VOUCHER_SURRENDERED,
}


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing is drawn; `context` fills the sentence of the code, `extra` adds members to the problem."""

    code: Code
    context: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, str | int | None] = field(default_factory=dict)
    errors: tuple[FieldError, ...] = ()

    def problem(self, pointer: str | None = None) -> AppError:
        """The refusal as a problem to raise or to answer with; `pointer` is where it lies unless it names places."""
        return AppError(self.code, errors=self.errors, extra=dict(self.extra), pointer=pointer, **self.context)


@dataclass(frozen=True, slots=True)
class Drawn:
    """`subsidy_fen` comes from the voucher, split over its pools; the firm pays the rest."""

    subsidy_fen: int
    firm_pays_fen: int
    rule_version_id: str
    parts: tuple[tuple[str, int], ...]
    """Pool id and fen, in the declared order, zero parts left out."""
    trace: dict[str, Any]
    facts: Facts
    counted: Counts
    evidence: Mapping[str, Any] | None
    """What evidence was judged by, to be stored with the facts; None where there is nothing to judge again."""
    claims: tuple[BaseClaim, ...] = ()
    """What was left of the invoice lines that the bill names."""
    uses: tuple[BaseUse, ...] = ()
    """What it claims of them; a hold claims nothing."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a provider asks for: a bill, and what it states besides."""

    bill: Bill
    claim: Mapping[str, Value] = field(default_factory=dict)
    expected_subsidy_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Returned:
    """A refund: `subsidy_fen` goes back, possibly nothing where a cap still holds the subsidy."""

    subsidy_fen: int
    voucher_end: VoucherEnd | None
    trace: dict[str, Any]
    assessment: Assessment
    """Of what is left of the bill."""


def refuse_state(voucher: VoucherState, *, at: datetime) -> Refused | None:
    """Why nothing new may be drawn from a voucher in this state at this instant, or None."""
    if voucher.ended_as is not None:
        code = ENDED_CODES[VoucherEnd(voucher.ended_as)]
        if code is Code.VOUCHER_EXPIRED:
            return Refused(code, {"limit": voucher.valid_until, "actual": at})
        return Refused(code, {"since": voucher.ended_at})
    if voucher.over(at, voucher.valid_until):
        return Refused(Code.VOUCHER_EXPIRED, {"limit": voucher.valid_until, "actual": at})
    if voucher.frozen_at is not None:
        return Refused(Code.VOUCHER_FROZEN, {"since": voucher.frozen_at})
    if at < voucher.valid_from:
        return Refused(Code.VOUCHER_NOT_YET_VALID, {"limit": voucher.valid_from, "actual": at})
    return None


def decide_redemption(
    voucher: VoucherState,
    programme: ProgrammeTerms,
    parties: Parties,
    mandate: MandateState | None,
    asked: Asked,
    position: Position,
    grounds: Grounds | None,
    *,
    invoices: InvoiceGrounds | None = None,
    by_payment_code: bool = False,
    at: datetime,
) -> Refused | Drawn:
    """Say what this bill draws from this voucher, or why nothing may be drawn.

    `grounds` are what the bill's evidence is held against; None for a bill to come, of which only the units are known.
    `invoices` is what is known of the invoice lines that the bill names. `by_payment_code`: the firm's consent is a
    payment code, which is judged apart, and there is no mandate.
    The same values give the same decision years later, which is how an auditor replays it. Amounts are fen.
    """
    if parties.admitted_for is None:
        return Refused(Code.PROVIDER_NOT_ADMITTED)
    if mandate is None and not by_payment_code:
        return Refused(Code.CONSENT_MISSING)
    if refused := refuse_state(voucher, at=at):
        return refused
    if programme.status == ProgrammeStatus.PAUSED:
        return Refused(Code.PROGRAMME_PAUSED)
    if programme.status not in LIVING:
        return Refused(Code.PROGRAMME_CLOSED)
    if mandate is not None and not mandate.live(at):
        return Refused(Code.CONSENT_MISSING)
    if refused := refuse_debarred(parties) or refuse_empty(voucher, asked_fen=asked.bill.total_fen):
        return refused
    version = pinned_version(programme, voucher, asked.claim, at=at)
    if isinstance(version, Refused):
        return version
    if version.rules.claimant != "provider":
        return Refused(Code.CLAIMANT_NOT_PROVIDER, {"claimant": version.rules.claimant})
    grounds = settle(asked.bill, version.rules, grounds) if grounds else None
    findings = evidence_of(asked.bill, version.rules, grounds)
    claims = claims_on(asked.bill, version.rules, invoices, voucher.programme_id)
    stated = {**asked.claim, **voucher.terms.claim}
    if refused := (
        refuse_asked(version.rules, voucher, asked.claim)
        or refuse_lines(version.rules, asked.bill.assessed_lines())
        or refuse_evidence(findings)
        or refuse_bases(asked.bill, version.rules, stated, claims, invoices, at=at)
    ):
        return refused
    lines = bounded(asked.bill.assessed_lines(), claims)
    facts = gather(version.rules, lines, voucher, parties, asked.claim, at=at)
    drawing = draw(version, facts, position, voucher.open_shares, also_kept=programme.kept)
    if refused := refuse_assessment(version.rules, facts, drawing.assessment):
        return refused
    if refused := refuse_overflow(position, drawing.counted):
        return refused
    drawn_fen, expected_fen = drawing.drawn_fen, asked.expected_subsidy_fen
    if expected_fen is not None and expected_fen != drawn_fen:
        return Refused(Code.SUBSIDY_CHANGED, {"limit_fen": expected_fen, "actual_fen": drawn_fen})
    if mandate is not None and (refused := refuse_over_mandate(mandate, amount_fen=drawn_fen)):
        return refused
    return Drawn(
        subsidy_fen=drawn_fen,
        firm_pays_fen=asked.bill.total_fen - drawn_fen,
        rule_version_id=version.id,
        parts=drawing.parts,
        trace=with_flags(drawing.trace, findings),
        facts=facts,
        counted=drawing.counted,
        evidence=grounds_to_store(version.rules, asked.bill, grounds, findings) if grounds else None,
        claims=claims,
        uses=base_uses(
            claims,
            drawing.assessment,
            layer_of(version.rules, voucher.programme_id),
            drawn_fen=drawn_fen,
            due_fen=drawing.assessment.amount_fen,
        ),
    )


def claims_on(bill: Bill, rules: Rules, invoices: InvoiceGrounds | None, programme_id: str) -> tuple[BaseClaim, ...]:
    """What the lines of a bill may claim of their invoice lines; nothing where it names none."""
    return () if invoices is None else base_claims(bill, rules, invoices, layer_of(rules, programme_id))


def refuse_bases(
    bill: Bill,
    rules: Rules,
    claim: Mapping[str, Value],
    claims: Sequence[BaseClaim],
    invoices: InvoiceGrounds | None,
    *,
    at: datetime,
) -> Refused | None:
    """Why a bill may not be on its invoice lines, or that nothing of them is left."""
    why = refuse_invoices(bill, rules, claim, invoices, at=at) or refuse_used_up(bill, rules, claims, invoices)
    return _refused(why) if why else None


def refuse_debarred(parties: Parties) -> Refused | None:
    """Why one of the parties may not spend or earn anything now, or None."""
    found = parties.debarred
    if found is None:
        return None
    return Refused(Code.DEBARRED, telling(found, Checkpoint.REDEEM), naming(found))


def refuse_empty(voucher: VoucherState, *, asked_fen: int) -> Refused | None:
    """Why nothing is left to draw for a bill: the voucher is used up, or what is left lies in a year that is closed."""
    if voucher.balance_fen == 0:
        return Refused(Code.INSUFFICIENT_BALANCE, {"limit_fen": 0, "actual_fen": asked_fen})
    return None if any(share.balance_fen for share in voucher.open_shares) else refuse_closed(voucher.shares)


def refuse_closed(shares: Sequence[Share]) -> Refused:
    """That what is left lies in a year that is closed."""
    return Refused(Code.YEAR_CLOSED, {"fiscal_year": max(share.fiscal_year for share in shares if share.closed)})


def refuse_over_mandate(mandate: MandateState, *, amount_fen: int) -> Refused | None:
    """Why this much (fen) is beyond what is left of the mandate, or None."""
    if amount_fen > mandate.left_fen:
        return Refused(Code.MANDATE_EXCEEDED, {"limit_fen": mandate.left_fen, "actual_fen": amount_fen})
    return None


def refuse_asked(rules: Rules, voucher: VoucherState | None, claim: Mapping[str, Value]) -> Refused | None:
    """Why what is asked cannot be assessed at all: facts that are not the claimant's to state, a voucher used up."""
    if errors := _misstated(rules, claim, "claim", "/claim"):
        return Refused(Code.VALIDATION_FAILED, {"count": len(errors)}, errors=errors)
    if voucher is not None and not rules.use.divisible and voucher.redeemed_fen + voucher.held_fen:
        return Refused(Code.NOT_ELIGIBLE, {"reason": Reason.NOT_DIVISIBLE, "what": "use.divisible"})
    return None


def evidence_of(bill: Bill, rules: Rules, grounds: Grounds | None) -> Sequence[Finding]:
    """What speaks against a bill; of one to come (None) only its units."""
    return tuple(judge_units(bill, rules)) if grounds is None else judge_evidence(bill, rules, grounds)


def refuse_evidence(findings: Sequence[Finding]) -> Refused | None:
    """Why a bill that may not be true is refused; None where it is at most flagged."""
    why = refusal_of(findings)
    return _refused(why) if why else None


def _refused(why: Refusal) -> Refused:
    return Refused(why.code, why.context, why.extra, why.errors)


def refuse_assessment(rules: Rules, facts: Facts, assessment: Assessment) -> Refused | None:
    """Why the rules grant nothing, as a provider can tell it apart; None where they grant something."""
    if assessment.amount_fen:
        return None
    asked = sorted({line.category for line in facts.lines})
    admitted = set(facts.provider_categories or ())
    if not any(rules.covers(category) for category in asked) or (
        assessment.refusal is Reason.NOT_ELIGIBLE_LINE
        and not any("requirement" in out for out in _left_out(assessment))
    ):
        covered = sorted(set(rules.categories) & admitted) or sorted(rules.categories)
        return Refused(Code.CATEGORY_NOT_COVERED, {"limit": ", ".join(covered), "actual": ", ".join(asked)})
    why = assessment.reductions[-1] if assessment.reductions else {"code": Reason.ROUNDED_TO_NOTHING}
    reason = Reason(why["code"])
    extra = {"reason": reason.value}
    match reason:
        case Reason.BELOW_MIN | Reason.ROUNDED_TO_NOTHING:
            missed = missed_minimum(assessment, why, unit_fen=rules.rounding.unit_fen)
            return Refused(Code.BELOW_MINIMUM, missed, extra)
        case Reason.RELATED_PARTY:
            signs = ", ".join(why["signs"])
            return Refused(Code.RELATED_PARTY, {"signs": signs, "actual": signs}, extra)
        case Reason.CAP_FIRM_PERIOD | Reason.CAP_GROUP | Reason.CAP_CONTRACT | Reason.CAP_CATEGORY | Reason.CAP_COUNT:
            cap = reached_cap(assessment, why)
            return Refused(Code.CAP_FIRM_PERIOD, cap, extra | {"cap": cap["cap"]})
        case Reason.DUP_BASE:
            used_up = [
                one["line"] for step in assessment.steps if step["step"] == "invoice_lines" for one in step["lines"]
            ]
            context = {"line": used_up[0] if used_up else 1, "by_en": "", "by_zh": "", "limit_fen": 0}
            return Refused(Code.INVOICE_ALREADY_USED, context | {"actual_fen": assessment.eligible_fen}, extra)
        case _:
            what = _what(why) or next((told for out in _left_out(assessment) if (told := _what(out))), "-")
            return Refused(Code.NOT_ELIGIBLE, {"reason": reason, "what": what, "limit": what}, extra | {"what": what})


def refuse_overflow(position: Position, counted: Counts) -> Refused | None:
    """Why a claim cannot be counted: its counters would grow beyond what every JSON reader holds exactly."""
    if any(max(position.of(bucket).plus(counter)) > MAX_FEN for bucket, counter in counted):
        return Refused(Code.CAP_FIRM_PERIOD, {"cap": "counters"}, {"reason": Reason.CAP_FIRM_PERIOD.value})
    return None


def decide_refund(
    voucher: VoucherState,
    version: DatedRules,
    facts: Facts,
    position: Position,
    *,
    kept: Sequence[Kept],
    drawn_fen: int,
    at: datetime,
) -> Returned:
    """Say what goes back when only the lines in `facts` are left of a bill: the position is assessed anew (E14).

    `position` is without what this bill counts itself, `kept` are the series that the programme's versions read.
    `drawn_fen` is the subsidy that the bill holds now: that of one redemption, or of all of a hold. The money revives
    a living voucher; from an ended one it goes on to where `freed_to` says and counts as the voucher ended.
    """
    assessment, returned_fen, trace = left_of(version, facts, position, drawn_fen=drawn_fen, also_kept=kept)
    ended = end_of(voucher, at=at)
    return Returned(
        subsidy_fen=returned_fen,
        voucher_end=ended,
        trace=trace,
        assessment=assessment,
    )


def end_of(voucher: VoucherState, *, at: datetime) -> VoucherEnd | None:
    """How the voucher has ended by this instant, or None. One that the sweep has not reached counts as expired."""
    status = status_at(
        at,
        ended_as=voucher.ended_as,
        frozen_at=voucher.frozen_at,
        valid_from=voucher.valid_from,
        redeemable_until=voucher.redeemable_until,
        balance_fen=voucher.balance_fen,
        stands_still=voucher.stands_still,
    )
    return VoucherEnd(status.value) if status.value in ENDED_CODES else None


def pinned_version(
    programme: ProgrammeTerms, voucher: VoucherState, claim: Mapping[str, Value], *, at: datetime
) -> DatedRules | Refused:
    """The version that judges a claim on this voucher; what officials fixed with the grant goes before the claimant.

    A refusal where the contract's day decides and nobody stated one, or none was in force.
    """
    stated = {**claim, **voucher.terms.claim}
    version = programme.rules_for(voucher, stated, at=at)
    if version is not None:
        return version
    pinned_by = programme.versions[0].rules.pinned_by if programme.versions else "claim"
    if pinned_by == "contract" and not fits("date", stated.get("contract_signed_on", "")):
        what = "claim.contract_signed_on"
        extra = {"reason": Reason.FACT_MISSING.value, "what": what}
        return Refused(Code.NOT_ELIGIBLE, {"reason": Reason.FACT_MISSING, "what": what}, extra)
    return Refused(Code.PROGRAMME_CLOSED)


def refuse_lines(rules: Rules, lines: Sequence[Line]) -> Refused | None:
    """Why lines of a bill cannot be assessed: they state facts that are not the claimant's to state."""
    errors = [
        error
        for place, line in enumerate(lines)
        for error in _misstated(rules, line.facts, "line", f"/bill/lines/{place}/facts")
    ]
    return Refused(Code.VALIDATION_FAILED, {"count": len(errors)}, errors=tuple(errors)) if errors else None


def _misstated(rules: Rules, stated: Mapping[str, Value], subject: str, above: str) -> tuple[FieldError, ...]:
    """What a claimant may not state, or stated in the wrong way."""
    if not stated:
        return ()
    allowed = claimable(rules, subject)
    errors = []
    for name, value in stated.items():
        if name not in allowed:
            known = ", ".join(sorted(allowed))
            errors.append(FieldError(f"{above}/{name}", "not_for_the_claimant", limit=known, actual=name))
        elif (problem := value_problem(rules, f"{above}/{name}", f"{subject}.{name}", value)) is not None:
            errors.append(problem)
    return tuple(errors)


def _what(why: Mapping[str, Any]) -> str:
    """The condition that was not met, or the facts that were not given."""
    return str(why.get("requirement") or ", ".join(why.get("missing", ())))


def _left_out(assessment: Assessment) -> list[dict[str, Any]]:
    return [out for step in assessment.steps if step["step"] == "eligible_lines" for out in step["left_out"]]
