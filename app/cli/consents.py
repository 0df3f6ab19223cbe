"""Vouchers of the demonstration and the firms' consent to draw on them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from app.cli.cast import caller
from app.cli.founding import provider_id
from app.cli.lanes import Place
from app.cli.province import Admitted, Province
from app.cli.state import DemoState
from app.kernel.ids import region_of
from app.kernel.vocabulary import BatchStatus, Role
from app.services.issuance.reads import list_batches, list_rows
from app.services.vouchers.mandates import grant_mandate, list_mandates
from app.services.vouchers.reads import VoucherRecord, list_vouchers
from app.sql import now

MORE_THAN_ALL = 10_000


def vouchers_of(
    tx: Connection, province: Province, programme_id: str, *, file_sha256: str | None = None
) -> list[VoucherRecord]:
    """The vouchers issued from that file (None: from JSON), in the order of its rows; none before a checker approved.

    Whatever else was issued meanwhile is left out, so that a replay's choice among them never changes.
    """
    maker = caller(tx, province.person_with(Role.MAKER, region_of(programme_id)).login)
    batch = next(
        (
            batch
            for batch in list_batches(tx, caller=maker, limit=MORE_THAN_ALL, programme_id=programme_id)
            if batch.status == BatchStatus.ISSUED and batch.file_sha256 == file_sha256
        ),
        None,
    )
    if batch is None:
        return []
    rows = list_rows(tx, caller=maker, batch_id=batch.id, limit=MORE_THAN_ALL)
    found = list_vouchers(tx, caller=maker, at=now(tx), limit=MORE_THAN_ALL, programme_id=programme_id)
    vouchers = {voucher.id: voucher for voucher in found}
    return [vouchers[row.voucher_id] for row in rows if row.voucher_id is not None]


def grant_mandates(
    tx: Connection, province: Province, vouchers: Sequence[VoucherRecord], providers: Sequence[Admitted]
) -> None:
    """Let each firm's manager grant a mandate to each provider, once: one that was withdrawn stays withdrawn."""
    logins = {firm.name: firm.login for firm in province.firms}
    ids = [provider_id(tx, province, admitted.organisation) for admitted in providers]
    for voucher in vouchers:
        manager = caller(tx, logins[voucher.firm_name])
        known = {
            mandate.provider_id for mandate in list_mandates(tx, caller=manager, voucher_id=voucher.id, at=now(tx))
        }
        for organisation_id in ids:
            if organisation_id not in known:
                grant_mandate(
                    tx,
                    caller=manager,
                    voucher_id=voucher.id,
                    provider_id=organisation_id,
                    limit_fen=voucher.face_value_fen,
                    valid_until=None,
                )


def places(state: DemoState, vouchers: Sequence[VoucherRecord], providers: Sequence[Admitted]) -> list[Place]:
    """Where bills of these providers may land."""
    client_ids = tuple(state.machines[admitted.organisation].client_id for admitted in providers)
    return [Place(voucher.code, client_ids) for voucher in vouchers]
