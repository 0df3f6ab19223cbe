"""What a bill draws from a voucher, and what a refund gives back. Pure: a refusal is a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.kernel.clock import civil_date
from app.kernel.money import split_by_peeling
from app.kernel.problems import Code
from app.kernel.vocabulary import Account, ProgrammeStatus, VoucherEnd
from app.services.redemption.bills import Bill
from app.services.redemption.states import DatedRules, MandateState, ProgrammeTerms, Share, VoucherState
from app.services.rules.assess import Line, assess
from app.services.vouchers.status import status_at

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
    extra: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drawn:
    """`subsidy_fen` comes from the voucher, split over its pools; the firm pays the rest."""

    subsidy_fen: int
    firm_pays_fen: int
    rule_version_id: str
    parts: tuple[tuple[str, int], ...]
    """Pool id and fen, in the declared order, zero parts left out."""
    trace: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Returned:
    """A refund: `subsidy_fen` goes back, possibly nothing where a cap still holds the subsidy."""

    subsidy_fen: int
    destination: Account
    voucher_end: VoucherEnd | None
    parts: tuple[tuple[str, int], ...]
    trace: dict[str, Any]


def refuse_state(voucher: VoucherState, *, at: datetime) -> Refused | None:
    """Why nothing new may be drawn from a voucher in this state at this instant, or None."""
    if voucher.ended_as is not None:
        code = ENDED_CODES[VoucherEnd(voucher.ended_as)]
        if code is Code.VOUCHER_EXPIRED:
            return Refused(code, {"limit": voucher.valid_until, "actual": at})
        return Refused(code, {"since": voucher.ended_at})
    if at >= voucher.valid_until:
        return Refused(Code.VOUCHER_EXPIRED, {"limit": voucher.valid_until, "actual": at})
    if voucher.frozen_at is not None:
        return Refused(Code.VOUCHER_FROZEN, {"since": voucher.frozen_at})
    if at < voucher.valid_from:
        return Refused(Code.VOUCHER_NOT_YET_VALID, {"limit": voucher.valid_from, "actual": at})
    return None


def decide_redemption(
    voucher: VoucherState,
    programme: ProgrammeTerms,
    admitted_for: Sequence[str] | None,
    mandate: MandateState | None,
    bill: Bill,
    *,
    expected_subsidy_fen: int | None,
    at: datetime,
) -> Refused | Drawn:
    """Say what this bill draws from this voucher, or why nothing may be drawn.

    The same values give the same decision years later, which is how an auditor replays it.
    `admitted_for` are the provider's categories in the programme, None where it is not listed. Amounts are fen.
    """
    if admitted_for is None:
        return Refused(Code.PROVIDER_NOT_ADMITTED)
    if mandate is None:
        return Refused(Code.CONSENT_MISSING)
    if refused := refuse_state(voucher, at=at):
        return refused
    if programme.status == ProgrammeStatus.PAUSED:
        return Refused(Code.PROGRAMME_PAUSED)
    if programme.status != ProgrammeStatus.PUBLISHED:
        return Refused(Code.PROGRAMME_CLOSED)
    if not mandate.live(at):
        return Refused(Code.CONSENT_MISSING)
    if voucher.balance_fen == 0:
        return Refused(Code.INSUFFICIENT_BALANCE)
    version = programme.rules_on(civil_date(at))
    if version is None:
        return Refused(Code.PROGRAMME_CLOSED)

    assessment = assess(version.rules, bill.assessed_lines(), admitted_for)
    if assessment.eligible_fen == 0:
        covered = sorted(set(version.rules.categories) & set(admitted_for))
        asked = sorted({line.category for line in bill.lines})
        return Refused(Code.CATEGORY_NOT_COVERED, {"limit": ", ".join(covered), "actual": ", ".join(asked)})
    if assessment.amount_fen == 0:
        minimum_fen = max(version.rules.minimum_bill_fen, version.rules.rounding.unit_fen)
        return Refused(Code.BELOW_MINIMUM, {"limit_fen": minimum_fen, "actual_fen": assessment.eligible_fen})

    drawn_fen = min(assessment.amount_fen, voucher.balance_fen)
    if expected_subsidy_fen is not None and expected_subsidy_fen != drawn_fen:
        return Refused(Code.SUBSIDY_CHANGED, {"limit_fen": expected_subsidy_fen, "actual_fen": drawn_fen})
    if drawn_fen > mandate.left_fen:
        return Refused(Code.MANDATE_EXCEEDED, {"limit_fen": mandate.left_fen, "actual_fen": drawn_fen})

    reductions = list(assessment.reductions)
    if drawn_fen < assessment.amount_fen:
        reductions.append({"code": "CAP_VOUCHER", "subsidy_fen": assessment.amount_fen - drawn_fen})
    steps = [
        {"step": "rule_version", "id": version.id, "number": version.number},
        *assessment.steps,
        {"step": "voucher", "balance_fen": voucher.balance_fen, "drawn_fen": drawn_fen},
    ]
    return Drawn(
        subsidy_fen=drawn_fen,
        firm_pays_fen=bill.total_fen - drawn_fen,
        rule_version_id=version.id,
        parts=_parts(voucher.shares, drawn_fen, [share.balance_fen for share in voucher.shares]),
        trace={"v": 1, "steps": steps, "reductions": reductions},
    )


def decide_refund(
    voucher: VoucherState,
    version: DatedRules,
    admitted_for: Sequence[str],
    lines_left: Sequence[Line],
    *,
    drawn_by_pool: Sequence[Share],
    drawn_fen: int,
    at: datetime,
) -> Returned:
    """Say what goes back when only `lines_left` of a bill remain: the position is assessed anew (E14).

    `drawn_fen` is what the redemption holds now, `drawn_by_pool` the same per pool (`redeemed_fen`). The money
    revives a living voucher; from an ended one it goes on to `available` and counts as the voucher ended.
    A voucher past `redeemable_until` that the sweep has not reached yet counts as expired.
    """
    assessment = assess(version.rules, lines_left, admitted_for)
    returned_fen = max(0, drawn_fen - assessment.amount_fen)
    status = status_at(
        at,
        ended_as=voucher.ended_as,
        frozen_at=voucher.frozen_at,
        valid_from=voucher.valid_from,
        redeemable_until=voucher.redeemable_until,
        balance_fen=voucher.balance_fen,
    )
    ended = VoucherEnd(status.value) if status.value in ENDED_CODES else None
    steps = [
        {"step": "rule_version", "id": version.id, "number": version.number},
        *assessment.steps,
        {"step": "refund", "drawn_fen": drawn_fen, "entitled_fen": assessment.amount_fen, "returned_fen": returned_fen},
    ]
    return Returned(
        subsidy_fen=returned_fen,
        destination=Account.AVAILABLE if ended else Account.COMMITTED,
        voucher_end=ended,
        parts=_parts(drawn_by_pool, returned_fen, [share.redeemed_fen for share in drawn_by_pool]),
        trace={"v": 1, "steps": steps, "reductions": list(assessment.reductions)},
    )


def _parts(shares: Sequence[Share], amount_fen: int, weights: Sequence[int]) -> tuple[tuple[str, int], ...]:
    amounts = split_by_peeling(amount_fen, weights) if amount_fen else []
    return tuple((share.pool_id, part) for share, part in zip(shares, amounts, strict=False) if part)
