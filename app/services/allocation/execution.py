"""What a checker's decision does to a round: the awards are issued and the others wait, or it goes back, or is over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert

from app.kernel.canonical import canonical
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import AllocationStatus
from app.models import AllocationAward
from app.services.allocation.applied import (
    approve,
    decline,
    judge_granted,
    lock_of_round,
    put_on_list,
    require_proposed,
)
from app.services.allocation.plans import application_amounts, awards_document, awards_of, awards_sha256
from app.services.allocation.stored import change, insert_waiting, load_frozen, lock_round, places_in, require_open
from app.services.approvals.requests import Decision
from app.services.issuance.batches import issue_rows, reject_issue_batch
from app.sql import now


def execute_allocate(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Issue exactly the awards that were submitted, computed anew from the frozen list; put the others on the list.

    Whom an objection to the batch's public notice keeps back keeps his turn and gets nothing, as one whose application
    was taken back. Raises what issuing a batch raises (`budget_exhausted`, `wrong_state`, `sheet_invalid`,
    `year_closed`), and what granting an application raises (`wrong_state`, `applicant_not_eligible`,
    `amount_out_of_range`): then nothing has happened and the approval still waits.
    """
    round_id = str(command["round_id"])
    applications = lock_of_round(tx, decision.region_code, round_id)
    _, locked = lock_round(tx, region_code=decision.region_code, round_id=round_id)
    if locked.status != AllocationStatus.SUBMITTED:
        raise AppError(Code.WRONG_STATE, actual=locked.status, expected=AllocationStatus.SUBMITTED)
    frozen = load_frozen(tx, locked)
    awards = awards_of(frozen, locked.seed, places_in(locked.left_out))
    digest = awards_sha256(locked.frozen_sha256, locked.seed, awards_document(awards))
    assert digest == locked.awards_sha256 == command["awards_sha256"], "the awards are those that were submitted"
    kept_back: dict[str, Any] = {}
    if locked.batch_id is not None:
        amounts = application_amounts(frozen, awards)
        require_proposed(applications, amounts, locked.batch_id)
        judged = judge_granted(tx, applications, amounts, at=now(tx))
        objected = issue_rows(tx, command=command, decision=decision)
        approve(tx, decision, applications, amounts, judged, batch_id=locked.batch_id)
        if objected:
            left_out = places_in(locked.left_out) | objected
            awards = awards_of(frozen, locked.seed, left_out)
            kept_back = {
                "left_out": canonical(sorted(left_out)).decode(),
                "awards_sha256": awards_sha256(locked.frozen_sha256, locked.seed, awards_document(awards)),
                "granted_total_fen": sum(award.granted_fen for award in awards),
            }
    waiting = {award.place for award in awards if award.waits_fen}
    put_on_list(
        tx,
        decision,
        [
            applications[one.application_id]
            for one in frozen.candidates
            if one.place in waiting and one.application_id is not None
        ],
        reason=locked.title,
    )
    at = now(tx)
    tx.execute(
        insert(AllocationAward),
        [
            {
                "region_code": locked.region_code,
                "round_id": locked.id,
                "place": award.place,
                "rank": award.rank,
                "granted_fen": award.granted_fen,
                "reason": award.reason,
                "waits_fen": award.waits_fen,
            }
            for award in awards
        ],
    )
    insert_waiting(tx, locked, frozen, awards, at=at)
    change(tx, locked, status=AllocationStatus.EXECUTED, decided_at=at, **kept_back)


def reject_allocate(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Close the batch without issuing. The round stands as before: the same awards may be submitted again."""
    round_id = str(command["round_id"])
    applications = lock_of_round(tx, decision.region_code, round_id)
    _, locked = lock_round(tx, region_code=decision.region_code, round_id=round_id)
    if locked.batch_id is not None:
        decline(tx, decision, applications, batch_id=locked.batch_id)
        reject_issue_batch(tx, command=command, decision=decision)
    change(
        tx,
        locked,
        status=AllocationStatus.DRAWN if locked.draws_at else AllocationStatus.FROZEN,
        left_out=None,
        awards_sha256=None,
        granted_total_fen=None,
        batch_id=None,
        approval_id=None,
    )


def execute_cancel_allocation(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Give the round up. Raises `wrong_state` where its awards were submitted meanwhile."""
    _, locked = lock_round(tx, region_code=decision.region_code, round_id=str(command["round_id"]))
    require_open(locked)
    change(
        tx,
        locked,
        status=AllocationStatus.CANCELLED,
        reason=str(command["reason"]),
        approval_id=decision.approval_id,
        decided_at=now(tx),
    )
