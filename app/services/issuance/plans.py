"""What a batch would do: to whom, how long, from which money. Pure; submission and issue decide alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from app.kernel.canonical import canonical, sha256_hex
from app.kernel.clock import SHANGHAI, end_of_day, rfc3339, start_of_day
from app.kernel.money import split_by_peeling
from app.kernel.names import same_name
from app.kernel.problems import AppError, Code, FieldError
from app.services.issuance.rows import GrantRow, Layout
from app.services.issuance.terms_checks import terms_problems
from app.services.issuance.words import CellProblem, Field
from app.services.rules.budget import FundShare
from app.services.rules.model import Rules


@dataclass(frozen=True, slots=True)
class Firm:
    """A registered firm, and where it is registered."""

    id: str
    name: str
    region_code: str = ""


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One voucher to be, as it is stored until a checker decides. None: as the rules say at the moment of issue."""

    row_no: int
    reference_no: str
    firm_id: str
    firm_name: str
    face_value_fen: int
    valid_from: datetime | None
    valid_until: datetime | None
    note: str | None
    terms: str | None = None
    """What officials fix with the grant, as canonical JSON."""
    application_id: str | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """A source of money and what is free in it."""

    id: str
    available_fen: int


@dataclass(frozen=True, slots=True)
class Draw:
    """What the batch takes from one pool. Amounts are fen."""

    fund_source: str
    pool_id: str
    amount_fen: int
    available_before_fen: int

    @property
    def available_after_fen(self) -> int:
        """What stays free."""
        return self.available_before_fen - self.amount_fen


def plan_rows(
    rows: Sequence[GrantRow],
    firms: Mapping[str, Firm],
    rules: Rules,
    layout: Layout,
    *,
    at: datetime,
    county_code: str | None = None,
) -> tuple[tuple[PlannedRow, ...], list[FieldError]]:
    """The rows with their firms (by code or id) and instants, and every complaint about them at once.

    Complained of are: firm unknown, of another name or of another county than the one that issues; validity over or
    upside down; terms that the rules do not allow.
    A row whose firm is not known is not planned; what could not be read was complained of before.
    """
    errors: list[FieldError] = []
    planned: list[PlannedRow] = []
    spans = _Spans(rules, at)
    for row in rows:
        asked = row.uscc or row.firm_id
        firm = firms.get(asked or "")
        if firm is None:
            if asked is not None:
                field = Field.USCC if row.uscc else Field.FIRM_ID
                errors.append(layout.complaint(row.row_no, field, CellProblem("firm_unknown", actual=asked)))
        elif row.firm_name is not None and not same_name(row.firm_name, firm.name):
            other = CellProblem("firm_name_mismatch", limit=firm.name, actual=row.firm_name)
            errors.append(layout.complaint(row.row_no, Field.FIRM_NAME, other))
        if firm is not None and county_code not in {None, firm.region_code}:
            elsewhere = CellProblem("firm_elsewhere", limit=county_code, actual=firm.region_code)
            errors.append(layout.complaint(row.row_no, Field.USCC if row.uscc else Field.FIRM_ID, elsewhere))
        if row.terms is not None:
            errors += [
                layout.complaint(row.row_no, Field.TERMS, problem) for problem in terms_problems(rules, row.terms)
            ]
        valid_from, valid_until, problem = spans.of(row)
        if problem is not None:
            errors.append(layout.complaint(row.row_no, Field.VALID_UNTIL, problem))
        if firm is not None:
            planned.append(
                PlannedRow(
                    row_no=row.row_no,
                    reference_no=row.reference_no,
                    firm_id=firm.id,
                    firm_name=firm.name,
                    face_value_fen=row.face_value_fen,
                    valid_from=valid_from,
                    valid_until=valid_until,
                    note=row.note,
                    terms=row.terms.canonical() if row.terms is not None else None,
                    application_id=row.application_id,
                )
            )
    return tuple(planned), errors


Span = tuple[datetime | None, datetime | None, CellProblem | None]


class _Spans:
    """Validities by their days: a sheet has many rows and few different days."""

    def __init__(self, rules: Rules, at: datetime) -> None:
        self._rules, self._at = rules, at
        self._known: dict[tuple[date | None, date | None], Span] = {}

    def of(self, row: GrantRow) -> Span:
        """From and until when the row's voucher would be valid by its own days, and what is wrong with that."""
        days = (row.valid_from, row.valid_until)
        if days not in self._known:
            valid_from = start_of_day(row.valid_from) if row.valid_from else None
            valid_until = end_of_day(row.valid_until) if row.valid_until else None
            problem = validity_problem(*validity(valid_from, valid_until, self._rules, self._at), at=self._at)
            self._known[days] = valid_from, valid_until, problem
        return self._known[days]


def validity(
    valid_from: datetime | None, valid_until: datetime | None, rules: Rules, issued_at: datetime
) -> tuple[datetime, datetime]:
    """From when and until when (exclusive) a voucher issued at that instant is valid."""
    return valid_from or issued_at, valid_until or rules.valid_until(issued_at)


def validity_problem(valid_from: datetime, valid_until: datetime, *, at: datetime) -> CellProblem | None:
    """Why nobody could ever use a voucher of this validity, or None."""
    if valid_until <= at:
        return CellProblem("valid_until_past", limit=_local(at), actual=_local(valid_until))
    if valid_until <= valid_from:
        return CellProblem("valid_until_before_start", limit=_local(valid_from), actual=_local(valid_until))
    return None


def parts_of(face_value_fen: int, fund_shares: Sequence[FundShare]) -> list[tuple[str, int]]:
    """Fund source and fen of one voucher, in the declared order, zero parts left out; the first takes the spare fen."""
    parts = split_by_peeling(face_value_fen, [share.share for share in fund_shares])
    return [(share.source, part) for share, part in zip(fund_shares, parts, strict=True) if part]


def draws(
    face_values_fen: Iterable[int], fund_shares: Sequence[FundShare], pools: Mapping[str, Pool]
) -> tuple[Draw, ...]:
    """What vouchers of these face values take from the pools (by fund source), in the declared order.

    Each voucher is split by itself, so a pool's sum may exceed its share of the total by a few fen. Raises
    `budget_exhausted` for the first pool that cannot carry its part.
    """
    needed: Counter[str] = Counter()
    for face_value_fen in face_values_fen:
        for source, part in parts_of(face_value_fen, fund_shares):
            needed[source] += part
    taken = []
    for share in fund_shares:
        if not needed[share.source]:
            continue
        pool = pools.get(share.source)
        available_fen = pool.available_fen if pool else 0
        if pool is None or needed[share.source] > available_fen:
            raise AppError(
                Code.BUDGET_EXHAUSTED,
                fund_source=share.source,
                limit_fen=available_fen,
                actual_fen=needed[share.source],
            )
        taken.append(Draw(share.source, pool.id, needed[share.source], available_fen))
    return tuple(taken)


def rows_sha256(batch_id: str, rows: Sequence[PlannedRow]) -> str:
    """The hash under which a checker approves exactly these rows."""
    return sha256_hex(
        canonical(
            {
                "batch": batch_id,
                "rows": [
                    [
                        row.row_no,
                        row.reference_no,
                        row.firm_id,
                        row.face_value_fen,
                        rfc3339(row.valid_from) if row.valid_from else None,
                        rfc3339(row.valid_until) if row.valid_until else None,
                        row.note,
                        *([row.terms] if row.terms is not None or row.application_id is not None else []),
                        *([row.application_id] if row.application_id is not None else []),
                    ]
                    for row in rows
                ],
            }
        )
    )


def _local(at: datetime) -> str:
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
