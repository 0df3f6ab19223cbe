"""Which act stands behind each kind of approval: how it is executed, and what a rejection undoes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from app.kernel.vocabulary import ApprovalKind
from app.services.allocation.execution import execute_allocate, execute_cancel_allocation, reject_allocate
from app.services.allocation.waitlist import execute_end_waiting, execute_promote_waiting, reject_promote_waiting
from app.services.applications.deciding import execute_rejection, execute_waiting
from app.services.applications.granting import execute_grant, reject_grant
from app.services.approvals.bands import execute_set_bands
from app.services.approvals.delegations import execute_delegation
from app.services.approvals.requests import Decision
from app.services.budgets.appropriations import execute_appropriate
from app.services.budgets.close_execution import execute_close_year
from app.services.budgets.quotas import execute_move_quota
from app.services.corrections.reversals import execute_reversal
from app.services.identity.resets import execute_reset_password, execute_reset_second_factor
from app.services.identity.roles import execute_grant_roles
from app.services.issuance.batches import execute_issue_batch, reject_issue_batch
from app.services.notices.answering import execute_decide_objection
from app.services.notices.notices import execute_publish_notice, execute_withdraw_notice, reject_publish_notice
from app.services.payments.orders import execute_order_payment, reject_order_payment
from app.services.payments.payee_accounts import execute_change_payee_account, reject_change_payee_account
from app.services.programmes.admissions import execute_admit_provider, reject_admit_provider
from app.services.programmes.closing import execute_close_programme
from app.services.programmes.programmes import (
    execute_publish_programme,
    execute_resume_programme,
    reject_publish_programme,
)
from app.services.programmes.rule_versions import execute_publish_rule_version
from app.services.programmes.suspensions import execute_delist, execute_resume, execute_suspend
from app.services.standing.debarments import execute_debar, execute_lift
from app.services.vouchers.lifecycle import execute_extend, execute_freeze, execute_unfreeze, execute_void


def _nothing_to_undo(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """The request had changed nothing."""


@dataclass(frozen=True, slots=True)
class Act:
    """Called as `execute(tx, command=…, decision=…)` inside the approving transaction."""

    execute: Callable[..., None]
    reject: Callable[..., None] = _nothing_to_undo


ACTS: Mapping[ApprovalKind, Act] = {
    ApprovalKind.PUBLISH_PROGRAMME: Act(execute_publish_programme, reject_publish_programme),
    ApprovalKind.PUBLISH_RULE_VERSION: Act(execute_publish_rule_version),
    ApprovalKind.ADMIT_PROVIDER: Act(execute_admit_provider, reject_admit_provider),
    ApprovalKind.APPROPRIATE: Act(execute_appropriate),
    ApprovalKind.CLOSE_YEAR: Act(execute_close_year),
    ApprovalKind.MOVE_QUOTA: Act(execute_move_quota),
    ApprovalKind.ISSUE_BATCH: Act(execute_issue_batch, reject_issue_batch),
    ApprovalKind.ALLOCATE: Act(execute_allocate, reject_allocate),
    ApprovalKind.CANCEL_ALLOCATION: Act(execute_cancel_allocation),
    ApprovalKind.PROMOTE_WAITING: Act(execute_promote_waiting, reject_promote_waiting),
    ApprovalKind.END_WAITING: Act(execute_end_waiting),
    ApprovalKind.FREEZE_VOUCHER: Act(execute_freeze),
    ApprovalKind.UNFREEZE_VOUCHER: Act(execute_unfreeze),
    ApprovalKind.VOID_VOUCHER: Act(execute_void),
    ApprovalKind.EXTEND_VOUCHER: Act(execute_extend),
    ApprovalKind.CLOSE_PROGRAMME: Act(execute_close_programme),
    ApprovalKind.SUSPEND_PROVIDER: Act(execute_suspend),
    ApprovalKind.RESUME_PROVIDER: Act(execute_resume),
    ApprovalKind.DELIST_PROVIDER: Act(execute_delist),
    ApprovalKind.GRANT_ROLES: Act(execute_grant_roles),
    ApprovalKind.RESET_PASSWORD: Act(execute_reset_password),
    ApprovalKind.RESET_SECOND_FACTOR: Act(execute_reset_second_factor),
    ApprovalKind.ORDER_PAYMENT: Act(execute_order_payment, reject_order_payment),
    ApprovalKind.REVERSE_ENTRY: Act(execute_reversal),
    ApprovalKind.GRANT_APPLICATIONS: Act(execute_grant, reject_grant),
    ApprovalKind.REJECT_APPLICATION: Act(execute_rejection),
    ApprovalKind.WAITLIST_APPLICATION: Act(execute_waiting),
    ApprovalKind.PUBLISH_NOTICE: Act(execute_publish_notice, reject_publish_notice),
    ApprovalKind.WITHDRAW_NOTICE: Act(execute_withdraw_notice),
    ApprovalKind.DECIDE_OBJECTION: Act(execute_decide_objection),
    ApprovalKind.DEBAR: Act(execute_debar),
    ApprovalKind.LIFT_DEBARMENT: Act(execute_lift),
    ApprovalKind.RESUME_PROGRAMME: Act(execute_resume_programme),
    ApprovalKind.SET_APPROVAL_BANDS: Act(execute_set_bands),
    ApprovalKind.DELEGATE_POWER: Act(execute_delegation),
    ApprovalKind.CHANGE_PAYEE_ACCOUNT: Act(execute_change_payee_account, reject_change_payee_account),
}
assert set(ACTS) == set(ApprovalKind), "every kind of approval can be executed"
