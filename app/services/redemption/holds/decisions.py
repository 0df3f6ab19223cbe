"""What a hold reserves, what each redemption from it draws, and what goes back when it ends. Pure.

A hold is its bill: the n-th redemption draws what all bills so far are due, less what was drawn. So a job that is
billed in parts gets to the fen what it would have got in one bill, and no cap, floor or bracket is evaded. What is due
may be more than the bill itself, where it takes the earlier ones past a floor: the rest comes with the next bills, and
is the voucher's again where there are none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.kernel.clock import rfc3339
from app.kernel.problems import Code, FieldError
from app.kernel.vocabulary import HoldStatus, Reason, VoucherEnd
from app.services.redemption.assessing import FORMAT, Counts, at_sites, counted_as_drawn, peeled
from app.services.redemption.decisions import (
    Asked,
    Refused,
    claims_on,
    end_of,
    refuse_bases,
    refuse_closed,
    refuse_evidence,
    refuse_lines,
    refuse_overflow,
)
from app.services.redemption.evidence import grounds_to_store, judge_evidence, settle, with_flags
from app.services.redemption.grounds import Grounds
from app.services.redemption.holds.states import (
    MAX_LINES,
    HoldState,
    change_of,
    clock_of,
    greater_of_each,
    status_of,
    summed,
    with_grants,
)
from app.services.redemption.invoice_bases import (
    BaseClaim,
    BaseUse,
    InvoiceGrounds,
    base_uses,
    bounded,
    layer_of,
)
from app.services.redemption.states import DatedRules, Party, ProgrammeTerms, Share, VoucherState
from app.services.rules.assess import Assessment, assess
from app.services.rules.facts import Facts, Line
from app.services.rules.position import Counter, Position

USED_UP_TO = (8, 10)
"""The share of a hold at which its provider and its firm are told that it will soon be used up: 80 %."""


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A redemption from a hold. `subsidy_fen` may be nothing: the bills before it drew all that is due so far."""

    subsidy_fen: int
    firm_pays_fen: int
    parts: tuple[tuple[str, int], ...]
    """Pool id and fen drawn, in the declared order."""
    rest: tuple[tuple[str, int], ...]
    """Pool id and fen that go back to the voucher, because the redemption is final."""
    ends: bool
    nearly_used: bool
    """Whether this redemption takes the hold to 80 % or past it, and does not end it."""
    trace: dict[str, Any]
    facts: Facts
    """The whole bill so far, this one's lines at the end."""
    evidence: Mapping[str, Any] | None
    """What evidence was judged by, to be stored with the facts."""
    counted: Counts
    """What it changes in the counters."""
    claims: tuple[BaseClaim, ...] = ()
    """What was left of the invoice lines that the bill names."""
    uses: tuple[BaseUse, ...] = ()
    """What it claims of them."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a hold without a redemption: `parts` go back, to where `freed_to` says."""

    parts: tuple[tuple[str, int], ...]
    voucher_end: VoucherEnd | None
    counted: Counts


def expiry_of(wanted: datetime | None, voucher: VoucherState, hold_days: int, *, at: datetime) -> datetime | Refused:
    """Until when a hold runs: as wanted, by default as long as the rules and the voucher let it."""
    latest = min(at + timedelta(days=hold_days), voucher.redeemable_until)
    if wanted is None:
        return latest
    if not at < wanted <= latest:
        limit = rfc3339(latest)
        told = f"must lie in the future, and no later than {limit} / 须晚于当前时刻，且不晚于 {limit}"
        error = FieldError("/expires_at", "out_of_range", detail=told, limit=limit, actual=rfc3339(wanted))
        return Refused(Code.VALIDATION_FAILED, {"count": 1}, errors=(error,))
    return wanted


def refuse_hold(hold: HoldState, voucher: VoucherState, *, at: datetime) -> Refused | None:
    """Why nothing may be redeemed from a hold, nor its end put off, at this instant; None where it may."""
    status = status_of(hold.status, hold.expires_at, at=at, frozen_at=voucher.stands_since(at))
    told: dict[str, str | int] = {"hold_id": hold.id}
    if status is HoldStatus.EXPIRED:
        return Refused(Code.HOLD_EXPIRED, {"limit": hold.expires_at, "actual": at}, told)
    if status is not HoldStatus.OPEN:
        return Refused(Code.HOLD_ALREADY_RESOLVED, {"status": status, "actual": status}, told | {"hold_status": status})
    if voucher.frozen_at is not None:
        return Refused(Code.VOUCHER_FROZEN, {"since": voucher.frozen_at})
    return None


def refuse_year(hold: HoldState) -> Refused | None:
    """Why nothing may be redeemed from a hold that holds money of a closed year. It may be released."""
    return refuse_closed(hold.shares) if any(share.closed and share.balance_fen for share in hold.shares) else None


