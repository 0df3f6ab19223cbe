"""Everything that can go wrong and be told to somebody: one class, one row of the catalogue per code.

`AppError(Code.X, **context)` is raised by services and turned into RFC 9457 `application/problem+json` by the API.
The codes are the contract: the list only grows. The sentences stand in `catalogue.py`, in English and Chinese.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

Scalar = str | int | None


class Kind(Enum):
    """What sort of no it is, in the domain's words; the API maps each to one HTTP status."""

    MALFORMED = "malformed"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    MISSING = "missing"
    GONE = "gone"
    WRONG_METHOD = "wrong_method"
    CONFLICT = "conflict"
    STALE = "stale"
    UNCONDITIONAL = "unconditional"
    TOO_LARGE = "too_large"
    WRONG_MEDIA = "wrong_media"
    ADDRESS_TOO_LONG = "address_too_long"
    HEADERS_TOO_LARGE = "headers_too_large"
    TOO_SLOW = "too_slow"
    WRONG_HOST = "wrong_host"
    INVALID = "invalid"
    REFUSED = "refused"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    BUG = "bug"


class Code(StrEnum):
    """Append-only. A client may switch on these and on nothing else."""

    MALFORMED_REQUEST = "malformed_request"
    UNAUTHENTICATED = "unauthenticated"
    INVALID_CREDENTIALS = "invalid_credentials"
    FORBIDDEN = "forbidden"
    INSUFFICIENT_SCOPE = "insufficient_scope"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    VALIDATION_FAILED = "validation_failed"
    ETAG_MISSING = "etag_missing"
    ETAG_STALE = "etag_stale"
    INTERNAL_ERROR = "internal_error"
    UNAVAILABLE = "unavailable"
    BUSY = "busy"

    IDEMPOTENCY_KEY_MISSING = "idempotency_key_missing"
    IDEMPOTENCY_KEY_INVALID = "idempotency_key_invalid"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    REQUEST_IN_PROGRESS = "request_in_progress"
    REPLAY_EXPIRED = "replay_expired"

    ORGANISATION_EXISTS = "organisation_exists"
    LOGIN_TAKEN = "login_taken"
    INVITATION_INVALID = "invitation_invalid"
    PASSWORD_TOO_WEAK = "password_too_weak"  # noqa: S105 - a problem code
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    SECOND_FACTOR_NEEDED = "second_factor_needed"
    SECOND_FACTOR_INVALID = "second_factor_invalid"
    SECOND_FACTOR_ENROLMENT_NEEDED = "second_factor_enrolment_needed"
    STEP_UP_NEEDED = "step_up_needed"

    WRONG_STATE = "wrong_state"
    SAME_PERSON = "same_person"
    APPROVAL_PENDING = "approval_pending"
    APPROVAL_NEEDED = "approval_needed"
    APPROVAL_EXPIRED = "approval_expired"
    COMMAND_DIFFERS = "command_differs"
    STEP_ALREADY_DECIDED = "step_already_decided"
    ROLES_INCOMPATIBLE = "roles_incompatible"
    DELEGATION_NOT_POSSIBLE = "delegation_not_possible"
    PAYEE_ACCOUNT_NAME_DIFFERS = "payee_account_name_differs"
    PAYEE_ACCOUNT_CHANGED = "payee_account_changed"
    FUND_SOURCE_UNKNOWN = "fund_source_unknown"
    APPROPRIATION_BELOW_PROMISED = "appropriation_below_promised"
    BUDGET_EXHAUSTED = "budget_exhausted"
    YEAR_CLOSED = "year_closed"
    CARRY_EXCEEDS_AVAILABLE = "carry_exceeds_available"
    REGION_BUSY = "region_busy"
    FILE_ALREADY_SUBMITTED = "file_already_submitted"
    REFERENCE_ALREADY_USED = "reference_already_used"
    FILE_UNREADABLE = "file_unreadable"
    SHEET_INVALID = "sheet_invalid"
    DECLARATION_MISMATCH = "declaration_mismatch"
    STATEMENT_OVERLAPS = "statement_overlaps"
    PERIOD_ENDS_IN_FUTURE = "period_ends_in_future"
    BANK_LIST_OVERLAPS = "bank_list_overlaps"

    VOUCHER_NOT_FOUND = "voucher_not_found"
    VOUCHER_FROZEN = "voucher_frozen"
    VOUCHER_EXPIRED = "voucher_expired"
    VOUCHER_VOIDED = "voucher_voided"
    VOUCHER_SURRENDERED = "voucher_surrendered"
    VOUCHER_NOT_YET_VALID = "voucher_not_yet_valid"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    SUBSIDY_CHANGED = "subsidy_changed"
    CATEGORY_NOT_COVERED = "category_not_covered"
    PROVIDER_NOT_ADMITTED = "provider_not_admitted"
    CONSENT_MISSING = "consent_missing"
    MANDATE_EXCEEDED = "mandate_exceeded"
    MANDATE_EXISTS = "mandate_exists"
    PAYMENT_CODE_INVALID = "payment_code_invalid"
    PAYMENT_CODE_EXPIRED = "payment_code_expired"
    PAYMENT_CODE_USED = "payment_code_used"
    PAYMENT_CODE_EXCEEDED = "payment_code_exceeded"
    TOO_MANY_PAYMENT_CODES = "too_many_payment_codes"
    ORDER_NO_ALREADY_USED = "order_no_already_used"
    REFUND_EXCEEDS_REDEMPTION = "refund_exceeds_redemption"
    PROGRAMME_PAUSED = "programme_paused"
    PROGRAMME_CLOSED = "programme_closed"
    BELOW_MINIMUM = "below_minimum"
    NOT_ELIGIBLE = "not_eligible"
    RELATED_PARTY = "related_party"
    CAP_FIRM_PERIOD = "cap_firm_period"
    CLAIMANT_NOT_PROVIDER = "claimant_not_provider"
    EFFECTIVE_TOO_EARLY = "effective_too_early"
    HOLD_NOT_FOUND = "hold_not_found"
    HOLD_EXPIRED = "hold_expired"
    HOLD_ALREADY_RESOLVED = "hold_already_resolved"
    HOLD_NO_ALREADY_USED = "hold_no_already_used"
    HOLDS_OPEN = "holds_open"
    NOTICE_REQUIRED = "notice_required"
    APPLICATION_CHANGED = "application_changed"
    RELATION_NOT_ON_RECORD = "relation_not_on_record"
    ACCELERATOR_NOT_KNOWN = "accelerator_not_known"
    UNIT_NOT_KNOWN = "unit_not_known"
    USAGE_REF_MISSING = "usage_ref_missing"
    USAGE_ALREADY_BILLED = "usage_already_billed"
    USAGE_TIMES_MISSING = "usage_times_missing"
    BEYOND_CAPACITY = "beyond_capacity"
    PRICE_ABOVE_LIST = "price_above_list"
    PRICE_NOT_LISTED = "price_not_listed"
    NOT_YET_SEALED = "not_yet_sealed"
    PAYEES_DIFFER = "payees_differ"
    NOTHING_TO_PAY = "nothing_to_pay"
    ALREADY_IN_PAYMENT = "already_in_payment"
    PAYMENT_CHANGED = "payment_changed"
    BANK_REFERENCE_ALREADY_USED = "bank_reference_already_used"
    PAYMENT_PAID_BACK = "payment_paid_back"
    TRANSFER_ALREADY_USED = "transfer_already_used"
    TRANSFER_DIFFERS = "transfer_differs"
    ENTRY_NOT_REVERSIBLE = "entry_not_reversible"
    ALREADY_REVERSED = "already_reversed"
    VOUCHER_IN_USE = "voucher_in_use"
    REDEMPTION_NOT_REVERSIBLE = "redemption_not_reversible"
    CAPACITY_USED_UP = "capacity_used_up"
    USAGE_TIMES_TOO_LONG = "usage_times_too_long"
    ALLOCATION_OPEN = "allocation_open"
    DRAW_TOO_EARLY = "draw_too_early"
    WAITLIST_NOT_EMPTY = "waitlist_not_empty"
    NOTHING_TO_ALLOCATE = "nothing_to_allocate"
    CALENDAR_NOT_LOADED = "calendar_not_loaded"
    APPLICATION_WINDOW_CLOSED = "application_window_closed"
    APPLICATION_LIMIT_REACHED = "application_limit_reached"
    APPLICANT_NOT_ELIGIBLE = "applicant_not_eligible"
    AMOUNT_OUT_OF_RANGE = "amount_out_of_range"
    EVIDENCE_MISSING = "evidence_missing"
    CORRECTION_OVERDUE = "correction_overdue"
    POOL_SUFFICES = "pool_suffices"
    WAITLIST_ORDER = "waitlist_order"
    DOCUMENT_TYPE_REFUSED = "document_type_refused"
    DOCUMENT_UNREADABLE = "document_unreadable"
    DOCUMENT_LOST = "document_lost"
    INVOICE_MISSING = "invoice_missing"
    INVOICE_ALREADY_USED = "invoice_already_used"
    INVOICE_STILL_CLAIMED = "invoice_still_claimed"
    EXTENSION_NOT_LATER = "extension_not_later"
    EXTENSION_BEYOND_RULES = "extension_beyond_rules"
    VOUCHERS_UNFIT = "vouchers_unfit"
    APPLICATIONS_UNFIT = "applications_unfit"
    NOTHING_TO_SHOW = "nothing_to_show"
    NOTICE_RUNNING = "notice_running"
    NOTICE_OVER = "notice_over"
    NOTICE_REMOVED = "notice_removed"
    UNDER_OBJECTION = "under_objection"
    OBJECTIONS_OPEN = "objections_open"
    TOO_MANY_OBJECTIONS = "too_many_objections"
    TOO_MANY_UPLOADS = "too_many_uploads"
    PAYEE_SUSPENDED = "payee_suspended"
    QUOTA_EXCEEDS_AVAILABLE = "quota_exceeds_available"
    DEBARRED = "debarred"
    RELATION_EXISTS = "relation_exists"
    RATE_LIMITED = "rate_limited"
    ADDRESS_TOO_LONG = "address_too_long"
    HEADERS_TOO_LARGE = "headers_too_large"
    REQUEST_TOO_SLOW = "request_too_slow"
    HOST_UNKNOWN = "host_unknown"
    FIELD_KEY_MISSING = "field_key_missing"
    OUTSIDE_IDENTITY_UNKNOWN = "outside_identity_unknown"
    OUTSIDE_IDENTITY_TAKEN = "outside_identity_taken"
    SIGN_IN_CODE_INVALID = "sign_in_code_invalid"
    DPOP_PROOF_INVALID = "dpop_proof_invalid"
    DPOP_NONCE_NEEDED = "dpop_nonce_needed"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong in one place: a JSON pointer, or a row and column of a file."""

    pointer: str
    code: str
    detail: str | None = None
    limit: Scalar = None
    actual: Scalar = None
    row: int | None = None
    column: str | None = None


class AppError(Exception):
    """A refusal that the caller can understand and act on.

    `context` fills the sentences of the catalogue; amounts are fen, instants are aware datetimes.
    `errors` lists the places; where there is but one, `pointer` says which, and its limit and actual value are those of
    the context. `extra` are members added to the problem document (such as `redemption_id`).
    """

    def __init__(
        self,
        code: Code,
        *,
        errors: Sequence[FieldError] = (),
        extra: dict[str, Scalar] | None = None,
        retry_after_s: int | None = None,
        pointer: str | None = None,
        **context: Any,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.errors = tuple(errors)
        self.extra = extra or {}
        self.retry_after_s = retry_after_s
        self.pointer = pointer
        self.context = context
