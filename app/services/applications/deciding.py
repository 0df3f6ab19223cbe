"""Rejecting an application, and letting it wait for money: asked for by a maker, done when a checker approves.

Until then nobody but officials knows of it: the firm's history gets its event, and the reason, with the decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import ApplicationAct, ApplicationLevel, ApplicationStatus, ApprovalKind, Role
from app.models import Application, IssuanceRow, Programme
from app.services.applications.access import lock_as_official
from app.services.applications.records import ApplicationRecord, load
from app.services.applications.states import next_status
from app.services.applications.writing import act_on
from app.services.approvals.requests import Decision, request_approval
from app.services.identity.principals import Caller
from app.services.issuance.batches import load_pools, rules_in_force
from app.services.issuance.plans import draws
from app.sql import now


def request_rejection(tx: Connection, *, caller: Caller, application_id: str, reason: str) -> str:
    """Ask a checker to refuse it, with the reason that the firm will read; returns the approval's id.

    The officials' time runs on until it is decided. Raises `forbidden`, `not_found`, `wrong_state`, `approval_pending`
    while its grant, its rejection or its waiting is asked for already.
    """
    application = _to_decide(tx, caller, application_id, ApplicationAct.REJECT)
    return _ask(tx, caller, application, ApprovalKind.REJECT_APPLICATION, reason, {})


def execute_rejection(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Refuse it. Raises `application_changed` where it is not as the maker saw it, `approval_pending` if proposed."""
    application = _unchanged(tx, command, decision)
    _act(tx, application, ApplicationAct.REJECT, command, decision)


def request_waiting(tx: Connection, *, caller: Caller, application_id: str, reason: str) -> str:
    """Ask a checker to put a reviewed one on the waiting list (候补), where it keeps the place of its first submission.

    Only where the pool cannot carry it beside what is proposed already and those that have waited longer; else
    `pool_suffices`. Returns the approval's id; raises besides what `request_rejection` does.
    """
    application = _to_decide(tx, caller, application_id, ApplicationAct.WAITLIST)
    free_fen = _shortfall(tx, application)
    return _ask(tx, caller, application, ApprovalKind.WAITLIST_APPLICATION, reason, {"free_fen": free_fen})


def execute_waiting(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Put it on the list; nothing is due of officials while it waits for money.

    Raises what `execute_rejection` does, and `pool_suffices` where there is enough by now.
    """
    application = _unchanged(tx, command, decision)
    next_status(ApplicationAct.WAITLIST, ApplicationStatus(application.status))
    told = {"assessed_fen": application.assessed_fen, "free_fen": _shortfall(tx, application)}
    changes = {"clock_from_on": None, "clock_days": None}
    _act(tx, application, ApplicationAct.WAITLIST, command, decision, changes=changes, told=told)


def _to_decide(tx: Connection, caller: Caller, application_id: str, act: ApplicationAct) -> ApplicationRecord:
    application = lock_as_official(tx, caller=caller, application_id=application_id)
    _require_not_proposed(application)
    next_status(act, ApplicationStatus(application.status))
    return application


def _require_not_proposed(application: ApplicationRecord) -> None:
    if application.batch_id is not None and application.voucher_id is None:
        raise AppError(Code.APPROVAL_PENDING)


def _ask(
    tx: Connection,
    caller: Caller,
    application: ApplicationRecord,
    kind: ApprovalKind,
    reason: str,
    told: Mapping[str, int],
) -> str:
    authority_id, county_code = _decided_by(caller, application)
    assessed_fen = application.assessed_fen
    return request_approval(
        tx,
        caller=caller,
        kind=kind,
        region_code=application.region_code,
        authority_id=authority_id,
        county_code=county_code,
        required_role=Role.CHECKER,
        subject_id=application.id,
        command={"application_id": application.id, "version": application.version, "reason": reason},
        effect={
            "programme": application.programme_title,
            "firm": application.firm_name,
            "status": application.status,
            "amount_fen": application.amount_fen,
            **({"assessed_fen": assessed_fen} if assessed_fen is not None else {}),
            **told,
        },
        amount_fen=assessed_fen or application.amount_fen,
        reason=reason,
        within_id=application.programme_id,
    )


def _decided_by(caller: Caller, application: ApplicationRecord) -> tuple[str | None, str | None]:
    """Whose checkers decide: the authority's, or those of the county's that has it on its desk."""
    if application.level != ApplicationLevel.COUNTY:
        return application.authority_id, None
    county = application.district_code
    held = next(grant for grant in caller.regions(Role.MAKER) if grant.region_code == county)
    return held.authority_id, county


def _unchanged(tx: Connection, command: Mapping[str, Any], decision: Decision) -> ApplicationRecord:
    """The application, locked, as the maker saw it when he asked."""
    application = load(tx, decision.region_code, str(command["application_id"]), lock=True)
    assert application is not None, "applications are never deleted"
    _require_not_proposed(application)
    if application.version != command["version"]:
        raise AppError(Code.APPLICATION_CHANGED, application_id=application.id, status=application.status)
    return application


def _act(
    tx: Connection,
    application: ApplicationRecord,
    act: ApplicationAct,
    command: Mapping[str, Any],
    decision: Decision,
    *,
    changes: Mapping[str, Any] | None = None,
    told: Mapping[str, Any] | None = None,
) -> None:
    act_on(
        tx,
        application,
        act,
        caller=decision.checker,
        at=decision.at,
        changes=changes,
        reason=str(command["reason"]),
        details={"approval": decision.approval_id, "maker": decision.maker_id, **(told or {})},
    )


def _shortfall(tx: Connection, application: ApplicationRecord) -> int:
    """What is free for it in the pool that is short, in fen. Raises `pool_suffices` where none is."""
    assert application.assessed_fen is not None, "a CHECK holds it"
    at = now(tx)
    rules = rules_in_force(tx, application.region_code, application.programme_id, at).rules
    year = tx.execute(
        select(Programme.fiscal_year).where(
            Programme.region_code == application.region_code, Programme.id == application.programme_id
        )
    ).scalar_one()
    pools = load_pools(tx, application.region_code, application.programme_id, year)
    proposed = tx.execute(
        select(IssuanceRow.face_value_fen).where(
            IssuanceRow.region_code == application.region_code,
            IssuanceRow.programme_id == application.programme_id,
            IssuanceRow.rejected_at.is_(None),
            IssuanceRow.voucher_id.is_(None),
        )
    ).scalars()
    earlier = tx.execute(
        select(Application.assessed_fen).where(
            Application.region_code == application.region_code,
            Application.programme_id == application.programme_id,
            Application.status == ApplicationStatus.WAITLISTED,
            Application.batch_id.is_(None),
            Application.submitted_at < application.submitted_at,
        )
    ).scalars()
    before: list[int] = [*proposed, *(fen for fen in earlier if fen is not None)]
    available_fen: int = sum(pool.available_fen for pool in pools.values())
    try:
        draws([*before, application.assessed_fen], rules.fund_sources, pools)
    except AppError as short:
        if short.code is not Code.BUDGET_EXHAUSTED:
            raise
        return max(0, available_fen - sum(before))
    raise AppError(Code.POOL_SUFFICES, available_fen=available_fen - sum(before), actual_fen=application.assessed_fen)
