"""The words of the domain that are stored: one enum per closed list.

The member's value is what stands in the tables, in the leaves of the ledger and on the wire; it never changes meaning.
"""

from __future__ import annotations

from enum import StrEnum


class OrganisationKind(StrEnum):
    """Who takes part: the issuing authority, the finance bureau, firms, providers, and the auditor."""

    AUTHORITY = "authority"
    FINANCE = "finance"
    FIRM = "firm"
    PROVIDER = "provider"
    AUDIT = "audit"
    REGISTRY = "registry"


class IdentifierType(StrEnum):
    """How an organisation is identified; makers without legal personality have no 统一社会信用代码."""

    USCC = "uscc"
    MAKER = "maker"


class Role(StrEnum):
    """What a principal may do. The three administrators (三员) neither see nor move money."""

    REGISTRAR = "registrar"
    MAKER = "maker"
    CHECKER = "checker"
    FINANCE = "finance"
    AUDITOR = "auditor"
    PROVIDER = "provider"
    FIRM = "firm"
    SYSTEM_ADMIN = "system_admin"
    SECURITY_ADMIN = "security_admin"
    AUDIT_ADMIN = "audit_admin"


class RetentionKind(StrEnum):
    """Personal data of a region that is erased after a time that its audit administrator sets."""

    OBJECTION_CONTACTS = "objection_contacts"


class RateScope(StrEnum):
    """Of what the requests are counted; the names stand in the `RateLimit` headers."""

    CLIENT = "client"
    SOURCE = "source"
    VOUCHER = "voucher"


class TokenScope(StrEnum):
    """What a token may be used for, within the roles of its principal; one that names none is for both."""

    READ = "read"
    WRITE = "write"


class TokenKind(StrEnum):
    """What may be spent before it runs out."""

    ASSERTION = "assertion"  # a machine's signed claim to be itself: good once
    ACCESS = "access"  # an access or personal token that was revoked
    SIGN_IN = "sign_in"  # the answer of an outside provider to one try to sign in: good once
    PROOF = "proof"  # a machine's proof that it holds the key of its token (RFC 9449): good once


class SessionStage(StrEnum):
    """How far a browser's signing in has come."""

    CODE = "code"  # the password was right; the code of the second factor is asked for
    ENROL = "enrol"  # a second factor has to be set up first
    FULL = "full"  # signed in


class VoucherKind(StrEnum):
    """What a voucher buys."""

    COMPUTE = "compute"  # 算力券
    ASSESSMENT = "assessment"  # 智评券
    TRAINING = "training"  # 训力券
    MODEL = "model"  # 模型券
    CORPUS = "corpus"  # 语料券
    TOKEN = "token"  # noqa: S105 - 词元券, no credential
    DATA = "data"  # 数据券
    INNOVATION = "innovation"  # 创新券
    ENTERPRISE_SERVICE = "enterprise_service"  # 企业服务券


