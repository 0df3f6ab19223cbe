"""What a waiting approval would do now, beside what it would have done when it was asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, select

from app.kernel.ids import is_id
from app.kernel.vocabulary import ApprovalKind, ApprovalStatus, Role
from app.models import PaymentItem, Pool, Redemption, Voucher
from app.services.approvals.people import Person, people_with
from app.services.approvals.reads import ApprovalRecord, read_approval
from app.services.identity.accounts import persons_of
from app.services.identity.principals import Caller
from app.services.payments.payee_accounts import listed_account, shown_account

SHOWN_PEOPLE = 20


@dataclass(frozen=True, slots=True)
class Foresight:
    """An approval with what it would do at this instant.

    `effect_now` is None where nothing of it can move; `has_moved` says that it differs from the effect as asked.
    `next_people` are those whose own role takes the next step, at most twenty; whom they lend it to is not listed.
    """

    approval: ApprovalRecord
    effect_now: dict[str, Any] | None
    has_moved: bool
    next_people: tuple[Person, ...]


def foresee(tx: Connection, *, caller: Caller, approval_id: str) -> Foresight:
    """One approval within the caller's reach, held against the state of this instant. Raises `not_found`."""
    approval = read_approval(tx, caller=caller, approval_id=approval_id)
    if approval.status != ApprovalStatus.PENDING:
        return Foresight(approval, None, has_moved=False, next_people=())
    effect = json.loads(approval.effect)
    effect_now = _effect_now(tx, approval, json.loads(approval.command), effect)
    return Foresight(
        approval,
        effect_now,
        has_moved=effect_now is not None and effect_now != effect,
        next_people=_next_people(tx, approval),
    )


def _effect_now(
    tx: Connection, approval: ApprovalRecord, command: Mapping[str, Any], effect: Mapping[str, Any]
) -> dict[str, Any] | None:
    match approval.kind:
        case ApprovalKind.APPROPRIATE:
            return {**effect, **_appropriation_now(tx, approval, command)}
        case ApprovalKind.ORDER_PAYMENT if "owed_fen" in effect:
            return {**effect, **_payment_now(tx, approval, command)}
    if is_id(approval.subject_id, "vch") and "balance_fen" in effect:
        return {**effect, **_voucher_now(tx, approval, effect)}
    if any("available_before_fen" in pool for pool in _pools_of(effect)):
        return {**effect, "pools": _pools_now(tx, approval.region_code, _pools_of(effect))}
    return None


def _pools_of(effect: Mapping[str, Any]) -> list[dict[str, Any]]:
    pools = effect.get("pools")
    return [pool for pool in pools if isinstance(pool, dict)] if isinstance(pools, list) else []


def _pools_now(tx: Connection, region_code: str, pools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    available = {
        row.id: row.available_fen
        for row in tx.execute(
            select(Pool.id, Pool.available_fen).where(
                Pool.region_code == region_code, Pool.id.in_([pool["pool_id"] for pool in pools if "pool_id" in pool])
            )
        )
    }
    now = []
    for pool in pools:
        before = available.get(pool.get("pool_id", ""), pool.get("available_before_fen", 0))
        moved = {"available_before_fen": before, "available_after_fen": before - pool.get("amount_fen", 0)}
        now.append({**pool, **moved})
    return now


def _appropriation_now(tx: Connection, approval: ApprovalRecord, command: Mapping[str, Any]) -> dict[str, int]:
    available_fen = tx.execute(
        select(Pool.available_fen).where(
            Pool.region_code == approval.region_code,
            Pool.programme_id == command["programme_id"],
            Pool.fiscal_year == command["fiscal_year"],
            Pool.fund_source == command["fund_source"],
            Pool.county_code.is_(None),
        )
    ).scalar_one_or_none()
    before = int(available_fen or 0)
    return {"available_before_fen": before, "available_after_fen": before + int(command["amount_fen"])}


def _voucher_now(tx: Connection, approval: ApprovalRecord, effect: Mapping[str, Any]) -> dict[str, int]:
    voucher = tx.execute(
        select(Voucher.balance_fen, Voucher.held_fen).where(
            Voucher.region_code == approval.region_code, Voucher.id == approval.subject_id
        )
    ).one()
    now: dict[str, int] = {"balance_fen": voucher.balance_fen, "held_fen": voucher.held_fen}
    return now | ({"released_fen": voucher.balance_fen + voucher.held_fen} if effect.get("released_fen") else {})


def _payment_now(tx: Connection, approval: ApprovalRecord, command: Mapping[str, Any]) -> dict[str, Any]:
    owed_fen = tx.execute(
        select(func.sum(Redemption.subsidy_fen - Redemption.refunded_fen - Redemption.recovered_fen))
        .join(
            PaymentItem,
            and_(
                PaymentItem.region_code == Redemption.region_code,
                PaymentItem.redemption_id == Redemption.id,
                PaymentItem.order_id == approval.subject_id,
            ),
        )
        .where(Redemption.region_code == approval.region_code)
    ).scalar_one()
    assert approval.authority_id is not None, "a payment is an authority's"
    account = listed_account(tx, approval.region_code, approval.authority_id, str(command["payee_id"]))
    return {"owed_fen": int(owed_fen), "account": account and shown_account(account)}


def _next_people(tx: Connection, approval: ApprovalRecord) -> tuple[Person, ...]:
    role = Role(approval.required_role)
    found = people_with(tx, role, approval.place_of(role), approval.authority_id)
    done = {one for step in approval.decisions for one in (step.decided_by, step.on_behalf_of) if one}
    out = {approval.made_by, *approval.barred_ids, *done}
    person = persons_of(tx, out | {one.id for one in found})
    excluded = {person[one] for one in out}
    return tuple([one for one in found if person[one.id] not in excluded][:SHOWN_PEOPLE])
