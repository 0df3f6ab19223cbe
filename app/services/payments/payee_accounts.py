"""Payee accounts (收款账户): a maker proposes where a payee is paid, a checker agrees. Shown masked to everybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from app.kernel.ids import new_id, region_of
from app.kernel.names import same_name
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import ApprovalKind, OrganisationKind, PayeeAccountStatus, Role
from app.models import Organisation, PayeeAccount
from app.services import audit
from app.services.approvals.requests import Decision, request_approval
from app.services.encrypted_fields.columns import ACCOUNT_NO
from app.services.encrypted_fields.keys import FieldKeys
from app.services.identity.principals import Caller
from app.services.reach import within_reach
from app.sql import now

PAYEES = frozenset({OrganisationKind.PROVIDER, OrganisationKind.FIRM})
SHOWN_DIGITS = 4


@dataclass(frozen=True, slots=True)
class BankAccount:
    """A bank account as it is written down: `cnaps` is the 12-digit 联行号 of the bank's branch."""

    account_name: str
    bank_name: str
    cnaps: str
    account_no: str


@dataclass(frozen=True, slots=True)
class PayeeAccountRecord:
    """A payee's account as it is read: of its number only what tells it from others."""

    region_code: str
    id: str
    authority_id: str
    payee_id: str
    account_name: str
    bank_name: str
    cnaps: str
    account_no_masked: str
    status: str
    proposed_at: datetime
    proposed_by: str
    decided_at: datetime | None
    decided_by: str | None
    replaced_at: datetime | None


def propose_payee_account(
    tx: Connection,
    *,
    caller: Caller,
    keys: FieldKeys,
    region_code: str,
    authority_id: str,
    payee_id: str,
    account: BankAccount,
    reason: str | None = None,
) -> tuple[PayeeAccountRecord, str]:
    """Ask a checker that the authority pays this payee to this account; the one that is listed stays so meanwhile.

    Who registered the payee cannot agree to it. Raises `forbidden`, `validation_failed`,
    `payee_account_name_differs`, `approval_pending`.
    """
    caller.require(Role.MAKER)
    if not caller.holds_in(Role.MAKER, region_code, authority_id):
        raise AppError(Code.FORBIDDEN, role=f"{Role.MAKER} {region_code}")
    payee = tx.execute(
        select(Organisation.name, Organisation.created_by).where(
            Organisation.id == payee_id, Organisation.kind.in_(PAYEES)
        )
    ).one_or_none()
    if payee is None:
        error = FieldError("/payee_id", "not_a_payee", actual=payee_id)
        raise AppError(Code.VALIDATION_FAILED, count=1, errors=[error])
    _check_name(account.account_name, payee.name)
    before = listed_account(tx, region_code, authority_id, payee_id)
    account_id = new_id("pac", region_code)
    row = tx.execute(
        insert(PayeeAccount)
        .values(
            region_code=region_code,
            id=account_id,
            authority_id=authority_id,
            payee_id=payee_id,
            account_name=account.account_name,
            bank_name=account.bank_name,
            cnaps=account.cnaps,
            account_no_masked=masked(account.account_no),
            **ACCOUNT_NO.values(keys, account.account_no, region_code, account_id),
            status=PayeeAccountStatus.PROPOSED,
            proposed_at=now(tx),
            proposed_by=caller.principal_id,
        )
        .returning(PayeeAccount)
    ).one()
    approval_id = request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.CHANGE_PAYEE_ACCOUNT,
        region_code=region_code,
        authority_id=authority_id,
        required_role=Role.CHECKER,
        subject_id=f"{authority_id}/{payee_id}",
        command={"account_id": account_id, "payee_id": payee_id, "account": shown_account(row)},
        effect={"payee": payee.name, "account": shown_account(row), "before": before and shown_account(before)},
        reason=reason,
        within_id=payee_id,
        barred_ids=[payee.created_by],
    )
    return _record(row), approval_id


