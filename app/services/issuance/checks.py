"""Everything about a batch that can be wrong, found in one pass: the rows themselves, firms, validity, terms, reference
numbers, and the figures declared for them. Submission refuses with it, the annotated copy shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from app.kernel.clock import SHANGHAI
from app.kernel.money import format_yuan
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import Checkpoint, ProgrammeStatus
from app.services.identity.principals import Caller
from app.services.issuance.batches import rules_in_force
from app.services.issuance.plans import Firm, PlannedRow, plan_rows
from app.services.issuance.relations import related_to_all
from app.services.issuance.rows import MAX_ERRORS, GrantRow, Layout
from app.services.issuance.words import CellProblem, Field
from app.services.programmes.programmes import Issuer, ProgrammeRecord, lock_programme_to_issue
from app.services.rules.model import Rules
from app.services.standing.loading import debarred_firms
from app.sql import now

_FIRMS = text(
    "SELECT id, name, identifier_type, identifier_value, region_code FROM organisations WHERE kind = 'firm'"
    " AND (id = ANY(CAST(:ids AS text[]))"
    " OR identifier_type = 'uscc' AND identifier_value = ANY(CAST(:usccs AS text[])))"
)
_USED_REFERENCES = text(
    "SELECT r.reference_no, r.batch_id, b.county_code, b.authority_id FROM issuance_rows r"
    " JOIN issuance_batches b ON b.region_code = r.region_code AND b.id = r.batch_id"
    " WHERE r.region_code = :region_code AND r.programme_id = :programme_id AND r.rejected_at IS NULL"
    " AND r.reference_no = ANY(CAST(:references AS text[]))"
)


@dataclass(frozen=True, slots=True)
class Submission:
    """What a maker sends: the rows, the figures he declares for them, and the file they came from."""

    programme_id: str
    rows: tuple[GrantRow, ...]
    layout: Layout
    declared_count: int
    declared_total_fen: int
    file_name: str | None = None
    file_sha256: str | None = None
    errors: tuple[FieldError, ...] = ()
    """What is known to be wrong already; it is told together with all that is found besides."""

    effect: Mapping[str, Any] = field(default_factory=dict)
    """What the checker is to see beside the figures."""

    @property
    def total_fen(self) -> int:
        """The sum of the face values."""
        return sum(row.face_value_fen for row in self.rows)

    @property
    def application_ids(self) -> tuple[str, ...]:
        """The applications that it grants; none where an authority issues by itself."""
        return tuple(row.application_id for row in self.rows if row.application_id is not None)


@dataclass(frozen=True, slots=True)
class Checked:
    """A batch that was held against programme, registry and earlier batches."""

    rules: Rules
    rows: tuple[PlannedRow, ...]
    of_rows: tuple[FieldError, ...]
    of_references: tuple[FieldError, ...]
    """Numbers that were issued or submitted before."""
    of_declaration: tuple[FieldError, ...]

    @property
    def complaints(self) -> list[FieldError]:
        """All of them, by row; about the declared figures first."""
        found = [*self.of_declaration, *self.of_rows, *self.of_references]
        return sorted(found, key=lambda error: error.row or 0)

    def require_sound(self, submission: Submission) -> None:
        """Raise with every complaint at once where there is one, MAX_ERRORS of them listed.

        `sheet_invalid` (JSON: `validation_failed`); where nothing else is wrong, `reference_already_used` or
        `declaration_mismatch`.
        """
        found = self.complaints
        if self.of_rows:
            raise submission.layout.refusal(found)
        if self.of_references:
            raise AppError(Code.REFERENCE_ALREADY_USED, count=len(self.of_references), errors=found[:MAX_ERRORS])
        if self.of_declaration:
            raise AppError(
                Code.DECLARATION_MISMATCH,
                limit=f"{submission.declared_count} / {format_yuan(submission.declared_total_fen)}",
                actual=f"{len(submission.rows)} / {format_yuan(submission.total_fen)}",
                errors=found,
            )


def check(
    tx: Connection, programme: ProgrammeRecord, submission: Submission, *, issuer: Issuer | None = None, at: datetime
) -> Checked:
    """Find all that is wrong with a batch, as if it were issued now. The caller holds the programme's lock.

    Applications are granted after the programme has ceased to take them, too. The programme's own authority issues
    where no `issuer` is named; a county does to firms of its own, and is told of no batch but its own.

    Raises `wrong_state` where the programme is not published, not open, or its rules are not in force.
    """
    issuer = issuer or Issuer(programme.authority_id, None)
    _require_published(programme)
    if not submission.application_ids:
        _require_open(programme, at)
    rules = rules_in_force(tx, programme.region_code, programme.id, at).rules
    firms = _firms(tx, submission.rows)
    rows, errors = plan_rows(submission.rows, firms, rules, submission.layout, county_code=issuer.county_code, at=at)
    errors += _debarred(tx, programme, submission, rows, at)
    errors += _related(tx, programme, submission, rows, rules, at)
    return Checked(
        rules=rules,
        rows=rows,
        of_rows=(*submission.errors, *errors),
        of_references=tuple(_used_references(tx, programme, submission, issuer)),
        of_declaration=tuple(_wrong_figures(submission)),
    )


def find_complaints(tx: Connection, *, caller: Caller, submission: Submission) -> list[FieldError]:
    """Everything that is wrong with a batch, by row, however much it is.

    Raises AppError: `forbidden`, `not_found`, `wrong_state`.
    """
    programme, issuer = lock_programme_to_issue(tx, caller=caller, programme_id=submission.programme_id)
    return check(tx, programme, submission, issuer=issuer, at=now(tx)).complaints


def _require_published(programme: ProgrammeRecord) -> None:
    if programme.status == ProgrammeStatus.CLOSED:
        raise AppError(Code.PROGRAMME_CLOSED)
    if programme.status != ProgrammeStatus.PUBLISHED:
        raise AppError(Code.WRONG_STATE, actual=programme.status, expected=ProgrammeStatus.PUBLISHED)


def _require_open(programme: ProgrammeRecord, at: datetime) -> None:
    if not programme.opens_at <= at < programme.closes_at:
        opens, closes, today = (
            f"{instant.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
            for instant in (programme.opens_at, programme.closes_at, at)
        )
        raise AppError(Code.WRONG_STATE, actual=today, expected=f"{opens} – {closes}")


def _wrong_figures(submission: Submission) -> list[FieldError]:
    """The declared figures that differ. What could not be read makes a sum that would only mislead."""
    if not submission.rows:
        return []
    found: list[tuple[str, int, int, Callable[[int], str]]] = [
        ("/declared_count", submission.declared_count, len(submission.rows), str)
    ]
    if all(row.face_value_fen for row in submission.rows):
        found.append(("/declared_total_fen", submission.declared_total_fen, submission.total_fen, _in_yuan))
    return [
        FieldError(
            place,
            Code.DECLARATION_MISMATCH,
            CellProblem("declaration_mismatch", limit=shown(said), actual=shown(counted)).sentence(
                submission.layout.language
            ),
            limit=said,
            actual=counted,
        )
        for place, said, counted, shown in found
        if said != counted
    ]


def _in_yuan(fen: int) -> str:
    return f"{format_yuan(fen)} 元"


def _firms(tx: Connection, rows: Sequence[GrantRow]) -> dict[str, Firm]:
    usccs = sorted({row.uscc for row in rows if row.uscc})
    ids = sorted({row.firm_id for row in rows if row.firm_id})
    firms: dict[str, Firm] = {}
    for found in tx.execute(_FIRMS, {"usccs": usccs, "ids": ids}):
        firms[found.id] = Firm(found.id, found.name, found.region_code)
        if found.identifier_type == "uscc":
            firms[found.identifier_value] = firms[found.id]
    return firms


def _debarred(
    tx: Connection, programme: ProgrammeRecord, submission: Submission, rows: Sequence[PlannedRow], at: datetime
) -> list[FieldError]:
    barred = debarred_firms(tx, programme.region_code, Checkpoint.ISSUE, at=at)
    found = {
        firm_id: CellProblem("firm_debarred", limit=one.document_no, actual=f"{one.name} ({one.period})")
        for firm_id, one in barred.items()
    }
    return list(_of_firms(submission, rows, found))


def _related(
    tx: Connection,
    programme: ProgrammeRecord,
    submission: Submission,
    rows: Sequence[PlannedRow],
    rules: Rules,
    at: datetime,
) -> list[FieldError]:
    """Who could only buy from himself is given no voucher to do it with."""
    firms = {row.firm_id: row.firm_name for row in rows}
    signs = related_to_all(tx, programme.region_code, programme.id, firms, rules, at=at)
    found = {firm_id: CellProblem("firm_related", limit=told, actual=firms[firm_id]) for firm_id, told in signs.items()}
    return list(_of_firms(submission, rows, found))


def _of_firms(
    submission: Submission, rows: Sequence[PlannedRow], found: Mapping[str, CellProblem]
) -> Iterator[FieldError]:
    """Complaints about firms, at the cells that name them."""
    if not found:
        return
    field = {row.row_no: Field.USCC if row.uscc else Field.FIRM_ID for row in submission.rows}
    for row in rows:
        if row.firm_id in found:
            yield submission.layout.complaint(row.row_no, field[row.row_no], found[row.firm_id])


def _used_references(
    tx: Connection, programme: ProgrammeRecord, submission: Submission, issuer: Issuer
) -> list[FieldError]:
    asked = {
        "region_code": programme.region_code,
        "programme_id": programme.id,
        "references": [row.reference_no for row in submission.rows],
    }
    used = {
        found.reference_no: CellProblem("reference_already_used", limit=found.batch_id, actual=found.reference_no)
        if issuer.sees(found.county_code, found.authority_id)
        else CellProblem("reference_used_by_another", actual=found.reference_no)
        for found in tx.execute(_USED_REFERENCES, asked)
    }
    return [
        submission.layout.complaint(row.row_no, Field.REFERENCE_NO, used[row.reference_no])
        for row in submission.rows
        if row.reference_no in used
    ]
