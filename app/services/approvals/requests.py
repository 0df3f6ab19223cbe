"""Asking for a second person: the exact command is stored with its hash, and nothing else happens."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from app.kernel.canonical import canonical, sha256_hex
from app.kernel.clock import rfc3339
from app.kernel.ids import new_id
from app.kernel.vocabulary import ApprovalKind, ApprovalStatus, Role
from app.models import Approval
from app.services import audit
from app.services.approvals.band_tables import table_in_force
from app.services.approvals.splitting import noticed_splitting
from app.services.approvals.steps import Steps, steps_of
from app.services.identity.principals import Caller
from app.services.ledger.entries import Cause
from app.sql import now


@dataclass(frozen=True, slots=True)
class Decision:
    """The approval that an act is executed under: two persons, one instant."""

    checker: Caller
    maker_id: str
    approval_id: str
    region_code: str
    at: datetime

    @property
    def cause(self) -> Cause:
        """What entries made under it name: the checker's request, and both persons."""
        return Cause(
            self.checker.principal_id,
            self.checker.organisation_id,
            self.checker.request_id,
            maker_id=self.maker_id,
            checker_id=self.checker.principal_id,
            approval_id=self.approval_id,
        )


def request_approval(
    tx: Connection,
    *,
    caller: Caller,
    kind: ApprovalKind,
    region_code: str,
    authority_id: str | None,
    required_role: Role,
    subject_id: str,
    command: Mapping[str, Any],
    effect: Mapping[str, Any],
    amount_fen: int | None = None,
    reason: str | None = None,
    within_id: str | None = None,
    barred_ids: Collection[str] = (),
    steps: tuple[Role, ...] | None = None,
    county_code: str | None = None,
) -> str:
    """Store what the caller wants done and return the approval's id.

    `command` is all that the execution will need; `effect` says in numbers what it will do. `amount_fen` chooses the
    band, and so the steps, which are frozen here; `steps` states them where no table may change them. `within_id` names
    the whole (programme, payee) of which this may be a part that was split off. `barred_ids` may not decide, besides
    the caller. With a `county_code` it is the checkers of that county's `authority_id` who decide. Raises
    `approval_pending` where the same act on the same subject already waits.
    """
    at = now(tx)
    approval_id = new_id("apv", region_code)
    written = canonical(dict(command))
    table = None if steps else table_in_force(tx, county_code or region_code, authority_id, kind, at=at)
    if county_code and not steps and table is None:
        table = table_in_force(tx, region_code, authority_id, kind, at=at)
    chosen = (
        Steps(steps, None, None)
        if steps
        else steps_of(
            table, amount_fen=amount_fen, own_role=required_role, has_authority=authority_id is not None, at=at
        )
    )
    values = {
        "region_code": region_code,
        "kind": kind,
        "subject_id": subject_id,
        "amount_fen": amount_fen,
        "made_by": caller.principal_id,
        "within_id": within_id,
    }
    barred = sorted(set(barred_ids) - {caller.principal_id})
    splitting = noticed_splitting(tx, values, table, at=at)
    tx.execute(
        insert(Approval).values(
            **values,
            id=approval_id,
            authority_id=authority_id,
            county_code=county_code,
            required_role=chosen.roles[0],
            command=written.decode(),
            command_sha256=sha256_hex(written),
            effect=canonical({**effect, "splitting": splitting} if splitting else dict(effect)).decode(),
            status=ApprovalStatus.PENDING,
            reason=reason,
            made_at=at,
            steps=[str(role) for role in chosen.roles],
            steps_done=0,
            bands_id=chosen.bands_id,
            barred_ids=barred,
            expires_at=chosen.expires_at,
        )
    )
    audit.record(
        tx,
        caller=caller,
        region_code=region_code,
        action=f"{kind}.requested",
        object_id=subject_id,
        at=at,
        details={
            "approval": approval_id,
            "command_sha256": sha256_hex(written),
            "steps": [str(role) for role in chosen.roles],
            "barred": barred,
            "expires_at": rfc3339(chosen.expires_at) if chosen.expires_at else None,
        },
    )
    return approval_id