def execute_change_payee_account(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """List the account in the place of the one before. Raises `payee_account_name_differs` for one renamed since."""
    proposed = _locked(tx, decision.region_code, str(command["account_id"]))
    payee = tx.execute(select(Organisation.name).where(Organisation.id == proposed.payee_id)).scalar_one()
    _check_name(proposed.account_name, payee)
    tx.execute(
        update(PayeeAccount)
        .where(
            PayeeAccount.region_code == proposed.region_code,
            PayeeAccount.authority_id == proposed.authority_id,
            PayeeAccount.payee_id == proposed.payee_id,
            PayeeAccount.status == PayeeAccountStatus.LISTED,
        )
        .values(status=PayeeAccountStatus.REPLACED, replaced_at=decision.at)
    )
    _decide(tx, proposed, PayeeAccountStatus.LISTED, decision)


def reject_change_payee_account(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """The account that is listed, if any, stays so."""
    _decide(
        tx,
        _locked(tx, decision.region_code, str(command["account_id"])),
        PayeeAccountStatus.REJECTED,
        decision,
    )


def list_payee_accounts(
    tx: Connection, *, caller: Caller, limit: int, before_id: str | None = None, payee_id: str | None = None
) -> list[PayeeAccountRecord]:
    """Accounts within the caller's reach, replaced ones too, newest first; a payee sees its own. Raises `forbidden`."""
    query = select(PayeeAccount).where(_within_reach(caller)).order_by(PayeeAccount.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(PayeeAccount.id < before_id)
    if payee_id is not None:
        query = query.where(PayeeAccount.payee_id == payee_id)
    return [_record(row) for row in tx.execute(query)]


def read_account_no(tx: Connection, *, caller: Caller, keys: FieldKeys, account_id: str, purpose: str) -> str:
    """The whole number of an account within the caller's reach: to be held against the letter, or given to the bank.

    That it was read, by whom and what for, is written down first. Raises `forbidden`, `not_found`, `field_key_missing`.
    """
    row = tx.execute(
        select(PayeeAccount).where(
            PayeeAccount.region_code == region_of(account_id), PayeeAccount.id == account_id, _within_reach(caller)
        )
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="payee account")
    audit.record_read(
        tx,
        caller=caller,
        region_code=row.region_code,
        action="payee_account.number_read",
        object_id=row.id,
        fields=("account_no",),
        purpose=purpose,
        at=now(tx),
    )
    return keys.decrypt(row.account_no, ACCOUNT_NO.place(row.region_code, row.id))


def find_by_account_no(
    tx: Connection, *, caller: Caller, keys: FieldKeys, account_no: str, purpose: str, limit: int
) -> list[PayeeAccountRecord]:
    """Accounts within the caller's reach with exactly this number, newest first: who is paid to it, or ever was.

    That it was asked is written down, without the number. Raises `forbidden`.
    """
    reach = _within_reach(caller)
    found = tx.execute(
        select(PayeeAccount)
        .where(reach, PayeeAccount.account_no_tag.in_(ACCOUNT_NO.tags(keys, account_no)))
        .order_by(PayeeAccount.id.desc())
        .limit(limit)
    ).all()
    audit.record_read(
        tx,
        caller=caller,
        region_code=caller.home_region,
        action="payee_account.number_searched",
        object_id=caller.organisation_id,
        fields=("account_no",),
        purpose=purpose,
        at=now(tx),
        details={"found": [row.id for row in found]},
    )
    return [_record(row) for row in found]


def _within_reach(caller: Caller) -> ColumnElement[bool]:
    return within_reach(
        caller,
        region=PayeeAccount.region_code,
        authority=PayeeAccount.authority_id,
        own={Role.PROVIDER: PayeeAccount.payee_id, Role.FIRM: PayeeAccount.payee_id},
    )


def listed_account(tx: Connection, region_code: str, authority_id: str, payee_id: str) -> Row[*tuple[Any, ...]] | None:
    """The account that this authority pays the payee to now, kept so until the transaction ends."""
    return tx.execute(
        select(PayeeAccount)
        .where(
            PayeeAccount.region_code == region_code,
            PayeeAccount.authority_id == authority_id,
            PayeeAccount.payee_id == payee_id,
            PayeeAccount.status == PayeeAccountStatus.LISTED,
        )
        .with_for_update(read=True)
    ).one_or_none()


def check_account(tx: Connection, *, region_code: str, authority_id: str, payee_id: str, ordered: str | None) -> None:
    """Whether a payment still goes where it was proposed to go, to an account in the payee's name.

    Raises `payee_account_changed`, `payee_account_name_differs`.
    """
    account = listed_account(tx, region_code, authority_id, payee_id)
    if (account and account.id) != ordered:
        raise AppError(Code.PAYEE_ACCOUNT_CHANGED)
    if account is not None:
        _check_name(
            account.account_name, tx.execute(select(Organisation.name).where(Organisation.id == payee_id)).scalar_one()
        )


def masked(account_no: str) -> str:
    """An account number as it is shown: its first and last four digits, of a short one only the last four."""
    first = account_no[:SHOWN_DIGITS] if len(account_no) >= 3 * SHOWN_DIGITS else ""
    return f"{first}****{account_no[-SHOWN_DIGITS:]}"


def shown_account(row: Row[Any]) -> dict[str, str]:
    """An account in an approval's effect."""
    return {
        "account_name": row.account_name,
        "bank_name": row.bank_name,
        "cnaps": row.cnaps,
        "account_no": row.account_no_masked,
    }


def _check_name(account_name: str, payee_name: str) -> None:
    if not same_name(account_name, payee_name):
        raise AppError(Code.PAYEE_ACCOUNT_NAME_DIFFERS, account_name=account_name, payee_name=payee_name)


def _locked(tx: Connection, region_code: str, account_id: str) -> Row[*tuple[Any, ...]]:
    row: Row[*tuple[Any, ...]] = tx.execute(
        select(PayeeAccount)
        .where(PayeeAccount.region_code == region_code, PayeeAccount.id == account_id)
        .with_for_update(key_share=True)
    ).one()
    return row


def _decide(tx: Connection, row: Row[Any], status: PayeeAccountStatus, decision: Decision) -> None:
    tx.execute(
        update(PayeeAccount)
        .where(PayeeAccount.region_code == row.region_code, PayeeAccount.id == row.id)
        .values(status=status, decided_at=decision.at, decided_by=decision.checker.principal_id)
    )


def _record(row: Row[Any]) -> PayeeAccountRecord:
    return PayeeAccountRecord(**{name: getattr(row, name) for name in PayeeAccountRecord.__slots__})
