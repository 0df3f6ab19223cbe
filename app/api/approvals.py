"""Approvals: one list of everything that waits for another person, step by step."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.api.authentication import CallerDep, FreshCallerDep
from app.api.context import ServiceDep
from app.api.etags import IfMatchGiven, etag
from app.api.fields import AnyId, Printable, Read, Reason, ShownInstant, Wire
from app.api.jobs import ACCEPTED, Prefer, as_job, is_asynchronous
from app.api.keys import IdempotencyKey, created, do_once
from app.api.paging import Cursor, Limit, Page, page_of
from app.kernel.ids import require_region
from app.kernel.money import MAX_FEN
from app.kernel.vocabulary import ApprovalKind, ApprovalStatus, JobKind, Role, StepOutcome
from app.services.approvals.decisions import (
    ApprovalRecord,
    Seen,
    approve,
    list_approvals,
    reject,
    withdraw,
)
from app.services.approvals.foresight import foresee
from app.services.approvals.powers import DECIDERS, powers_of, require_any
from app.services.approvals.reads import Wanted, total_approvals
from app.services.approvals.words import in_words
from app.services.identity.principals import Caller

router = APIRouter(prefix="/v1/approvals", tags=["approvals"])


class StepRead(Read):
    """One step: of which role, and once it is decided by whom and in whose place."""

    step: int
    role: Role
    outcome: StepOutcome | None
    decided_at: ShownInstant | None
    decided_by: str | None
    on_behalf_of: str | None
    note: str | None


class InWordsRead(Read):
    """What approving does, in a sentence."""

    zh: str
    en: str


class ApprovalRead(Read):
    """What was asked: the exact command with its SHA-256, and in numbers and words what approving does.

    `required_role` is whose turn it is. `expires_at` is until when it can be approved (null: no end).
    """

    id: str
    region_code: str
    kind: ApprovalKind
    status: ApprovalStatus
    authority_id: str | None
    county_code: Annotated[str | None, Field(description="Where a county issues in the programme of its city")]
    required_role: Role
    steps: tuple[StepRead, ...]
    subject_id: str
    command: dict[str, Any]
    command_sha256: str
    effect: dict[str, Any]
    in_words: InWordsRead
    amount_fen: int | None
    reason: str | None
    made_at: ShownInstant
    made_by: str
    expires_at: ShownInstant | None
    decided_at: ShownInstant | None
    decided_by: str | None
    decision_note: str | None


class PersonRead(Read):
    """Somebody who may take the next step."""

    id: str
    name: str


class ApprovalForeseen(ApprovalRead):
    """One approval, held against the state of this instant.

    `effect_now` is what it would do now (null where nothing of it can move), `has_moved` that this differs from the
    effect as asked. `next_people` may take the next step by a role of their own, at most twenty.
    """

    effect_now: dict[str, Any] | None
    has_moved: bool
    next_people: tuple[PersonRead, ...]


class KindTotalRead(Read):
    """What the approvals of one kind come to."""

    kind: ApprovalKind
    count: int
    amount_fen: int


class ApprovalPage(Page[ApprovalRead]):
    """One page, with the totals of all that the filter finds."""

    count: int
    amount_fen: int
    totals: list[KindTotalRead]


Amount = Annotated[int | None, Query(ge=0, le=MAX_FEN, description="Fen (分), without its sign")]
COMMAND_SHA256 = "What you have seen: another command is refused (`command_differs`)"
ON_BEHALF_OF = (
    "The colleague in whose place you decide, by a delegation; your own role counts first where it is left out"
)


class ApproveBody(Wire):
    """An optional remark for the record."""

    note: Reason | None = None
    command_sha256: Annotated[str | None, Field(pattern="^[0-9a-f]{64}$", description=COMMAND_SHA256)] = None
    on_behalf_of: Annotated[AnyId | None, Field(description=ON_BEHALF_OF)] = None


class RejectBody(Wire):
    """Why not."""

    reason: Reason
    on_behalf_of: Annotated[AnyId | None, Field(description=ON_BEHALF_OF)] = None


class WithdrawBody(Wire):
    """An optional remark for the record."""

    note: Reason | None = None


def shown_approval(record: ApprovalRecord) -> ApprovalRead:
    """An approval on the wire."""
    return ApprovalRead(**_shown(record))


def _shown(record: ApprovalRecord) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in ApprovalRecord.__slots__}
    command, effect = orjson.loads(record.command), orjson.loads(record.effect)
    told = in_words(
        record.kind, subject_id=record.subject_id, amount_fen=record.amount_fen, command=command, effect=effect
    )
    decided = {one.step: one for one in record.decisions}
    steps = [
        StepRead.model_validate(decided[number])
        if number in decided
        else StepRead(
            step=number,
            role=Role(role),
            outcome=None,
            decided_at=None,
            decided_by=None,
            on_behalf_of=None,
            note=None,
        )
        for number, role in enumerate(record.steps, start=1)
    ]
    return values | {"command": command, "effect": effect, "in_words": told, "steps": steps}


@router.get("")
def read_approvals(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    status: Annotated[ApprovalStatus | None, Query()] = None,
    kind: Annotated[ApprovalKind | None, Query()] = None,
    authority_id: Annotated[AnyId | None, Query()] = None,
    subject_id: Annotated[
        Annotated[str, Printable] | None, Query(max_length=100, description="The programme, batch, voucher …")
    ] = None,
    amount_from_fen: Amount = None,
    amount_to_fen: Amount = None,
    *,
    mine: Annotated[bool, Query(description="Only what waits for a step that you may take")] = False,
    asked_by_me: Annotated[bool, Query(description="Only what you have asked for")] = False,
) -> ApprovalPage:
    """What you may decide, and what you asked for, newest first; with the totals of all that the filter finds."""
    wanted = Wanted(
        status=status,
        kind=kind,
        authority_id=authority_id,
        subject_id=subject_id,
        amount_from_fen=amount_from_fen,
        amount_to_fen=amount_to_fen,
        mine_to_decide=mine,
        mine_asked=asked_by_me,
    )
    records, totals = service.database.transact(
        lambda tx: (
            list_approvals(tx, caller=caller, limit=limit + 1, before_id=cursor, wanted=wanted),
            total_approvals(tx, caller=caller, wanted=wanted),
        )
    )
    page = page_of([shown_approval(record) for record in records], limit)
    return ApprovalPage(
        data=page.data,
        next_cursor=page.next_cursor,
        count=sum(one.count for one in totals),
        amount_fen=sum(one.amount_fen for one in totals),
        totals=[KindTotalRead.model_validate(one) for one in totals],
    )


@router.get("/{approval_id}")
def read_one_approval(
    approval_id: AnyId, caller: CallerDep, service: ServiceDep, response: Response
) -> ApprovalForeseen:
    """One approval, what it would do now, and who may take the next step. Its ETag goes into If-Match."""
    seen = service.database.transact(lambda tx: foresee(tx, caller=caller, approval_id=approval_id))
    response.headers["ETag"] = etag(seen.approval.version)
    return ApprovalForeseen(
        **_shown(seen.approval),
        effect_now=seen.effect_now,
        has_moved=seen.has_moved,
        next_people=tuple(PersonRead.model_validate(person) for person in seen.next_people),
    )


@router.post("/{approval_id}/approve", response_model=ApprovalRead, responses=ACCEPTED)
def approve_one(
    approval_id: AnyId,
    caller: FreshCallerDep,
    key: IdempotencyKey,
    version: IfMatchGiven,
    service: ServiceDep,
    request: Request,
    body: ApproveBody | None = None,
    prefer: Prefer = None,
) -> Response:
    """Take the step whose turn it is; the last one executes what was asked.

    You must be another person than the one who asked and those who took the steps before. With If-Match or
    `command_sha256` you approve what you have seen, and nothing else.
    """
    _require_powers(service, caller)
    asked = body or ApproveBody()
    region_code = require_region(approval_id, what="approval")
    beyond = {name: getattr(asked, name) for name in ("command_sha256", "on_behalf_of") if getattr(asked, name)}

    def work() -> Response:
        return do_once(
            service,
            request,
            caller=caller,
            region_code=region_code,
            route="POST /v1/approvals/{id}/approve",
            key=key,
            command={"approval_id": approval_id, "note": asked.note, **beyond},
            work=lambda tx: approve(
                tx,
                caller=caller,
                approval_id=approval_id,
                note=asked.note,
                on_behalf_of=asked.on_behalf_of,
                seen=Seen(asked.command_sha256, version),
            ),
            render=lambda record: created(shown_approval(record), record.id, status=200),
        )

    if not is_asynchronous(prefer):
        return work()
    return as_job(
        service, request, caller, region_code=region_code, kind=JobKind.APPROVE, subject=approval_id, work=work
    )


@router.post("/{approval_id}/reject")
def reject_one(
    approval_id: AnyId, body: RejectBody, caller: FreshCallerDep, version: IfMatchGiven, service: ServiceDep
) -> ApprovalRead:
    """Refuse what was asked, with a reason, at any step; nothing is executed."""
    _require_powers(service, caller)
    return shown_approval(
        service.database.transact(
            lambda tx: reject(
                tx,
                caller=caller,
                approval_id=approval_id,
                note=body.reason,
                on_behalf_of=body.on_behalf_of,
                seen=Seen(version=version),
            )
        )
    )


@router.post("/{approval_id}/withdraw")
def withdraw_one(
    approval_id: AnyId, caller: CallerDep, service: ServiceDep, body: WithdrawBody | None = None
) -> ApprovalRead:
    """Take back what you asked for, while it still waits; nothing is executed."""
    note = body.note if body else None
    return shown_approval(
        service.database.transact(lambda tx: withdraw(tx, caller=caller, approval_id=approval_id, note=note))
    )


def _require_powers(service: ServiceDep, caller: Caller) -> None:
    """Refuse who can decide nothing anywhere before anything is kept of his request."""
    if caller.principal.roles.isdisjoint(DECIDERS):
        service.database.transact(lambda tx: require_any(powers_of(tx, caller)))