class ProgrammeStatus(StrEnum):
    """Where a programme stands."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    PUBLISHED = "published"
    PAUSED = "paused"
    CLOSED = "closed"


class RuleVersionStatus(StrEnum):
    """A rule version is written as a draft and never changes once published."""

    DRAFT = "draft"
    PUBLISHED = "published"


class AdmissionStatus(StrEnum):
    """Whether a provider may redeem in a programme."""

    PROPOSED = "proposed"
    LISTED = "listed"
    SUSPENDED = "suspended"
    DELISTED = "delisted"


class Account(StrEnum):
    """The stages of public money in a pool."""

    APPROPRIATION = "appropriation"  # 预算指标
    AUTHORISED = "authorised"  # 超发授权
    AVAILABLE = "available"  # 可用额度
    COMMITTED = "committed"  # 已发放占用
    HELD = "held"  # 预扣
    OBLIGATED = "obligated"  # 应付
    IN_PAYMENT = "in_payment"  # 支付中
    DISBURSED = "disbursed"  # 已拨付
    LAPSED = "lapsed"  # 指标收回
    RECOVERY_CLAIMED = "recovery_claimed"  # 追回, memo pair
    RECOVERY_DUE = "recovery_due"
    TREASURY = "treasury"  # 缴回国库


SOURCES = frozenset({Account.APPROPRIATION, Account.AUTHORISED, Account.RECOVERY_CLAIMED})
"""Accounts that money comes from; only they may be below zero."""


class EntryKind(StrEnum):
    """What happened: one word per kind of journal entry."""

    APPROPRIATE = "appropriate"
    ADJUST = "adjust"
    ISSUE = "issue"
    HOLD = "hold"
    RELEASE = "release"
    REDEEM = "redeem"
    REFUND = "refund"
    EXPIRE = "expire"
    VOID = "void"
    SURRENDER = "surrender"
    ORDER_PAYMENT = "order_payment"
    BOUNCE = "bounce"
    CONFIRM_PAYMENT = "confirm_payment"
    RECOVER = "recover"
    LAPSE = "lapse"
    AUTHORISE = "authorise"
    MOVE = "move"
    REVERSE = "reverse"


DUAL_CONTROL = frozenset(
    {
        EntryKind.APPROPRIATE,
        EntryKind.ADJUST,
        EntryKind.ISSUE,
        EntryKind.VOID,
        EntryKind.ORDER_PAYMENT,
        EntryKind.AUTHORISE,
        EntryKind.MOVE,
        EntryKind.REVERSE,
    }
)
"""Entries that need a maker and a checker, two persons."""


class VoucherEnd(StrEnum):
    """The three ends of a voucher."""

    EXPIRED = "expired"
    VOIDED = "voided"
    SURRENDERED = "surrendered"


class VoucherStatus(StrEnum):
    """What a voucher is at an instant; computed, never stored."""

    PENDING = "pending"
    ACTIVE = "active"
    EXHAUSTED = "exhausted"
    FROZEN = "frozen"
    EXPIRED = "expired"
    VOIDED = "voided"
    SURRENDERED = "surrendered"


class HoldStatus(StrEnum):
    """A hold ends exactly once. Whether an open one has expired follows from the instant at which one looks."""

    OPEN = "open"
    REDEEMED = "redeemed"
    RELEASED = "released"
    EXPIRED = "expired"


class EventKind(StrEnum):
    """What organisations are told."""

    HOLD_NEARLY_USED = "hold.nearly_used"
    HOLD_EXPIRED = "hold.expired"
    VOUCHER_EXPIRING = "voucher.expiring"


class PaymentCodeStatus(StrEnum):
    """What a payment code is at an instant; computed, never stored."""

    OPEN = "open"
    USED = "used"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class RedemptionStatus(StrEnum):
    """How far a redemption is on its way to the payee."""

    POSTED = "posted"
    IN_SETTLEMENT = "in_settlement"
    PAID = "paid"


class PaymentOrderStatus(StrEnum):
    """A payment order waits for finance, or has been sent to the treasury; how it went is told item by item."""

    PROPOSED = "proposed"
    ORDERED = "ordered"
    REJECTED = "rejected"


class PaymentItemStatus(StrEnum):
    """How far one redemption of a payment order is."""

    PROPOSED = "proposed"
    REJECTED = "rejected"
    IN_PAYMENT = "in_payment"
    CONFIRMED = "confirmed"
    BOUNCED = "bounced"  # 退票


class PaymentResultKind(StrEnum):
    """What the bank said of a payment order, or of some items of it."""

    CONFIRMED = "confirmed"
    BOUNCED = "bounced"


class RecoveryStatus(StrEnum):
    """What is to be got back of money that was sent already."""

    RECORDED = "recorded"  # the bank has not answered yet
    DUE = "due"
    RECEIVED = "received"
    REFUNDED = "refunded"  # the payment bounced, so the money never left


class BatchStatus(StrEnum):
    """An issuance batch: no voucher exists before `issued`."""

    SUBMITTED = "submitted"
    ISSUED = "issued"
    REJECTED = "rejected"


class AllocationStatus(StrEnum):
    """An allocation round: its candidates are frozen, a lottery is drawn, then a second person decides."""

    FROZEN = "frozen"
    DRAWN = "drawn"
    SUBMITTED = "submitted"
    EXECUTED = "executed"
    CANCELLED = "cancelled"


class AwardReason(StrEnum):
    """Why a candidate of an allocation round gets less than was asked. Stored in records; the list only grows."""

    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED"  # the money was not enough
    TIER_FULL = "TIER_FULL"  # its tier had no place left
    TIER_UNKNOWN = "TIER_UNKNOWN"  # the rules share nothing out to its tier
    ENTITLEMENT = "ENTITLEMENT"  # its project is entitled to less
    LEFT_OUT = "LEFT_OUT"  # after the list was frozen: its application was decided otherwise, or somebody objected


class WaitingEnd(StrEnum):
    """Why somebody waits no more."""

    PROMOTED = "promoted"
    ENDED = "ended"


class JobKind(StrEnum):
    """Which request a job does."""

    SUBMIT_BATCH = "submit_batch"
    APPROVE = "approve"


class JobStage(StrEnum):
    """Which part of its work a job is at."""

    READING = "reading"
    CHECKING = "checking"
    WRITING = "writing"
    ISSUING = "issuing"


class JobStatus(StrEnum):
    """What became of a job. `lost`: nobody has heard of it for a minute; the same request does it or finds it done."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    FAILED = "failed"
    LOST = "lost"


