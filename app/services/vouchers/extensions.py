"""Extensions of vouchers: each written down once, sealed as an audit event, and followed by the voucher's validity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from app.kernel.clock import civil_date, rfc3339
from app.kernel.ids import region_of
from app.kernel.problems import AppError
from app.kernel.vocabulary import ExtensionGround
from app.models import Extension
from app.services import audit
from app.services.approvals.requests import Decision
from app.services.identity.principals import Caller
from app.services.redemption.loading import ProgrammeKey, VoucherKey, load_terms
from app.services.redemption.states import VoucherState
from app.services.rules.model import Rules
from app.services.vouchers.extending import Before, Extended, Validity, Wanted, decide_extension, last_day_of
from app.services.vouchers.reads import read_voucher
from app.sql import Statement

ACTION = "voucher.extended"
"""The audit event that seals an extension: verifiers of packs know it by this name."""

_FOLLOW = Statement(
    "UPDATE vouchers v SET valid_until = n.valid_until, redeemable_until = n.redeemable_until"
    " FROM unnest(CAST(:regions AS text[]), CAST(:ids AS text[]), CAST(:valid_until AS timestamptz[]),"
    " CAST(:redeemable_until AS timestamptz[])) AS n(region_code, id, valid_until, redeemable_until)"
    " WHERE v.region_code = n.region_code AND v.id = n.id"
)


@dataclass(frozen=True, slots=True)
class Effect:
    """What an extension would do to a voucher."""

    before: Validity
    extended: Extended

    def told(self) -> dict[str, Any]:
        """In words and days, for who approves it."""
        before, after = self.before, self.extended.validity
        return {
            "ground": self.extended.ground,
            "days": self.extended.days,
            "last_day_before": last_day_of(before.valid_until).isoformat(),
            "last_day": last_day_of(after.valid_until).isoformat(),
            "valid_until": rfc3339(after.valid_until),
            "redeemable_until": rfc3339(after.redeemable_until),
        }


@dataclass(frozen=True, slots=True)
class ExtensionRecord:
    """An extension as it is read."""

    number: int
    ground: str
    valid_until_before: datetime
    redeemable_until_before: datetime
    valid_until: datetime
    redeemable_until: datetime
    document_no: str | None
    approval_id: str
    extended_at: datetime


def effects_of(
    tx: Connection, vouchers: Mapping[VoucherKey, VoucherState], wanted: Wanted, *, at: datetime
) -> dict[VoucherKey, Effect | AppError]:
    """What an extension does to each of these vouchers, or why it may not be; see `decide_extension`."""
    earlier, rules = _earlier(tx, vouchers), rules_of(tx, vouchers.values(), at=at)
    decided: dict[VoucherKey, Effect | AppError] = {}
    for key, voucher in vouchers.items():
        open_years = [share.fiscal_year for share in voucher.open_shares]
        present, its_rules = present_validity(voucher), rules[voucher.region_code, voucher.programme_id]
        try:
            extended = decide_extension(present, earlier.get(key, ()), open_years, its_rules, wanted)
            decided[key] = Effect(present, extended)
        except AppError as error:
            decided[key] = error
    return decided


def write_extensions(
    tx: Connection,
    extended: Sequence[tuple[VoucherState, Validity, ExtensionGround]],
    decision: Decision,
    *,
    at: datetime,
    document_no: str | None = None,
) -> None:
    """Write extensions of locked vouchers down, seal them, and let the vouchers' validity follow. Set-based."""
    earlier = _earlier(tx, {(one.region_code, one.id): one for one, _, _ in extended})
    rows: list[dict[str, Any]] = []
    for voucher, validity, ground in extended:
        before = present_validity(voucher)
        rows.append(
            {
                "region_code": voucher.region_code,
                "voucher_id": voucher.id,
                "number": len(earlier.get((voucher.region_code, voucher.id), ())) + 1,
                "ground": ground,
                "document_no": document_no,
                "approval_id": decision.approval_id,
                "extended_at": at,
                "made_by": decision.maker_id,
                "decided_by": decision.checker.principal_id,
                "valid_until_before": before.valid_until,
                "redeemable_until_before": before.redeemable_until,
                "valid_until": validity.valid_until,
                "redeemable_until": validity.redeemable_until,
            }
        )
        voucher.valid_until, voucher.redeemable_until = validity.valid_until, validity.redeemable_until
    event_ids = audit.record_all(
        tx,
        caller=decision.checker,
        region_code=decision.region_code,
        action=ACTION,
        at=at,
        objects={row["voucher_id"]: _sealed(row) for row in rows},
    )
    tx.execute(insert(Extension), [row | {"event_id": event_ids[row["voucher_id"]]} for row in rows])
    _FOLLOW.send(
        tx,
        {
            "regions": [row["region_code"] for row in rows],
            "ids": [row["voucher_id"] for row in rows],
            "valid_until": [row["valid_until"] for row in rows],
            "redeemable_until": [row["redeemable_until"] for row in rows],
        },
    )


def _sealed(row: Mapping[str, Any]) -> dict[str, str | int]:
    """The details of the audit event: what an auditor needs to judge the voucher's validity."""
    instants = ("valid_until_before", "redeemable_until_before", "valid_until", "redeemable_until")
    return {
        "approval": row["approval_id"],
        "maker": row["made_by"],
        "number": row["number"],
        "ground": row["ground"],
        **{name: rfc3339(row[name]) for name in instants},
        **({"document_no": row["document_no"]} if row["document_no"] is not None else {}),
    }


def list_extensions(tx: Connection, *, caller: Caller, voucher_id: str, at: datetime) -> list[ExtensionRecord]:
    """The extensions of a voucher within the caller's reach, the first one first. Raises `voucher_not_found`."""
    voucher = read_voucher(tx, caller=caller, voucher_id=voucher_id, at=at)
    rows = tx.execute(
        select(Extension)
        .where(Extension.region_code == region_of(voucher_id), Extension.voucher_id == voucher.id)
        .order_by(Extension.number)
    )
    return [ExtensionRecord(**{name: getattr(row, name) for name in ExtensionRecord.__slots__}) for row in rows]


def rules_of(tx: Connection, vouchers: Iterable[VoucherState], *, at: datetime) -> dict[ProgrammeKey, Rules]:
    """The rules in force today, by programme: what officials may do to these vouchers now follows from them."""
    terms = load_terms(tx, {(voucher.region_code, voucher.programme_id) for voucher in vouchers})
    dated = {key: of_programme.rules_on(civil_date(at)) for key, of_programme in terms.items()}
    assert all(dated.values()), "vouchers are issued under rules that are in force"
    return {key: version.rules for key, version in dated.items() if version is not None}


def present_validity(voucher: VoucherState) -> Validity:
    """What the voucher says now."""
    return Validity(voucher.valid_until, voucher.redeemable_until)


def _earlier(tx: Connection, vouchers: Mapping[VoucherKey, VoucherState]) -> dict[VoucherKey, list[Before]]:
    found: dict[VoucherKey, list[Before]] = {}
    for region_code in {key[0] for key in vouchers}:
        rows = tx.execute(
            select(Extension)
            .where(
                Extension.region_code == region_code,
                Extension.voucher_id.in_([key[1] for key in vouchers if key[0] == region_code]),
            )
            .order_by(Extension.voucher_id, Extension.number)
        )
        for row in rows:
            one = Before(ExtensionGround(row.ground), row.valid_until_before, row.valid_until)
            found.setdefault((region_code, row.voucher_id), []).append(one)
    return found