def decide_redemption_from(
    hold: HoldState,
    voucher: VoucherState,
    terms: ProgrammeTerms,
    provider: Party,
    asked: Asked,
    others: Position,
    grounds: Grounds,
    *,
    invoices: InvoiceGrounds | None = None,
    final: bool,
    at: datetime,
    listed: bool = True,
) -> Refused | Redeemed:
    """Say what this bill draws from a hold, or why nothing may be drawn.

    The rules, the facts and the consent are those of the hold; `others` is the position without what the hold itself
    counts. A programme that was paused or closed since stops no hold: freezing the voucher does. Whether a provider may
    bill what it holds when it is no longer `listed`, the hold's rules say. Amounts are fen.
    """
    version = terms.version(hold.rule_version_id)
    if not listed and version.rules.suspension.open_holds == "stand":
        return Refused(Code.PROVIDER_NOT_ADMITTED)
    grounds = settle(asked.bill, version.rules, grounds)
    findings = judge_evidence(asked.bill, version.rules, grounds)
    refused = refuse_hold(hold, voucher, at=at) or refuse_year(hold) or refuse_bill(hold, version, asked)
    if refused := refused or refuse_evidence(findings):
        return refused
    claims = claims_on(asked.bill, version.rules, invoices, hold.programme_id)
    if refused := refuse_bases(asked.bill, version.rules, hold.claim, claims, invoices, at=at):
        return refused
    lines = at_sites(bounded(asked.bill.assessed_lines(), claims), provider)
    facts = hold.whole_bill(lines)
    assessment = assess(version.rules, facts, others, also_kept=terms.kept_in(hold.holders))
    drawn_fen, deferred_fen, trace = trace_of(
        version, assessment, hold.shares, drawn_before_fen=hold.drawn_fen, bill_fen=asked.bill.total_fen
    )
    expected_fen = asked.expected_subsidy_fen
    if expected_fen is not None and expected_fen != drawn_fen:
        return Refused(Code.SUBSIDY_CHANGED, {"limit_fen": expected_fen, "actual_fen": drawn_fen})
    parts = peeled(hold.shares, drawn_fen, [share.balance_fen for share in hold.shares])
    ends = final or drawn_fen == hold.held_fen
    rest = _rest(hold.shares, dict(parts)) if ends else ()
    earned = _counted(hold, assessment, hold.drawn_fen + drawn_fen)
    earned = _with_used_up(version, hold, terms, others, earned, lines, drawn_fen=hold.redeemed_fen + drawn_fen)
    target = _target(hold, earned, ends=ends)
    if refused := refuse_overflow(others, target):
        return refused
    return Redeemed(
        subsidy_fen=drawn_fen,
        firm_pays_fen=asked.bill.total_fen - drawn_fen,
        parts=parts,
        rest=rest,
        ends=ends,
        nearly_used=not ends and _passes(USED_UP_TO, hold.redeemed_fen, drawn_fen, hold.amount_fen),
        trace=with_flags(trace, findings),
        facts=facts,
        evidence=grounds_to_store(version.rules, asked.bill, grounds, findings),
        counted=change_of(target, summed(hold.counted, hold.pending)),
        claims=claims,
        uses=base_uses(
            claims,
            assessment,
            layer_of(version.rules, hold.programme_id),
            drawn_fen=drawn_fen,
            due_fen=assessment.amount_fen - hold.drawn_fen,
            deferred_fen=deferred_fen,
            lines_before=len(facts.lines) - len(lines),
        ),
    )


def trace_of(
    version: DatedRules, assessment: Assessment, shares: Sequence[Share], *, drawn_before_fen: int, bill_fen: int
) -> tuple[int, int, dict[str, Any]]:
    """What a redemption from a hold draws, what it leaves to the next ones, and the trace that explains it.

    The hold's step follows the rules' steps. No redemption draws more than its bill comes to: what the hold could give
    beyond that is left to the next bills, and goes back to the voucher with the rest if there are none.
    """
    held_fen = sum(share.balance_fen for share in shares)
    due_fen = assessment.amount_fen - drawn_before_fen
    payable_fen = min(max(due_fen, 0), held_fen)
    drawn_fen = min(payable_fen, bill_fen)
    deferred_fen = payable_fen - drawn_fen
    reductions = list(assessment.reductions)
    if due_fen > held_fen:
        reductions.append({"code": Reason.CAP_HOLD, "subsidy_fen": due_fen - held_fen})
    steps: list[dict[str, Any]] = [
        {"step": "rule_version", "id": version.id, "number": version.number},
        *assessment.steps,
        {
            "step": "hold",
            "entitled_fen": assessment.amount_fen,
            "drawn_before_fen": drawn_before_fen,
            "held_fen": held_fen,
            "drawn_fen": drawn_fen,
            **({"overpaid_fen": -due_fen} if due_fen < 0 else {}),
            **({"deferred_fen": deferred_fen} if deferred_fen else {}),
        },
    ]
    if len(shares) > 1:
        parts = peeled(shares, drawn_fen, [share.balance_fen for share in shares])
        steps.append({"step": "sources", "parts": [{"pool": pool_id, "fen": fen} for pool_id, fen in parts]})
    return drawn_fen, deferred_fen, {"v": FORMAT, "steps": steps, "reductions": reductions}