class ApprovalStatus(StrEnum):
    """A four-eyes act waits, has been decided once, or was withdrawn by its maker."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class StepOutcome(StrEnum):
    """What one person has decided in one step of an approval."""

    APPROVED = "approved"
    REJECTED = "rejected"


class ApprovalKind(StrEnum):
    """The official acts that need a second person."""

    PUBLISH_PROGRAMME = "publish_programme"
    ADMIT_PROVIDER = "admit_provider"
    APPROPRIATE = "appropriate"
    ISSUE_BATCH = "issue_batch"
    VOID_VOUCHER = "void_voucher"
    FREEZE_VOUCHER = "freeze_voucher"
    UNFREEZE_VOUCHER = "unfreeze_voucher"
    GRANT_ROLES = "grant_roles"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - an act
    PUBLISH_RULE_VERSION = "publish_rule_version"
    ORDER_PAYMENT = "order_payment"
    REVERSE_ENTRY = "reverse_entry"
    CLOSE_YEAR = "close_year"
    ALLOCATE = "allocate"
    CANCEL_ALLOCATION = "cancel_allocation"
    PROMOTE_WAITING = "promote_waiting"
    END_WAITING = "end_waiting"
    GRANT_APPLICATIONS = "grant_applications"
    REJECT_APPLICATION = "reject_application"
    WAITLIST_APPLICATION = "waitlist_application"
    EXTEND_VOUCHER = "extend_voucher"
    PUBLISH_NOTICE = "publish_notice"
    WITHDRAW_NOTICE = "withdraw_notice"
    DECIDE_OBJECTION = "decide_objection"
    CLOSE_PROGRAMME = "close_programme"
    SUSPEND_PROVIDER = "suspend_provider"
    RESUME_PROVIDER = "resume_provider"
    DELIST_PROVIDER = "delist_provider"
    MOVE_QUOTA = "move_quota"
    DEBAR = "debar"
    LIFT_DEBARMENT = "lift_debarment"
    RESUME_PROGRAMME = "resume_programme"
    SET_APPROVAL_BANDS = "set_approval_bands"
    DELEGATE_POWER = "delegate_power"
    CHANGE_PAYEE_ACCOUNT = "change_payee_account"
    RESET_SECOND_FACTOR = "reset_second_factor"


class ApplicationStatus(StrEnum):
    """Where an application (申领) stands. Which act leads where: `services/applications/states.py`."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"  # 受理
    CORRECTION = "correction"  # 补正: with the firm, the clock stands
    REVIEWED = "reviewed"  # 已核定
    WAITLISTED = "waitlisted"  # 候补
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class ApplicationAct(StrEnum):
    """What is done to an application; each is one event of its history."""

    CREATE = "create"
    CHANGE = "change"
    SUBMIT = "submit"
    ACCEPT = "accept"
    RETURN = "return"
    RESUBMIT = "resubmit"
    FIRST_REVIEW = "first_review"  # 区县初审
    ASSESS = "assess"  # 核定
    PROPOSE = "propose"  # 提请发放
    DECLINE = "decline"  # a checker refused the proposal
    WAITLIST = "waitlist"
    END_WAITING = "end_waiting"  # 结束候补
    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"


