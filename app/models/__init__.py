"""The tables, one module per aggregate. Importing this package registers all of them on `Base.metadata`."""

from app.models.approvals import Approval
from app.models.audit import AuditEvent
from app.models.base import Base
from app.models.budgets import Pool
from app.models.events import Event
from app.models.holds import Hold, HoldNumber, HoldShare
from app.models.idempotency import IdempotencyKey
from app.models.identity import Client, Invitation, PortalSession, RoleGrant, User
from app.models.issuance import IssuanceBatch, IssuanceRow
from app.models.ledger import Entry, Posting, SealQueue
from app.models.logs import AccountMark, Log, LogBatch, LogCosignature, LogLeaf, LogTile
from app.models.organisations import Organisation
from app.models.payment_codes import PaymentCode, PaymentCodeUse
from app.models.positions import PositionCounter
from app.models.programmes import Admission, Programme, RuleVersion
from app.models.reconciliations import Reconciliation
from app.models.redemptions import OrderNumber, Redemption, Refund, UsageReference
from app.models.vouchers import Allotment, Mandate, Voucher

__all__ = [
    "AccountMark",
    "Admission",
    "Allotment",
    "Approval",
    "AuditEvent",
    "Base",
    "Client",
    "Entry",
    "Event",
    "Hold",
    "HoldNumber",
    "HoldShare",
    "IdempotencyKey",
    "Invitation",
    "IssuanceBatch",
    "IssuanceRow",
    "Log",
    "LogBatch",
    "LogCosignature",
    "LogLeaf",
    "LogTile",
    "Mandate",
    "OrderNumber",
    "Organisation",
    "PaymentCode",
    "PaymentCodeUse",
    "Pool",
    "PortalSession",
    "PositionCounter",
    "Posting",
    "Programme",
    "Reconciliation",
    "Redemption",
    "Refund",
    "RoleGrant",
    "RuleVersion",
    "SealQueue",
    "UsageReference",
    "User",
    "Voucher",
]
