"""Admissions: which providers may redeem in a programme, for which categories. Proposed by a maker, then approved."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.kernel.canonical import canonical
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import AdmissionStatus, ApprovalKind, OrganisationKind, ProgrammeStatus, Role
from app.models import Admission, Organisation
from app.services.approvals.requests import Decision, request_approval
from app.services.identity.principals import Caller
from app.services.notices.blocks import admission_subject, require_clear
from app.services.programmes.price_lists import wrong_prices
from app.services.programmes.programmes import is_official_of, lock_programme, read_programme
from app.services.redemption.grounds import ListedPrice, price_list, price_row
from app.sql import now


@dataclass(frozen=True, slots=True)
class AdmissionRecord:
    """A provider's place in a programme."""

    programme_id: str
    provider_id: str
    provider_name: str
    categories: tuple[str, ...]
    prices: tuple[ListedPrice, ...]
    status: str
    version: int
    updated_at: datetime


def propose_admission(
    tx: Connection,
    *,
    caller: Caller,
    programme_id: str,
    provider_id: str,
    categories: Sequence[str],
    prices: Sequence[ListedPrice] = (),
) -> tuple[AdmissionRecord, str]:
    """Ask a checker to list a provider, or to change its categories and prices; what is listed stays so meanwhile.

    The price list is approved as a whole and takes the place of the one before; none is none. Returns the admission
    as it stands and the approval's id. Raises `validation_failed` for a list that contradicts itself.
    """
    programme = lock_programme(tx, caller=caller, programme_id=programme_id, role=Role.MAKER)
    if programme.status == ProgrammeStatus.CLOSED:
        raise AppError(Code.PROGRAMME_CLOSED)
    provider = tx.execute(
        select(Organisation.name, Organisation.created_by).where(
            Organisation.id == provider_id, Organisation.kind == OrganisationKind.PROVIDER
        )
    ).one_or_none()
    if provider is None:
        raise AppError(
            Code.VALIDATION_FAILED, count=1, errors=[FieldError("/provider_id", "not_a_provider", actual=provider_id)]
        )
    if errors := wrong_prices(categories, prices):
        raise AppError(Code.VALIDATION_FAILED, count=len(errors), errors=errors)
    at = now(tx)
    wanted = sorted(set(categories))
    listed = [price_row(row) for row in prices]
    tx.execute(
        insert(Admission)
        .values(
            region_code=programme.region_code,
            programme_id=programme.id,
            provider_id=provider_id,
            categories=wanted,
            status=AdmissionStatus.PROPOSED,
            updated_at=at,
            updated_by=caller.principal_id,
        )
        .on_conflict_do_nothing()
    )
    approval_id = request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.ADMIT_PROVIDER,
        region_code=programme.region_code,
        authority_id=programme.authority_id,
        required_role=Role.CHECKER,
        subject_id=f"{programme.id}/{provider_id}",
        command={"programme_id": programme.id, "provider_id": provider_id, "categories": wanted, "prices": listed},
        effect={"programme": programme.title, "provider": provider.name, "categories": wanted, "prices": listed},
        within_id=programme.id,
        barred_ids=[provider.created_by],
    )
    return _read(tx, programme.region_code, programme.id, provider_id), approval_id


def execute_admit_provider(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """List the provider with the approved categories and prices.

    Raises `notice_running` while its admission is shown to the public, `under_objection` where somebody objects to it.
    """
    prices = command.get("prices")  # acts that were asked for before there were price lists have none
    tx.execute(
        update(Admission)
        .where(
            Admission.region_code == decision.region_code,
            Admission.programme_id == command["programme_id"],
            Admission.provider_id == command["provider_id"],
        )
        .values(
            categories=command["categories"],
            prices=canonical(prices).decode() if prices else None,
            status=AdmissionStatus.LISTED,
            version=Admission.version + 1,
            updated_at=decision.at,
            updated_by=decision.checker.principal_id,
        )
    )
    subject = admission_subject(command["programme_id"], command["provider_id"])
    require_clear(tx, region_code=decision.region_code, subject_ids=[subject])


def reject_admit_provider(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """A provider that was only proposed is not in the programme; one that is listed stays as it was."""
    tx.execute(
        update(Admission)
        .where(
            Admission.region_code == decision.region_code,
            Admission.programme_id == command["programme_id"],
            Admission.provider_id == command["provider_id"],
            Admission.status == AdmissionStatus.PROPOSED,
        )
        .values(
            status=AdmissionStatus.DELISTED,
            version=Admission.version + 1,
            updated_at=decision.at,
            updated_by=decision.checker.principal_id,
        )
    )


def read_admission(tx: Connection, *, caller: Caller, programme_id: str, provider_id: str) -> AdmissionRecord:
    """A provider's admission: for officials of the programme and the provider itself, for others where it is listed."""
    programme = read_programme(tx, caller=caller, programme_id=programme_id)
    admission = _read(tx, programme.region_code, programme.id, provider_id)
    concerned = provider_id == caller.organisation_id or is_official_of(caller, programme)
    if not concerned and admission.status != AdmissionStatus.LISTED:
        raise AppError(Code.NOT_FOUND, what="admission")
    return admission


def list_admissions(tx: Connection, *, caller: Caller, programme_id: str) -> list[AdmissionRecord]:
    """The providers of a programme that exists for the caller; who is no official of it sees the listed ones."""
    programme = read_programme(tx, caller=caller, programme_id=programme_id)
    listed = [] if is_official_of(caller, programme) else [Admission.status == AdmissionStatus.LISTED]
    rows = tx.execute(
        _query().where(*listed, Admission.region_code == programme.region_code, Admission.programme_id == programme.id)
    )
    return [_record(row) for row in rows]


def _query() -> Select[*tuple[Any, ...]]:
    return (
        select(Admission, Organisation.name.label("provider_name"))
        .join(Organisation, and_(Organisation.id == Admission.provider_id))
        .order_by(Admission.provider_id)
    )


def _read(tx: Connection, region_code: str, programme_id: str, provider_id: str) -> AdmissionRecord:
    row = tx.execute(
        _query().where(
            Admission.region_code == region_code,
            Admission.programme_id == programme_id,
            Admission.provider_id == provider_id,
        )
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="admission")
    return _record(row)


def _record(row: Row[Any]) -> AdmissionRecord:
    return AdmissionRecord(
        programme_id=row.programme_id,
        provider_id=row.provider_id,
        provider_name=row.provider_name,
        categories=tuple(row.categories),
        prices=price_list(json.loads(row.prices)) if row.prices else (),
        status=row.status,
        version=row.version,
        updated_at=row.updated_at,
    )