class ApplicationLevel(StrEnum):
    """Who has an application on his desk: the county's officials first where the rules say so, then the city's."""

    COUNTY = "county"
    CITY = "city"


class DocumentType(StrEnum):
    """What an uploaded document is, by its content."""

    PDF = "pdf"
    PNG = "png"
    JPEG = "jpeg"
    XLSX = "xlsx"
    DOCX = "docx"
    OFD = "ofd"  # GB/T 33190


class ExtensionGround(StrEnum):
    """Why a voucher is valid longer than it was."""

    RULES = "rules"
    """Within what the rules let officials extend."""
    EXCEPTION = "exception"
    """Beyond it, by a decision of its own."""
    FREEZE = "freeze"
    """It was frozen, and the rules let its validity stand meanwhile."""


class VoidGround(StrEnum):
    """Why a voucher is voided, as a word that can be counted; the reason says it in a sentence."""

    MISTAKE = "mistake"
    RELATED_PARTY = "related_party"
    FRAUD = "fraud"
    FIRM_GONE = "firm_gone"
    OTHER = "other"


class Checkpoint(StrEnum):
    """Where a firm or provider is looked at: when it applies, when a voucher is issued, spent, and paid out."""

    APPLY = "apply"
    ISSUE = "issue"
    REDEEM = "redeem"
    PAY = "pay"


class RelationKind(StrEnum):
    """How two legal persons are linked, or one belongs to a group."""

    HOLDING = "holding"
    SAME_CONTROLLER = "same_controller"
    SAME_LEGAL_REPRESENTATIVE = "same_legal_representative"
    SHARED_CONTACT = "shared_contact"
    GROUP = "group"


class PayeeAccountStatus(StrEnum):
    """An account is proposed, then listed until the next one replaces it, or refused."""

    PROPOSED = "proposed"
    LISTED = "listed"
    REPLACED = "replaced"
    REJECTED = "rejected"


class Sides(StrEnum):
    """Which two sides a reconciliation compares, besides the books with themselves."""

    STATEMENTS = "statements"  # our redemptions, providers' statements
    BANK_LISTS = "bank_lists"  # our payment orders and recoveries, the bank's results


class DifferenceGroup(StrEnum):
    """How two sides differ about one thing. Where they agree there is no difference: `matched` is only counted."""

    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"
    DIFFERING_AMOUNT = "differing_amount"
    DIFFERING_STATUS = "differing_status"  # the bank has paid or returned what is otherwise here
    REFERENCE_DOUBLED = "reference_doubled"  # the bank's reference stands for another line already


class BankLineStatus(StrEnum):
    """What a line of the bank says of money."""

    PAID = "paid"
    RETURNED = "returned"
    RECEIVED = "received"  # paid back by a payee


class CaseState(StrEnum):
    """A difference is open until somebody explains it or something resolves it."""

    OPEN = "open"
    EXPLAINED = "explained"
    RESOLVED = "resolved"


class NoticeSubject(StrEnum):
    """What the items of a public notice (公示) stand for."""

    BATCH = "batch"  # 拟发放: rows of a submitted batch
    VOUCHERS = "vouchers"  # 已发放
    ADMISSIONS = "admissions"  # 拟入围
    REDEMPTIONS = "redemptions"  # 拟兑付


