"""The ledger: its entries, accounts and proofs, and the log that seals it."""

from __future__ import annotations

from collections.abc import Iterator

from app.client.models import (
    AccountRead,
    ApprovalRead,
    ConsistencyRead,
    EntryKind,
    EntryRead,
    InclusionRead,
    MovementsMovementRead,
    PayeeAccountRead,
    ReverseBody,
)
from app.client.wire import Wire


class Ledger:
    """`/v1/ledger`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def entries(
        self,
        *,
        programme_id: str | None = None,
        pool_id: str | None = None,
        account: str | None = None,
        voucher_id: str | None = None,
        subject_id: str | None = None,
        kind: EntryKind | None = None,
        city_code: str | None = None,
        county_code: str | None = None,
        fiscal_year: int | None = None,
        fund_source: str | None = None,
        until: str | None = None,
    ) -> Iterator[EntryRead]:
        """The entries behind a figure, newest first."""
        given = {
            "programme_id": programme_id,
            "pool_id": pool_id,
            "account": account,
            "voucher_id": voucher_id,
            "subject_id": subject_id,
            "kind": kind,
            "city_code": city_code,
            "county_code": county_code,
            "fiscal_year": fiscal_year,
            "fund_source": fund_source,
            "until": until,
        }
        return self._wire.each("/v1/ledger/entries", EntryRead, **given)

    def entry(self, entry_id: str) -> EntryRead:
        """One, with its postings and its leaf."""
        return self._wire.fetch(f"/v1/ledger/entries/{entry_id}", EntryRead)

    def reverse(self, entry_id: str, body: ReverseBody, *, key: str | None = None) -> ApprovalRead:
        """Ask a second person to undo an entry by its mirror."""
        return self._wire.act(f"/v1/ledger/entries/{entry_id}/reverse", ApprovalRead, body, key=key)

    def accounts(
        self,
        *,
        programme_id: str | None = None,
        region_code: str | None = None,
        as_of: str | None = None,
        tree_size: int | None = None,
    ) -> list[AccountRead]:
        """What lies on each account of each pool, now or then."""
        query = {"programme_id": programme_id, "region_code": region_code, "as_of": as_of, "tree_size": tree_size}
        return self._wire.fetch("/v1/ledger/accounts", list[AccountRead], **query)

    def payee_accounts(
        self,
        payee_id: str,
        *,
        region_code: str,
        as_of: str | None = None,
        tree_size: int | None = None,
    ) -> list[PayeeAccountRead]:
        """What is owed, in payment and paid to somebody."""
        query = {"region_code": region_code, "as_of": as_of, "tree_size": tree_size}
        return self._wire.fetch(f"/v1/ledger/payees/{payee_id}/accounts", list[PayeeAccountRead], **query)

    def movements(
        self,
        *,
        voucher_id: str | None = None,
        firm_id: str | None = None,
        provider_id: str | None = None,
        pool_id: str | None = None,
        region_code: str | None = None,
        account: str | None = None,
    ) -> Iterator[MovementsMovementRead]:
        """A running account of a voucher, a firm, a provider or a pool, newest first."""
        given = {
            "voucher_id": voucher_id,
            "firm_id": firm_id,
            "provider_id": provider_id,
            "pool_id": pool_id,
            "region_code": region_code,
            "account": account,
        }
        return self._wire.each("/v1/ledger/movements", MovementsMovementRead, **given)

    def export(
        self, *, region_code: str, purpose: str, tree_size: int | None = None, every_head: bool | None = None
    ) -> bytes:
        """A region's pack for `voucher verify`, a tar file."""
        query = {"region_code": region_code, "purpose": purpose, "tree_size": tree_size, "every_head": every_head}
        return self._wire.download("/v1/ledger/export", **query)

    def inclusion(self, entry_id: str, *, size: int | None = None) -> InclusionRead:
        """The proof that an entry is in the log."""
        return self._wire.fetch("/v1/ledger/proofs/inclusion", InclusionRead, entry_id=entry_id, size=size)

    def consistency(self, region_code: str, *, from_size: int, to_size: int | None = None) -> ConsistencyRead:
        """The proof that one log continues another."""
        query = {"region_code": region_code, "from": from_size, "to": to_size}
        return self._wire.fetch("/v1/ledger/proofs/consistency", ConsistencyRead, **query)

    def checkpoint(self, region_code: str, *, size: int | None = None) -> str:
        """The signed head of a region's log, a signed note."""
        return self._wire.download(f"/v1/logs/{region_code}/checkpoint", size=size).decode()
