"""Payment orders: a maker proposes what is owed to one payee, finance approves, and the money is in payment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, select, update

from app.kernel.ids import new_id, region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import (
    ApprovalKind,
    Checkpoint,
    EntryKind,
    PaymentItemStatus,
    PaymentOrderStatus,
    RedemptionStatus,
    Role,
)
from app.models import Organisation, PaymentItem, PaymentOrder, Pool, Programme, Redemption
from app.services.approvals.requests import Decision, request_approval
from app.services.identity.principals import Caller
from app.services.ledger.journal import post
from app.services.notices.blocks import require_clear
from app.services.payments.decisions import check_payable, payment_entry
from app.services.payments.payee_accounts import check_account, listed_account, shown_account
from app.services.payments.reads import PaymentOrderRecord, read_payment_order
from app.services.payments.writing import items_of, load_payables, lock_order, vouchers_of, write_step
from app.services.programmes.suspensions import refuse_standing
from app.services.redemption.entitlements import entitled_by_pool
from app.services.redemption.loading import lock_vouchers
from app.services.standing.loading import require_not_debarred
from app.sql import BulkInsert, now

MAX_ITEMS = 1_000
"""Redemptions in one order."""

LIVE = (PaymentItemStatus.PROPOSED, PaymentItemStatus.IN_PAYMENT, PaymentItemStatus.CONFIRMED)

_ITEMS = BulkInsert(
    PaymentItem.__table__,
    ("region_code", "order_id", "redemption_id", "amount_fen", "status"),
    suffix="ON CONFLICT DO NOTHING RETURNING redemption_id",
)


def request_payment_order(
    tx: Connection, *, caller: Caller, redemption_ids: Collection[str], reason: str | None = None
) -> tuple[PaymentOrderRecord, str]:
    """Propose to pay redemptions of one payee, as they stand now; returns the order and the approval's id.

    Until finance has decided they are in no other order. Raises `forbidden`, `not_found` for a redemption that is not
    of the caller's authority, `notice_running` while one is shown to the public, `under_objection`, `payees_differ`,
    `nothing_to_pay`, `already_in_payment`, `payee_suspended`, `debarred`.
    """
    caller.require(Role.MAKER)
    assert 0 < len(redemption_ids) <= MAX_ITEMS, "the caller has limited the request"
    rows = _own_redemptions(tx, caller, redemption_ids)
    first = rows[0]
    for row in rows:
        if row.provider_id != first.provider_id:
            raise AppError(Code.PAYEES_DIFFER, redemption_id=row.id)
        if row.status != RedemptionStatus.POSTED:
            raise _already_in_payment(tx, row.region_code, row.id)
        if row.net_fen == 0:
            raise AppError(Code.NOTHING_TO_PAY, redemption_id=row.id)
    require_clear(tx, region_code=first.region_code, subject_ids=[row.id for row in rows])
    refuse_standing(tx, first.region_code, [row.id for row in rows])
    region_code, at = first.region_code, now(tx)
    require_not_debarred(tx, first.provider_id, region_code=region_code, checkpoint=Checkpoint.PAY, at=at)
    order_id = new_id("pyo", region_code)
    account = listed_account(tx, region_code, first.authority_id, first.provider_id)
    account_id = account and account.id
    total_fen = sum(row.net_fen for row in rows)
    tx.execute(
        insert(PaymentOrder).values(
            region_code=region_code,
            id=order_id,
            authority_id=first.authority_id,
            payee_id=first.provider_id,
            item_count=len(rows),
            total_fen=total_fen,
            status=PaymentOrderStatus.PROPOSED,
            reason=reason,
            proposed_at=at,
            proposed_by=caller.principal_id,
            payee_account_id=account_id,
        )
    )
    items = [
        {
            "region_code": region_code,
            "order_id": order_id,
            "redemption_id": row.id,
            "amount_fen": row.net_fen,
            "status": PaymentItemStatus.PROPOSED,
        }
        for row in rows
    ]
    written = {row.redemption_id for row in _ITEMS(tx, items)}
    taken = next((row for row in rows if row.id not in written), None)
    if taken is not None:
        raise _already_in_payment(tx, region_code, taken.id)
    approval_id = request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.ORDER_PAYMENT,
        region_code=region_code,
        authority_id=first.authority_id,
        required_role=Role.FINANCE,
        subject_id=order_id,
        command={
            "order_id": order_id,
            "payee_id": first.provider_id,
            "payee_account_id": account_id,
            "items": [[row.id, row.net_fen] for row in rows],
        },
        effect=_effect(tx, region_code, rows) | {"owed_fen": total_fen, "account": account and shown_account(account)},
        amount_fen=total_fen,
        reason=reason,
        within_id=first.provider_id,
    )
    return read_payment_order(tx, caller=caller, order_id=order_id), approval_id


def execute_order_payment(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Take what was proposed into payment: one entry for each redemption, under the lock of its voucher.

    Raises `payment_changed` where a refund has changed an amount since: exactly what was asked is done, or nothing;
    `notice_running`, `under_objection` where a redemption is shown to the public, or somebody objects to it; `debarred`
    where the payee has come onto a list that rules out payment; `payee_account_changed`, `payee_account_name_differs`
    where the money would go elsewhere, or to another name.
    """
    region_code, order_id = decision.region_code, str(command["order_id"])
    order = lock_order(tx, order_id)
    if "payee_account_id" in command:  # what was proposed before there were accounts names none
        check_account(
            tx,
            region_code=region_code,
            authority_id=order.authority_id,
            payee_id=order.payee_id,
            ordered=command["payee_account_id"],
        )
    items = items_of(tx, region_code, order_id)
    assert [[item.redemption_id, item.amount_fen] for item in items] == command["items"], "the items are what was asked"
    ids = [item.redemption_id for item in items]
    require_clear(tx, region_code=region_code, subject_ids=ids)
    vouchers = lock_vouchers(tx, vouchers_of(tx, region_code, ids), wait=True)
    refuse_standing(tx, region_code, ids)  # as it is once the vouchers have been waited for
    owed = entitled_by_pool(tx, [(region_code, one) for one in ids])
    parts = {
        one: tuple((share.pool_id, share.redeemed_fen) for share in owed[region_code, one] if share.redeemed_fen)
        for one in ids
    }
    payables = load_payables(tx, region_code, ids, parts)
    at = now(tx)
    require_not_debarred(tx, str(command["payee_id"]), region_code=region_code, checkpoint=Checkpoint.PAY, at=at)
    taken = []
    for item in items:
        payable = payables[item.redemption_id]
        check_payable(item, payable)
        entry = payment_entry(
            EntryKind.ORDER_PAYMENT,
            item,
            payable,
            vouchers[region_code, payable.voucher_id],
            decision.cause,
            details={"payment_order": order_id},
            at=at,
        )
        taken.append((item, payable, entry))
    post(tx, [entry for _, _, entry in taken])
    write_step(tx, EntryKind.ORDER_PAYMENT, (region_code, order_id), taken)
    _decide(tx, order, PaymentOrderStatus.ORDERED, decision)