class NoticeState(StrEnum):
    """What is stored of a public notice; that it has ended follows from the instant at which one looks."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class NoticeStatus(StrEnum):
    """What a public notice is at an instant; computed, never stored."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    PUBLISHED = "published"
    ENDED = "ended"
    WITHDRAWN = "withdrawn"


class NoticeItemStatus(StrEnum):
    """An item under objection is frozen alone; one whose objection was upheld is removed."""

    LISTED = "listed"
    FROZEN = "frozen"
    REMOVED = "removed"


class ObjectionStatus(StrEnum):
    """An objection (异议) is answered once."""

    OPEN = "open"
    UPHELD = "upheld"
    DISMISSED = "dismissed"


class DayKind(StrEnum):
    """What a table of holidays says of a day."""

    HOLIDAY = "holiday"  # 放假
    MAKE_UP_DAY = "make_up_day"  # 调休上班


class LeafKind(StrEnum):
    """What a row of the seal queue points at."""

    ENTRY = "entry"
    AUDIT_EVENT = "audit_event"


class HolderKind(StrEnum):
    """Whose account a balance lies on: a pool's, or the organisation's that is paid."""

    POOL = "pool"
    PAYEE = "payee"


class ReleaseGround(StrEnum):
    """Why a region may be sealed again after the database was restored."""

    AGREES = "agrees"
    """Its log holds every head that was given, as it was published."""
    DECIDED = "decided"
    """An official has decided so, with a reason."""


class Reason(StrEnum):
    """Why a subsidy is less than rate times bill: the reason codes of a trace. The list only grows."""

    NOT_ELIGIBLE = "NOT_ELIGIBLE"
    NOT_ELIGIBLE_LINE = "NOT_ELIGIBLE_LINE"
    FACT_MISSING = "FACT_MISSING"
    OUTSIDE_WINDOW = "OUTSIDE_WINDOW"
    RELATED_PARTY = "RELATED_PARTY"
    EXPIRED = "EXPIRED"
    DUP_BASE = "DUP_BASE"
    PRICE_CEILING = "PRICE_CEILING"
    QUANTITY_CEILING = "QUANTITY_CEILING"
    LEAST_OF = "LEAST_OF"
    VAT_EXCLUDED = "VAT_EXCLUDED"
    NETTED = "NETTED"
    BELOW_MIN = "BELOW_MIN"
    NO_RATE = "NO_RATE"
    RATE_ABOVE_MAXIMUM = "RATE_ABOVE_MAXIMUM"
    CAP_LINE = "CAP_LINE"
    CAP_CATEGORY = "CAP_CATEGORY"
    CAP_CLAIM = "CAP_CLAIM"
    CAP_CONTRACT = "CAP_CONTRACT"
    CAP_VOUCHER = "CAP_VOUCHER"
    CAP_HOLD = "CAP_HOLD"
    CAP_FIRM_PERIOD = "CAP_FIRM_PERIOD"
    CAP_GROUP = "CAP_GROUP"
    CAP_COUNT = "CAP_COUNT"
    STACK_CEILING = "STACK_CEILING"
    ROUNDED_TO_NOTHING = "ROUNDED_TO_NOTHING"
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED"
    NOT_DIVISIBLE = "NOT_DIVISIBLE"


class Sign(StrEnum):
    """Why a bill may not be true: the codes of what is refused or flagged. Stored in traces; the list only grows."""

    UNIT_NOT_KNOWN = "unit_not_known"
    USAGE_REF_MISSING = "usage_ref_missing"
    USAGE_ALREADY_BILLED = "usage_already_billed"
    USAGE_TIMES_MISSING = "usage_times_missing"
    BEYOND_CAPACITY = "beyond_capacity"
    CAPACITY_NOT_DECLARED = "capacity_not_declared"
    PRICE_ABOVE_LIST = "price_above_list"
    PRICE_NOT_LISTED = "price_not_listed"
    CAPACITY_USED_UP = "capacity_used_up"
    USAGE_TIMES_TOO_LONG = "usage_times_too_long"
    INVOICE_MISSING = "invoice_missing"
