"""Are the books right, and do others see the same: checks, statements, the bank's lists, and the cases they leave."""

from __future__ import annotations

from collections.abc import Iterator

from app.client.models import (
    BankLineRead,
    BankListRead,
    BankListUploaded,
    CaseAssign,
    CaseNoteCreate,
    CaseRead,
    CaseResolve,
    CaseState,
    CaseWithNotes,
    LineRead,
    ReconciliationCreate,
    ReconciliationRead,
    Sides,
    StatementRead,
    StatementUploaded,
)
from app.client.wire import Upload, Wire


class Reconciliations:
    """`/v1/reconciliations`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self) -> Iterator[ReconciliationRead]:
        """Those that were made, newest first."""
        return self._wire.each("/v1/reconciliations", ReconciliationRead)

    def get(self, reconciliation_id: str) -> ReconciliationRead:
        """One, with every difference."""
        return self._wire.fetch(f"/v1/reconciliations/{reconciliation_id}", ReconciliationRead)

    def create(self, body: ReconciliationCreate) -> ReconciliationRead:
        """Check a region's books now: each invariant, and with a period the statements and the bank's lists."""
        return self._wire.change("POST", "/v1/reconciliations", ReconciliationRead, body)


class Cases:
    """`/v1/reconciliation-cases`: a difference that somebody has to explain."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(
        self,
        *,
        region_code: str | None = None,
        sides: Sides | None = None,
        state: CaseState | None = None,
        kind: str | None = None,
        party_id: str | None = None,
        owner_id: str | None = None,
        found_in_id: str | None = None,
    ) -> Iterator[CaseRead]:
        """Cases within reach, newest first."""
        given = {
            "region_code": region_code,
            "sides": sides,
            "state": state,
            "kind": kind,
            "party_id": party_id,
            "owner_id": owner_id,
            "found_in_id": found_in_id,
        }
        return self._wire.each("/v1/reconciliation-cases", CaseRead, **given)

    def get(self, case_id: str) -> CaseWithNotes:
        """One, with what was said of it."""
        return self._wire.fetch(f"/v1/reconciliation-cases/{case_id}", CaseWithNotes)

    def assign(self, case_id: str, body: CaseAssign) -> CaseWithNotes:
        """Give it to somebody."""
        return self._wire.change("POST", f"/v1/reconciliation-cases/{case_id}/assign", CaseWithNotes, body)

    def note(self, case_id: str, body: CaseNoteCreate) -> CaseWithNotes:
        """Say something of it."""
        return self._wire.change("POST", f"/v1/reconciliation-cases/{case_id}/notes", CaseWithNotes, body)

    def explain(self, case_id: str, body: CaseNoteCreate) -> CaseWithNotes:
        """Say why it is so."""
        return self._wire.change("POST", f"/v1/reconciliation-cases/{case_id}/explain", CaseWithNotes, body)

    def resolve(self, case_id: str, body: CaseResolve) -> CaseWithNotes:
        """End it."""
        return self._wire.change("POST", f"/v1/reconciliation-cases/{case_id}/resolve", CaseWithNotes, body)


class Statements:
    """`/v1/statements`: what providers say they redeemed. 对账单"""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, *, region_code: str | None = None, provider_id: str | None = None) -> Iterator[StatementRead]:
        """Statements within reach, newest first."""
        return self._wire.each("/v1/statements", StatementRead, region_code=region_code, provider_id=provider_id)

    def get(self, statement_id: str) -> StatementRead:
        """One."""
        return self._wire.fetch(f"/v1/statements/{statement_id}", StatementRead)

    def lines(self, statement_id: str) -> Iterator[LineRead]:
        """Its lines, in the order of the file."""
        return self._wire.each(f"/v1/statements/{statement_id}/lines", LineRead)

    def template(self) -> bytes:
        """The sheet to fill in, an .xlsx file."""
        return self._wire.download("/v1/statements/template")

    def upload(
        self,
        file: Upload,
        *,
        region_code: str,
        period_from: str,
        period_until: str,
        provider_id: str | None = None,
        declared_count: int | None = None,
        declared_total_fen: int | None = None,
        dry_run: bool | None = None,
    ) -> StatementUploaded:
        """Have one taken in, or only checked. All or none; the same file twice does nothing."""
        form = {
            "region_code": region_code,
            "period_from": period_from,
            "period_until": period_until,
            "provider_id": provider_id,
            "declared_count": declared_count,
            "declared_total_fen": declared_total_fen,
            "dry_run": dry_run,
        }
        return self._wire.change("POST", "/v1/statements", StatementUploaded, form=form, file=file)


class BankLists:
    """`/v1/bank-lists`: what the bank says it paid."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, *, region_code: str | None = None) -> Iterator[BankListRead]:
        """Lists within reach, newest first."""
        return self._wire.each("/v1/bank-lists", BankListRead, region_code=region_code)

    def get(self, bank_list_id: str) -> BankListRead:
        """One."""
        return self._wire.fetch(f"/v1/bank-lists/{bank_list_id}", BankListRead)

    def lines(self, bank_list_id: str) -> Iterator[BankLineRead]:
        """Its lines, in the order of the file."""
        return self._wire.each(f"/v1/bank-lists/{bank_list_id}/lines", BankLineRead)

    def template(self) -> bytes:
        """The sheet to fill in, an .xlsx file."""
        return self._wire.download("/v1/bank-lists/template")

    def upload(
        self,
        file: Upload,
        *,
        region_code: str,
        period_from: str,
        period_until: str,
        declared_count: int | None = None,
        declared_total_fen: int | None = None,
        dry_run: bool | None = None,
    ) -> BankListUploaded:
        """Have one taken in, or only checked. All or none; the same file twice does nothing."""
        form = {
            "region_code": region_code,
            "period_from": period_from,
            "period_until": period_until,
            "declared_count": declared_count,
            "declared_total_fen": declared_total_fen,
            "dry_run": dry_run,
        }
        return self._wire.change("POST", "/v1/bank-lists", BankListUploaded, form=form, file=file)
