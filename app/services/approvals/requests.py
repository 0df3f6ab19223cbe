"""Asking for a second person: the exact command is stored with its hash, and nothing else happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from app.kernel.canonical import canonical, sha256_hex
from app.kernel.ids import new_id
from app.kernel.vocabulary import ApprovalKind, ApprovalStatus, Role
from app.models import Approval
from app.services import audit
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
    county_code: str | None = None,
) -> str:
    """Store what the caller wants done and return the approval's id.

    `command` is all that the execution will need; `effect` says in numbers what it will do. With a `county_code` it is
    officials of that county's `authority_id` who decide. Raises `approval_pending` where the same act on the same
    subject already waits.
    """
    at = now(tx)
    approval_id = new_id("apv", region_code)
    written = canonical(dict(command))
    tx.execute(
        insert(Approval).values(
            region_code=region_code,
            id=approval_id,
            kind=kind,
            authority_id=authority_id,
            county_code=county_code,
            required_role=required_role,
            subject_id=subject_id,
            command=written.decode(),
            command_sha256=sha256_hex(written),
            effect=canonical(dict(effect)).decode(),
            amount_fen=amount_fen,
            status=ApprovalStatus.PENDING,
            reason=reason,
            made_at=at,
            made_by=caller.principal_id,
        )
    )
    audit.record(
        tx,
        caller=caller,
        region_code=region_code,
        action=f"{kind}.requested",
        object_id=subject_id,
        at=at,
        details={"approval": approval_id, "command_sha256": sha256_hex(written)},
    )
    return approval_id