def reject_order_payment(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Close the order without paying; its redemptions may be proposed again."""
    order = lock_order(tx, str(command["order_id"]))
    tx.execute(
        update(PaymentItem)
        .where(PaymentItem.region_code == order.region_code, PaymentItem.order_id == order.id)
        .values(status=PaymentItemStatus.REJECTED)
    )
    _decide(tx, order, PaymentOrderStatus.REJECTED, decision)


def _decide(tx: Connection, order: Any, status: PaymentOrderStatus, decision: Decision) -> None:
    tx.execute(
        update(PaymentOrder)
        .where(PaymentOrder.region_code == order.region_code, PaymentOrder.id == order.id)
        .values(status=status, decided_at=decision.at, decided_by=decision.checker.principal_id)
    )


def _own_redemptions(tx: Connection, caller: Caller, ids: Collection[str]) -> Sequence[Row[*tuple[Any, ...]]]:
    """Redemptions of one authority of the caller, by id."""
    wanted = sorted(set(ids))
    region_code = region_of(wanted[0])
    rows: Sequence[Row[*tuple[Any, ...]]] = tx.execute(
        select(
            Redemption.region_code,
            Redemption.id,
            Redemption.provider_id,
            Redemption.status,
            (Redemption.subsidy_fen - Redemption.refunded_fen - Redemption.recovered_fen).label("net_fen"),
            Programme.authority_id,
        )
        .join(Programme, and_(Programme.region_code == Redemption.region_code, Programme.id == Redemption.programme_id))
        .where(Redemption.region_code == region_code, Redemption.id.in_(wanted))
        .order_by(Redemption.id)
    ).all()
    authorities = {row.authority_id for row in rows}
    if len(rows) < len(wanted) or len(authorities) != 1 or region_code is None:
        raise AppError(Code.NOT_FOUND, what="redemption")
    if not caller.holds_in(Role.MAKER, region_code, authorities.pop()):
        raise AppError(Code.NOT_FOUND, what="redemption")
    return rows


def _already_in_payment(tx: Connection, region_code: str, redemption_id: str) -> AppError:
    order_id = tx.execute(
        select(PaymentItem.order_id).where(
            PaymentItem.region_code == region_code,
            PaymentItem.redemption_id == redemption_id,
            PaymentItem.status.in_(LIVE),
        )
    ).scalar_one_or_none()
    extra: dict[str, str | int | None] = {"redemption_id": redemption_id, "order_id": order_id}
    return AppError(Code.ALREADY_IN_PAYMENT, redemption_id=redemption_id, order_id=order_id or "-", extra=extra)


def _effect(tx: Connection, region_code: str, rows: Sequence[Row[*tuple[Any, ...]]]) -> dict[str, Any]:
    """What approving will do, in numbers: to whom, how many, out of which pools."""
    by_pool: Counter[str] = Counter()
    for shares in entitled_by_pool(tx, [(region_code, row.id) for row in rows]).values():
        by_pool.update({share.pool_id: share.redeemed_fen for share in shares})
    pools = tx.execute(
        select(Pool.id, Pool.fiscal_year, Pool.fund_source)
        .where(Pool.region_code == region_code, Pool.id.in_(list(by_pool)))
        .order_by(Pool.id)
    )
    payee = tx.execute(select(Organisation.name).where(Organisation.id == rows[0].provider_id)).scalar_one()
    return {
        "payee": payee,
        "count": len(rows),
        "pools": [
            {"pool": pool.id, "fiscal_year": pool.fiscal_year, "fund_source": pool.fund_source, "fen": by_pool[pool.id]}
            for pool in pools
        ],
    }
