"""The tables, one module per aggregate. Importing this package registers all of them on `Base.metadata`."""

from app.models.approvals import Approval, ApprovalBands, ApprovalDecision, Delegation
from app.models.audit import AuditEvent
from app.models.bank_lists import BankList, BankListLine
from app.models.base import Base
from app.models.budgets import Pool, YearClose
from app.models.capacity import CapacityUse
from app.models.events import Event, ReminderMark
from app.models.holds import Hold, HoldNumber, HoldShare
from app.models.idempotency import AnswerPass, IdempotencyKey
from app.models.identity import Client, Invitation, PortalSession, RoleGrant, User
from app.models.issuance import IssuanceBatch, IssuanceRow
from app.models.jobs import Job
from app.models.ledger import Entry, Posting, SealQueue
from app.models.logs import AccountMark, Log, LogBatch, LogCosignature, LogLeaf, LogTile
from app.models.organisations import Organisation
from app.models.payee_accounts import PayeeAccount
from app.models.payment_codes import PaymentCode, PaymentCodeUse
from app.models.payments import PaymentItem, PaymentOrder, PaymentResult
from app.models.positions import PositionCounter
from app.models.programmes import Admission, Programme, RuleVersion
from app.models.reconciliations import CaseNote, Reconciliation, ReconciliationCase
from app.models.recoveries import Recovery, RecoveryTransfer
from app.models.redemptions import OrderNumber, Redemption, Refund, UsageReference
from app.models.restorations import Restoration, RestorationRelease
from app.models.statements import Statement, StatementLine
from app.models.vouchers import Allotment, Extension, Mandate, Voucher

__all__ = [
    "AccountMark",
    "Admission",
    "Allotment",
    "AnswerPass",
    "Approval",
    "ApprovalBands",
    "ApprovalDecision",
    "AuditEvent",
    "BankList",
    "BankListLine",
    "Base",
    "CapacityUse",
    "CaseNote",
    "Client",
    "Delegation",
    "Entry",
    "Event",
    "Extension",
    "Hold",
    "HoldNumber",
    "HoldShare",
    "IdempotencyKey",
    "Invitation",
    "IssuanceBatch",
    "IssuanceRow",
    "Job",
    "Log",
    "LogBatch",
    "LogCosignature",
    "LogLeaf",
    "LogTile",
    "Mandate",
    "OrderNumber",
    "Organisation",
    "PayeeAccount",
    "PaymentCode",
    "PaymentCodeUse",
    "PaymentItem",
    "PaymentOrder",
    "PaymentResult",
    "Pool",
    "PortalSession",
    "PositionCounter",
    "Posting",
    "Programme",
    "Reconciliation",
    "ReconciliationCase",
    "Recovery",
    "RecoveryTransfer",
    "Redemption",
    "Refund",
    "ReminderMark",
    "Restoration",
    "RestorationRelease",
    "RoleGrant",
    "RuleVersion",
    "SealQueue",
    "Statement",
    "StatementLine",
    "UsageReference",
    "User",
    "Voucher",
    "YearClose",
]
