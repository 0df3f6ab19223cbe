"""The tables, one module per aggregate. Importing this package registers all of them on `Base.metadata`."""

from app.models.allocation import AllocationAward, AllocationCandidate, AllocationRound, Waiting
from app.models.applications import Application, ApplicationDocument, ApplicationEvent
from app.models.approvals import Approval, ApprovalBands, ApprovalDecision, Delegation
from app.models.audit import AuditEvent
from app.models.bank_lists import BankList, BankListLine
from app.models.base import Base
from app.models.budgets import Pool, YearClose
from app.models.calendars import CalendarDay, CalendarTable
from app.models.capacity import CapacityUse
from app.models.debarments import Debarment
from app.models.events import Event, ReminderMark
from app.models.holds import Hold, HoldNumber, HoldShare
from app.models.idempotency import AnswerPass, IdempotencyKey
from app.models.identity import Client, ClientKey, Invitation, PortalSession, RoleGrant, SpentToken, User
from app.models.invoices import InvoiceBase, InvoiceUse, RedInvoice, RedLetter
from app.models.issuance import IssuanceBatch, IssuanceRow
from app.models.jobs import Job
from app.models.ledger import Entry, Posting, SealQueue
from app.models.logs import AccountMark, Log, LogBatch, LogCosignature, LogLeaf, LogTile
from app.models.notices import NoticeItem, Objection, ObjectionContact, PublicNotice
from app.models.organisations import Organisation
from app.models.outside import OutsideIdentity, PersonalToken, SignInCode
from app.models.payee_accounts import PayeeAccount
from app.models.payment_codes import PaymentCode, PaymentCodeUse
from app.models.payments import PaymentItem, PaymentOrder, PaymentResult
from app.models.positions import PositionCounter
from app.models.programmes import Admission, Programme, RuleVersion
from app.models.reconciliations import CaseNote, Reconciliation, ReconciliationCase
from app.models.recoveries import Recovery, RecoveryTransfer
from app.models.redemptions import OrderNumber, Redemption, Refund, UsageReference
from app.models.relations import OrganisationRelation
from app.models.restorations import Restoration, RestorationRelease
from app.models.signing_in import KnownPlace, RecoveryCode, SecondFactor, SignInFailures
from app.models.statements import Statement, StatementLine
from app.models.uploads import Upload
from app.models.vouchers import Allotment, Extension, Mandate, Voucher

__all__ = [
    "AccountMark",
    "Admission",
    "AllocationAward",
    "AllocationCandidate",
    "AllocationRound",
    "Allotment",
    "AnswerPass",
    "Application",
    "ApplicationDocument",
    "ApplicationEvent",
    "Approval",
    "ApprovalBands",
    "ApprovalDecision",
    "AuditEvent",
    "BankList",
    "BankListLine",
    "Base",
    "CalendarDay",
    "CalendarTable",
    "CapacityUse",
    "CaseNote",
    "Client",
    "ClientKey",
    "Debarment",
    "Delegation",
    "Entry",
    "Event",
    "Extension",
    "Hold",
    "HoldNumber",
    "HoldShare",
    "IdempotencyKey",
    "Invitation",
    "InvoiceBase",
    "InvoiceUse",
    "IssuanceBatch",
    "IssuanceRow",
    "Job",
    "KnownPlace",
    "Log",
    "LogBatch",
    "LogCosignature",
    "LogLeaf",
    "LogTile",
    "Mandate",
    "NoticeItem",
    "Objection",
    "ObjectionContact",
    "OrderNumber",
    "Organisation",
    "OrganisationRelation",
    "OutsideIdentity",
    "PayeeAccount",
    "PaymentCode",
    "PaymentCodeUse",
    "PaymentItem",
    "PaymentOrder",
    "PaymentResult",
    "PersonalToken",
    "Pool",
    "PortalSession",
    "PositionCounter",
    "Posting",
    "Programme",
    "PublicNotice",
    "Reconciliation",
    "ReconciliationCase",
    "Recovery",
    "RecoveryCode",
    "RecoveryTransfer",
    "RedInvoice",
    "RedLetter",
    "Redemption",
    "Refund",
    "ReminderMark",
    "Restoration",
    "RestorationRelease",
    "RoleGrant",
    "RuleVersion",
    "SealQueue",
    "SecondFactor",
    "SignInCode",
    "SignInFailures",
    "SpentToken",
    "Statement",
    "StatementLine",
    "Upload",
    "UsageReference",
    "User",
    "Voucher",
    "Waiting",
    "YearClose",
]