def refuse_bill(hold: HoldState, version: DatedRules, asked: Asked) -> Refused | None:
    """Why a bill does not belong on this hold: no line covered, too many, or one that is misstated."""
    covered = set(version.rules.categories) & set(hold.facts["provider_categories"])
    categories = sorted({line.category for line in asked.bill.lines})
    if covered.isdisjoint(categories):
        limit = ", ".join(sorted(covered))
        return Refused(Code.CATEGORY_NOT_COVERED, {"limit": limit, "actual": ", ".join(categories)})
    lines = sum(len(part.facts["bill"]["lines"]) for part in hold.parts) + len(asked.bill.lines)
    if lines > MAX_LINES:
        error = FieldError("/bill/lines", "too_many_on_the_hold", limit=MAX_LINES, actual=lines)
        return Refused(Code.VALIDATION_FAILED, {"count": 1}, errors=(error,))
    return refuse_lines(version.rules, asked.bill.assessed_lines())


def decide_end(
    hold: HoldState, voucher: VoucherState, terms: ProgrammeTerms | None, others: Position, *, at: datetime
) -> Ended:
    """Say what of a hold goes back, to its voucher or on from it where the voucher has ended (`freed_to`).

    `terms` and `others` (the position without what the hold itself counts) are needed only where it counts something.
    """
    ended = end_of(voucher, at=at)
    counted: Counts = ()
    if hold.counted:
        assert terms is not None, "what counts was judged by rules"
        version = terms.version(hold.rule_version_id)
        earned: Counts = ()
        if hold.parts:
            assessment = assess(version.rules, hold.whole_bill(), others, also_kept=terms.kept_in(hold.holders))
            earned = _counted(hold, assessment, hold.drawn_fen)
            earned = _with_used_up(version, hold, terms, others, earned, (), drawn_fen=hold.redeemed_fen)
        counted = change_of(earned, summed(hold.counted, hold.pending))
    return Ended(
        parts=_rest(hold.shares, {}),
        voucher_end=ended,
        counted=counted,
    )


def is_due(hold: HoldState, voucher: VoucherState, *, at: datetime) -> bool:
    """Whether an open hold has expired, so that its money is to go back."""
    return hold.status == HoldStatus.OPEN and clock_of(at, voucher.stands_since(at)) >= hold.expires_at


def counted_after_refund(hold: HoldState, assessment: Assessment, drawn_fen: int) -> Counts:
    """What a hold counts once refunds have left `drawn_fen` on its redemptions, and `assessment` of their bills."""
    earned = _counted(hold, assessment, drawn_fen)
    return _target(hold, earned, ends=hold.status != HoldStatus.OPEN)


def _target(hold: HoldState, earned: Counts, *, ends: bool) -> Counts:
    """What a hold counts: as long as it is open, no less than when it was made."""
    return earned if ends else greater_of_each(hold.counted_at_first, earned)


def _with_used_up(
    version: DatedRules,
    hold: HoldState,
    terms: ProgrammeTerms,
    others: Position,
    earned: Counts,
    lines: Sequence[Line],
    *,
    drawn_fen: int,
) -> Counts:
    """What was earned, with what refunds have used up of the caps for good, where the rules do not restore it. D24.

    That is what the bills (`lines` are the last one's) would count, had nothing been cancelled; `drawn_fen` is what was
    drawn on them, refunded or not.
    """
    if version.rules.adjustment.restores_cap or not any(part.refunded_fen for part in hold.parts):
        return earned
    billed = assess(version.rules, hold.as_billed(lines), others, also_kept=terms.kept_in(hold.holders))
    return with_grants(earned, _counted(hold, billed, drawn_fen))


def _counted(hold: HoldState, assessment: Assessment, drawn_fen: int) -> Counts:
    """What the bills of a hold count: as granted what was drawn on them, also where that is more than is due by now.

    A later bill may lower what all of them are due. What was drawn before is not taken back, so a cap must know of it.
    """
    if drawn_fen <= assessment.amount_fen:
        return counted_as_drawn(assessment, drawn_fen)
    if assessment.amount_fen:
        counted, whole_fen = assessment.counted, assessment.amount_fen
    else:
        at_first = hold.counted_at_first
        counted = tuple((bucket, Counter(0, 0, one.granted_fen, one.claims)) for bucket, one in at_first)
        whole_fen = hold.amount_fen
    return tuple(
        (bucket, counter._replace(granted_fen=-(-counter.granted_fen * drawn_fen // whole_fen)))
        for bucket, counter in counted
    )


def _rest(shares: Sequence[Share], drawn: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    left = [(share.pool_id, share.balance_fen - drawn.get(share.pool_id, 0)) for share in shares]
    return tuple((pool_id, fen) for pool_id, fen in left if fen)


def _passes(share: tuple[int, int], before_fen: int, more_fen: int, whole_fen: int) -> bool:
    part, whole = share
    return before_fen * whole < whole_fen * part <= (before_fen + more_fen) * whole
