"""The tables, one module per aggregate. Importing this package registers all of them on `Base.metadata`."""

from app.models.applications import Application, ApplicationDocument, ApplicationEvent
from app.models.approvals import Approval
from app.models.audit import AuditEvent
from app.models.bank_lists import BankList, BankListLine
from app.models.base import Base
from app.models.budgets import Pool, YearClose
from app.models.calendars import CalendarDay, CalendarTable
from app.models.capacity import CapacityUse
from app.models.debarments import Debarment
from app.models.events import Event
from app.models.holds import Hold, HoldNumber, HoldShare
from app.models.idempotency import AnswerPass, IdempotencyKey
from app.models.identity import Client, Invitation, PortalSession, RoleGrant, User
from app.models.issuance import IssuanceBatch, IssuanceRow
from app.models.jobs import Job
from app.models.ledger import Entry, Posting, SealQueue
from app.models.logs import AccountMark, Log, LogBatch, LogCosignature, LogLeaf, LogTile
from app.models.organisations import Organisation
from app.models.payment_codes import PaymentCode, PaymentCodeUse
from app.models.payments import PaymentItem, PaymentOrder, PaymentResult
from app.models.positions import PositionCounter
from app.models.programmes import Admission, Programme, RuleVersion
from app.models.reconciliations import CaseNote, Reconciliation, ReconciliationCase
from app.models.recoveries import Recovery, RecoveryTransfer
from app.models.redemptions import OrderNumber, Redemption, Refund, UsageReference
from app.models.relations import OrganisationRelation
from app.models.restorations import Restoration, RestorationRelease
from app.models.statements import Statement, StatementLine
from app.models.uploads import Upload
from app.models.vouchers import Allotment, Mandate, Voucher

__all__ = [
    "AccountMark",
    "Admission",
    "Allotment",
    "AnswerPass",
    "Application",
    "ApplicationDocument",
    "ApplicationEvent",
    "Approval",
    "AuditEvent",
    "BankList",
    "BankListLine",
    "Base",
    "CalendarDay",
    "CalendarTable",
    "CapacityUse",
    "CaseNote",
    "Client",
    "Debarment",
    "Entry",
    "Event",
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
    "OrganisationRelation",
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
    "Restoration",
    "RestorationRelease",
    "RoleGrant",
    "RuleVersion",
    "SealQueue",
    "Statement",
    "StatementLine",
    "Upload",
    "UsageReference",
    "User",
    "Voucher",
    "YearClose",
]
