"""Payee accounts (收款账户): where an authority pays a provider or firm. Numbers are shown masked."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BeforeValidator, StringConstraints

from app.api.approvals import ApprovalRead, shown_approval
from app.api.authentication import CallerDep, FreshCallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Read, Reason, RegionCode, ShownInstant, Title, Wire
from app.api.paging import Cursor, Limit, Page, page_of
from app.kernel.vocabulary import PayeeAccountStatus
from app.kernel.widths import half_width
from app.services.approvals.decisions import read_approval
from app.services.payments.payee_accounts import BankAccount, list_payee_accounts, propose_payee_account

router = APIRouter(prefix="/v1/payee-accounts", tags=["payments"])

CNAPS_DIGITS = 12
SHORTEST, LONGEST = 8, 32


def _digits(given: object) -> object:
    """A number as people copy it from a letter: full-width, with spaces or hyphens between the digits."""
    return "".join(half_width(given).replace("-", " ").split()) if isinstance(given, str) else given


def _cnaps(digits: str) -> str:
    if not (digits.isascii() and digits.isdigit() and len(digits) == CNAPS_DIGITS):
        raise ValueError(f"must be the {CNAPS_DIGITS} digits of the branch's CNAPS code / 须为 {CNAPS_DIGITS} 位联行号")
    return digits


def _account_no(digits: str) -> str:
    if not (digits.isascii() and digits.isdigit() and SHORTEST <= len(digits) <= LONGEST):
        raise ValueError(f"must be {SHORTEST} to {LONGEST} digits / 须为 {SHORTEST} 至 {LONGEST} 位数字")
    return digits


Cnaps = Annotated[str, BeforeValidator(_digits), StringConstraints(max_length=64), AfterValidator(_cnaps)]
AccountNo = Annotated[str, BeforeValidator(_digits), StringConstraints(max_length=64), AfterValidator(_account_no)]


class PayeeAccountBody(Wire):
    """A payee's account. `account_name` is the payee's legal name; numbers are text, so that no digit is lost."""

    region_code: RegionCode
    authority_id: AnyId
    payee_id: AnyId
    account_name: Title
    bank_name: Title
    cnaps: Cnaps
    account_no: AccountNo
    reason: Reason | None = None


class PaymentAccountRead(Read):
    """An account; the one that is `listed` is paid to. Of its number the first and last four digits are shown."""

    id: str
    region_code: str
    authority_id: str
    payee_id: str
    account_name: str
    bank_name: str
    cnaps: str
    account_no_masked: str
    status: PayeeAccountStatus
    proposed_at: ShownInstant
    proposed_by: str
    decided_at: ShownInstant | None
    decided_by: str | None
    replaced_at: ShownInstant | None


class PayeeAccountProposed(Read):
    """The account, which nothing is paid to yet, and the approval that waits."""

    account: PaymentAccountRead
    approval: ApprovalRead


@router.post("", status_code=202)
def propose_account(body: PayeeAccountBody, caller: FreshCallerDep, service: ServiceDep) -> PayeeAccountProposed:
    """Ask a checker that your authority pays this payee to this account. The one that is listed stays so meanwhile."""

    def work(tx: Any) -> PayeeAccountProposed:
        account, approval_id = propose_payee_account(
            tx,
            caller=caller,
            region_code=body.region_code,
            authority_id=body.authority_id,
            payee_id=body.payee_id,
            account=BankAccount(body.account_name, body.bank_name, body.cnaps, body.account_no),
            reason=body.reason,
        )
        approval = read_approval(tx, caller=caller, approval_id=approval_id)
        return PayeeAccountProposed(
            account=PaymentAccountRead.model_validate(account), approval=shown_approval(approval)
        )

    return service.database.transact(work)


@router.get("")
def read_payee_bank_accounts(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    payee_id: Annotated[AnyId | None, Query()] = None,
) -> Page[PaymentAccountRead]:
    """Accounts within your reach, replaced ones too, newest first; a payee sees its own."""
    records = service.database.transact(
        lambda tx: list_payee_accounts(tx, caller=caller, limit=limit + 1, before_id=cursor, payee_id=payee_id)
    )
    return page_of([PaymentAccountRead.model_validate(record) for record in records], limit)
