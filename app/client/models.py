"""What the API takes and gives, field by field. Written by `python -m tests.contract.client_models`.

Amounts are integers of fen where the name says so, rates and unit prices decimal strings, instants RFC 3339 in UTC. An
answer's further fields are passed over, and its statuses and kinds are plain strings: the API grows within `/v1`.
In a request a field that is UNSET is not sent.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType


class Sent(msgspec.Struct, frozen=True):
    """Part of a request."""


class Answered(msgspec.Struct, frozen=True):
    """Part of an answer."""


Account: TypeAlias = str
"""appropriation, authorised, available, committed, held, obligated, in_payment, disbursed, lapsed,
recovery_claimed, recovery_due, treasury
"""

Act: TypeAlias = str
"""freeze, unfreeze, void, extend"""

AdmissionStatus: TypeAlias = str
"""proposed, listed, suspended, delisted"""

AllocationStatus: TypeAlias = str
"""frozen, drawn, submitted, executed, cancelled"""

ApplicationAct: TypeAlias = str
"""create, change, submit, accept, return, resubmit, first_review, assess, propose, decline, waitlist,
end_waiting, approve, reject, withdraw
"""

ApplicationLevel: TypeAlias = str
"""county, city"""

ApplicationStatus: TypeAlias = str
"""draft, submitted, accepted, correction, reviewed, waitlisted, approved, rejected, withdrawn"""

ApprovalKind: TypeAlias = str
"""publish_programme, admit_provider, appropriate, issue_batch, void_voucher, freeze_voucher, unfreeze_voucher,
grant_roles, reset_password, publish_rule_version, order_payment, reverse_entry, close_year, allocate,
cancel_allocation, promote_waiting, end_waiting, grant_applications, reject_application, waitlist_application,
extend_voucher, publish_notice, withdraw_notice, decide_objection, close_programme, suspend_provider,
resume_provider, delist_provider, move_quota, debar, lift_debarment, resume_programme, set_approval_bands,
delegate_power, change_payee_account, reset_second_factor
"""

ApprovalStatus: TypeAlias = str
"""pending, approved, rejected, withdrawn"""

AwardReason: TypeAlias = str
"""BUDGET_EXHAUSTED, TIER_FULL, TIER_UNKNOWN, ENTITLEMENT, LEFT_OUT"""

BankLineStatus: TypeAlias = str
"""paid, returned, received"""

BatchStatus: TypeAlias = str
"""submitted, issued, rejected"""

CaseState: TypeAlias = str
"""open, explained, resolved"""

Checkpoint: TypeAlias = str
"""apply, issue, redeem, pay"""

DayKind: TypeAlias = str
"""holiday, make_up_day"""

DifferenceGroup: TypeAlias = str
"""missing_here, missing_there, differing_amount, differing_status, reference_doubled"""

DocumentType: TypeAlias = str
"""pdf, png, jpeg, xlsx, docx, ofd"""

EntryKind: TypeAlias = str
"""appropriate, adjust, issue, hold, release, redeem, refund, expire, void, surrender, order_payment, bounce,
confirm_payment, recover, lapse, authorise, move, reverse
"""

EventKind: TypeAlias = str
"""hold.nearly_used, hold.expired, voucher.expiring"""

ExtensionGround: TypeAlias = str
"""rules, exception, freeze"""

HoldStatus: TypeAlias = str
"""open, redeemed, released, expired"""

IdentifierType: TypeAlias = str
"""uscc, maker"""

JobKind: TypeAlias = str
"""submit_batch, approve"""

JobStage: TypeAlias = str
"""reading, checking, writing, issuing"""

JobStatus: TypeAlias = str
"""running, succeeded, refused, failed, lost"""

ManyAct: TypeAlias = str
"""reject, waitlist"""

NoticeItemStatus: TypeAlias = str
"""listed, frozen, removed"""

NoticeStatus: TypeAlias = str
"""draft, submitted, published, ended, withdrawn"""

NoticeSubject: TypeAlias = str
"""batch, vouchers, admissions, redemptions"""

ObjectionStatus: TypeAlias = str
"""open, upheld, dismissed"""

OrganisationKind: TypeAlias = str
"""authority, finance, firm, provider, audit, registry"""

PayeeAccountStatus: TypeAlias = str
"""proposed, listed, replaced, rejected"""

PaymentCodeStatus: TypeAlias = str
"""open, used, expired, withdrawn"""

PaymentItemStatus: TypeAlias = str
"""proposed, rejected, in_payment, confirmed, bounced"""

PaymentOrderStatus: TypeAlias = str
"""proposed, ordered, rejected"""

PaymentResultKind: TypeAlias = str
"""confirmed, bounced"""

ProgrammeStatus: TypeAlias = str
"""draft, submitted, published, paused, closed"""

RecoveryStatus: TypeAlias = str
"""recorded, due, received, refunded"""

RedemptionStatus: TypeAlias = str
"""posted, in_settlement, paid"""

RetentionKind: TypeAlias = str
"""objection_contacts"""

Role: TypeAlias = str
"""registrar, maker, checker, finance, auditor, provider, firm, system_admin, security_admin, audit_admin"""

RuleVersionStatus: TypeAlias = str
"""draft, published"""

Rules: TypeAlias = dict[str, Any]
"""A rule document, as openapi/rules.schema.json describes it."""

RunsOut: TypeAlias = str
"""on_a_day, exhausted, not_this_year, unknown"""

Sides: TypeAlias = str
"""statements, bank_lists"""

Sign: TypeAlias = str
"""unit_not_known, usage_ref_missing, usage_already_billed, usage_times_missing, beyond_capacity,
capacity_not_declared, price_above_list, price_not_listed, capacity_used_up, usage_times_too_long,
invoice_missing
"""

Stage: TypeAlias = str
"""county, city, correction, waiting, passed, failed, withdrawn, draft"""

StepOutcome: TypeAlias = str
"""approved, rejected"""

Unknown: TypeAlias = str
"""year_over, year_closed, window_too_short, too_few_days"""

VoidGround: TypeAlias = str
"""mistake, related_party, fraud, firm_gone, other"""

VoucherKind: TypeAlias = str
"""compute, assessment, training, model, corpus, token, data, innovation, enterprise_service"""

VoucherStatus: TypeAlias = str
"""pending, active, exhausted, frozen, expired, voided, surrendered"""


class AcceleratorRead(Answered, frozen=True, kw_only=True):
    """A card and what it computes, with the source of the figure."""

    code: str
    maker_en: str
    maker_zh: str
    name_en: str
    name_zh: str
    origin: str
    fp16_dense_tflops: str
    """A decimal; a card-hour is a thousandth of it in PFLOPS·hours"""
    source_kind: str
    """The maker's own figure; the rated value of a published benchmark; somebody else's table"""
    source: str
    source_url: str
    as_of: str
    """When the source is of, or was read where it has no date"""


class AcceleratorsRead(Answered, frozen=True, kw_only=True):
    """The table that holds today. What was converted by an earlier one stays as it was."""

    version_on: str
    measure: str
    accelerators: list[AcceleratorRead]


class AccessToken(Answered, frozen=True, kw_only=True):
    """The successful answer of RFC 6749, section 5.1."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


class AccountNoRead(Answered, frozen=True, kw_only=True):
    """The whole number of an account."""

    id: str
    account_no: str


class AccountRead(Answered, frozen=True, kw_only=True):
    """What lies on an account of a pool, in fen; sources are negative by what they gave."""

    region_code: str
    programme_id: str
    pool_id: str
    fiscal_year: int
    fund_source: str
    account: Account
    balance_fen: int


class AccountSearch(Sent, frozen=True, kw_only=True):
    """A number, and what it is searched for."""

    account_no: str
    purpose: str


class ActBody(Sent, frozen=True, kw_only=True):
    """Why it is to be done."""

    reason: str


class AdmissionBody(Sent, frozen=True, kw_only=True):
    """The service categories for which the provider is to be admitted, and its prices where a list was agreed."""

    categories: list[str]
    prices: list[PriceBody] | UnsetType = UNSET
    """The whole list; it takes the place of the one before"""


class AdmissionProposed(Answered, frozen=True, kw_only=True):
    """The admission as it stands, and the approval that waits."""

    admission: AdmissionRead
    approval: ApprovalRead


class AdmissionRead(Answered, frozen=True, kw_only=True):
    """A provider's place in a programme."""

    programme_id: str
    provider_id: str
    provider_name: str
    categories: list[str]
    prices: list[PriceRead]
    status: AdmissionStatus
    version: int
    updated_at: str


class ApplicationActs(Sent, frozen=True, kw_only=True):
    """One act on many applications of one programme, each with its reason or one for all that have none."""

    act: ManyAct
    applications: list[ReasonedApplication]
    """Each once"""
    reason: str | UnsetType | None = UNSET
    """For those that have none of their own"""


class ApplicationBody(Sent, frozen=True, kw_only=True):
    """What a firm applies for."""

    programme_id: str
    amount_fen: int
    """Fen (分), more than 0"""
    purpose: str
    """What the voucher is to be used for. 用途"""
    valid_until_on: str | UnsetType | None = UNSET
    """Last day the voucher is wanted for, where the rules let firms say so"""
    claim: dict[str, str | bool | int | list[str]] | UnsetType = UNSET
    """Facts that the rules let the claimant state"""
    plan: list[PlannedLine] | UnsetType = UNSET
    """What is to be bought; the subsidy it would earn bounds the assessment"""
    documents: list[ApplicationDocumentBody] | UnsetType = UNSET


class ApplicationCreate(Sent, frozen=True, kw_only=True):
    """An application; with `draft` it is kept for the firm alone until it is submitted."""

    programme_id: str
    amount_fen: int
    """Fen (分), more than 0"""
    purpose: str
    """What the voucher is to be used for. 用途"""
    valid_until_on: str | UnsetType | None = UNSET
    """Last day the voucher is wanted for, where the rules let firms say so"""
    claim: dict[str, str | bool | int | list[str]] | UnsetType = UNSET
    """Facts that the rules let the claimant state"""
    plan: list[PlannedLine] | UnsetType = UNSET
    """What is to be bought; the subsidy it would earn bounds the assessment"""
    documents: list[ApplicationDocumentBody] | UnsetType = UNSET
    draft: bool | UnsetType = UNSET


class ApplicationDocumentBody(Sent, frozen=True, kw_only=True):
    """A paper: which of the rules' list it is (or `other`), and the upload."""

    document: str
    upload_id: str


class ApplicationDocumentRead(Answered, frozen=True, kw_only=True):
    """A paper; its bytes are at `/v1/uploads/{upload_id}/content`."""

    document: str
    upload_id: str
    file_name: str
    type: DocumentType
    size: int
    sha256: str


class ApplicationEventRead(Answered, frozen=True, kw_only=True):
    """Who did what, when and why; `facts` and `trace` are what was decided from, and their hash is sealed."""

    seq: int
    act: ApplicationAct
    from_status: ApplicationStatus | None
    to_status: ApplicationStatus
    at: str
    principal_id: str
    organisation_id: str
    reason: str | None
    details: dict[str, Any]
    facts: dict[str, Any] | None
    facts_sha256: str | None
    trace: dict[str, Any] | None


class ApplicationJudged(Answered, frozen=True, kw_only=True):
    """An application with the judgement that was made just now, None for a draft."""

    id: str
    region_code: str
    programme_id: str
    programme_title: str
    firm_id: str
    firm_name: str
    firm_identifier: str
    district_code: str
    status: ApplicationStatus
    level: ApplicationLevel
    stage: Stage
    amount_fen: int
    purpose: str
    valid_until_on: str | None
    claim: dict[str, Any]
    plan: list[dict[str, Any]]
    documents: list[ApplicationDocumentRead]
    correction_items: list[str]
    due_on: str | None
    overdue: bool
    assessed_fen: int | None
    exception: dict[str, Any] | None
    batch_id: str | None
    voucher_id: str | None
    created_at: str
    submitted_at: str | None
    accepted_at: str | None
    decided_at: str | None
    decision_reason: str | None
    version: int
    judgement: JudgementRead | None


class ApplicationRead(Answered, frozen=True, kw_only=True):
    """An application as it stands. `due_on` is the last day in time of whoever has it now: officials, or the firm."""

    id: str
    region_code: str
    programme_id: str
    programme_title: str
    firm_id: str
    firm_name: str
    firm_identifier: str
    district_code: str
    status: ApplicationStatus
    level: ApplicationLevel
    stage: Stage
    amount_fen: int
    purpose: str
    valid_until_on: str | None
    claim: dict[str, Any]
    plan: list[dict[str, Any]]
    documents: list[ApplicationDocumentRead]
    correction_items: list[str]
    due_on: str | None
    overdue: bool
    assessed_fen: int | None
    exception: dict[str, Any] | None
    batch_id: str | None
    voucher_id: str | None
    created_at: str
    submitted_at: str | None
    accepted_at: str | None
    decided_at: str | None
    decision_reason: str | None
    version: int


class ApplicationsBody(Sent, frozen=True, kw_only=True):
    """Reviewed and waiting applications of the programme, in the order in which they were first submitted."""

    submitted_from: str | UnsetType | None = UNSET
    """First submitted at this instant or later"""
    submitted_until: str | UnsetType | None = UNSET
    """First submitted before this instant"""


class AppropriationBody(Sent, frozen=True, kw_only=True):
    """A grant of the finance bureau; a negative amount takes back what is still free."""

    document_no: str
    amount_fen: int
    """Fen (分); negative takes back"""
    fund_source: str | UnsetType | None = UNSET
    """May be left out where the rules know only one"""
    reason: str | UnsetType | None = UNSET


class ApprovalForeseen(Answered, frozen=True, kw_only=True):
    """One approval, held against the state of this instant.

    `effect_now` is what it would do now (null where nothing of it can move), `has_moved` that this differs from
    the effect as asked. `next_people` may take the next step by a role of their own, at most twenty.
    """

    id: str
    region_code: str
    kind: ApprovalKind
    status: ApprovalStatus
    authority_id: str | None
    county_code: str | None
    """Where a county issues in the programme of its city"""
    required_role: Role
    steps: list[StepRead]
    subject_id: str
    command: dict[str, Any]
    command_sha256: str
    effect: dict[str, Any]
    in_words: InWordsRead
    amount_fen: int | None
    reason: str | None
    made_at: str
    made_by: str
    expires_at: str | None
    decided_at: str | None
    decided_by: str | None
    decision_note: str | None
    effect_now: dict[str, Any] | None
    has_moved: bool
    next_people: list[PersonRead]


class ApprovalPage(Answered, frozen=True, kw_only=True):
    """One page, with the totals of all that the filter finds."""

    data: list[ApprovalRead]
    next_cursor: str | None
    count: int
    amount_fen: int
    totals: list[KindTotalRead]


class ApprovalRead(Answered, frozen=True, kw_only=True):
    """What was asked: the exact command with its SHA-256, and in numbers and words what approving does.

    `required_role` is whose turn it is. `expires_at` is until when it can be approved (null: no end).
    """

    id: str
    region_code: str
    kind: ApprovalKind
    status: ApprovalStatus
    authority_id: str | None
    county_code: str | None
    """Where a county issues in the programme of its city"""
    required_role: Role
    steps: list[StepRead]
    subject_id: str
    command: dict[str, Any]
    command_sha256: str
    effect: dict[str, Any]
    in_words: InWordsRead
    amount_fen: int | None
    reason: str | None
    made_at: str
    made_by: str
    expires_at: str | None
    decided_at: str | None
    decided_by: str | None
    decision_note: str | None


class ApproveBody(Sent, frozen=True, kw_only=True):
    """An optional remark for the record."""

    note: str | UnsetType | None = UNSET
    command_sha256: str | UnsetType | None = UNSET
    """What you have seen: another command is refused (`command_differs`)"""
    on_behalf_of: str | UnsetType | None = UNSET
    """The colleague in whose place you decide, by a delegation; your own role counts first where it is left out"""


class AssessBody(Sent, frozen=True, kw_only=True):
    """The amount that is fixed (核定) and why; `terms` are what officials state of the claim."""

    assessed_fen: int
    """Fen (分), more than 0"""
    reason: str
    terms: Terms | UnsetType | None = UNSET
    exemption: ExemptionBody | UnsetType | None = UNSET


class AssessmentRead(Answered, frozen=True, kw_only=True):
    """Facts, rules and trace as they are stored. Written canonically (RFC 8785) they have the hashes given here."""

    subject_id: str
    judged_at: str
    amount_fen: int
    """Held, drawn, or given back by a refund"""
    facts: dict[str, Any]
    refund_facts: dict[str, Any] | None
    others: dict[str, dict[str, Any]]
    """Facts of the other redemptions of the same hold, by id."""
    trace: dict[str, Any]
    rule_version_id: str
    rule_version_number: int
    rules: dict[str, Any]
    rules_sha256: str
    entry_id: str | None
    facts_sha256: str | None
    trace_sha256: str | None


class AuditEventRead(Answered, frozen=True, kw_only=True):
    """An event. `leaf` is the exact text that is hashed for the log, `leaf_sha256` its SHA-256.

    `leaf_index` is its place in the region's log and `proof` where that is proved; both null until it is sealed.
    `withheld` names the amounts that an audit administrator does not see in `details`.
    """

    id: str
    region_code: str
    at: str
    principal_id: str
    organisation_id: str
    action: str
    object_id: str
    result: str
    source: str
    request_id: str
    details: dict[str, Any]
    withheld: list[str]
    leaf: str
    leaf_sha256: str
    leaf_index: int | None
    proof: str | None
    """Path of the inclusion proof"""


class AvailableBody(Sent, frozen=True, kw_only=True):
    """How much of what one fund source has available goes to the successor programme; the rest lapses."""

    fund_source: str
    carry_fen: int
    """Fen (分)"""


class AwardRead(Answered, frozen=True, kw_only=True):
    """What a candidate gets, in the order of service. `waits_fen`: for so much it queues."""

    rank: int
    place: int
    reference_no: str
    asked_fen: int
    granted_fen: int
    reason: AwardReason | None
    waits_fen: int


class BandBody(Sent, frozen=True, kw_only=True):
    """Amounts up to `up_to_fen` (null: all above) take these steps, one person each, in this order."""

    up_to_fen: int | None
    steps: list[str]


class BandRead(Answered, frozen=True, kw_only=True):
    """One band."""

    up_to_fen: int | None
    steps: list[Role]


class BandsBody(Sent, frozen=True, kw_only=True):
    """The bands of one kind of act from a day on; of one authority, or without it of the whole region."""

    region_code: str
    authority_id: str | UnsetType | None = UNSET
    kind: ApprovalKind
    bands: list[BandBody]
    effective_on: str
    """A day in Asia/Shanghai"""
    expires_after_days: int | UnsetType | None = UNSET
    """After so many days a request can be approved no more"""
    reason: str | UnsetType | None = UNSET


class BandsRead(Answered, frozen=True, kw_only=True):
    """A table of bands. The newest that has begun holds; an authority's own before the region's."""

    id: str
    region_code: str
    authority_id: str | None
    kind: ApprovalKind
    effective_from: str
    bands: list[BandRead]
    expires_after_days: int | None
    approval_id: str


class BankLinePage(Answered, frozen=True, kw_only=True):
    """Lines in the order of the file."""

    data: list[BankLineRead]
    next_cursor: str | None


class BankLineRead(Answered, frozen=True, kw_only=True):
    """One payment, return or receipt as the bank has it, and the row of the file."""

    row_no: int
    status: BankLineStatus
    bank_reference: str
    order_id: str | None
    amount_fen: int
    settled_on: str
    payee_name: str | None
    account_tail: str | None


class BankListRead(Answered, frozen=True, kw_only=True):
    """A list; one that was replaced is kept and no longer compared. `total_fen` is of all lines, returns included."""

    id: str
    region_code: str
    organisation_id: str
    period_from: str
    period_until: str
    line_count: int
    total_fen: int
    file_name: str
    file_sha256: str
    uploaded_at: str
    uploaded_by: str
    replaced_at: str | None
    replaced_by_id: str | None


class BankListUploaded(Answered, frozen=True, kw_only=True):
    """What was taken in. A dry run has no id; `repeated` says that this very file was there already."""

    bank_list_id: str | None
    repeated: bool
    replaces_id: str | None
    line_count: int
    total_fen: int
    file_sha256: str
    ignored_columns: list[str]


class BatchRead(Answered, frozen=True, kw_only=True):
    """A batch; `approval_id` is where a checker decides it."""

    id: str
    region_code: str
    programme_id: str
    programme_title: str
    status: BatchStatus
    row_count: int
    total_fen: int
    file_name: str | None
    file_sha256: str | None
    approval_id: str
    created_at: str
    created_by: str
    decided_at: str | None


class BatchSubmitted(Answered, frozen=True, kw_only=True):
    """What will be issued once a checker approves. A dry run has no ids: nothing was kept.

    Of more than 1,000 rows the first ones are shown; all are at `/v1/issuance-batches/{id}/rows`.
    """

    batch_id: str | None
    approval_id: str | None
    dry_run: bool
    status: BatchStatus
    region_code: str
    programme_id: str
    row_count: int
    total_fen: int
    firm_count: int
    file_sha256: str | None
    pools: list[DrawRead]
    rows: list[PlannedRowRead]


class BeneficiaryRead(Answered, frozen=True, kw_only=True):
    """A firm and its share of all that was given out."""

    firm: str
    subsidy_fen: int
    bills: int
    share: str | None


class BillBody(Sent, frozen=True, kw_only=True):
    """A bill: `total_fen` is the sum of its lines."""

    total_fen: int
    """Fen (分), more than 0, at most 10¹³"""
    tax_rate: str | UnsetType | None = UNSET
    lines: list[BillLineBody]


class BillLineBody(Sent, frozen=True, kw_only=True):
    """One line of a bill. `amount_fen` counts and includes VAT; quantity × unit price must explain it."""

    category: str
    quantity: str
    unit: str
    unit_price: str
    """元"""
    amount_fen: int
    """Fen (分), more than 0, at most 10¹³"""
    used_from: str | UnsetType | None = UNSET
    used_until: str | UnsetType | None = UNSET
    provider_site: str | UnsetType | None = UNSET
    usage_ref: str | UnsetType | None = UNSET
    """Your job or metering number; each is billed once. One job billed in parts has one for each."""
    accelerator: str | UnsetType | None = UNSET
    """With card_hour: the card, a code of GET /v1/accelerators. The answer has its PFLOPS·hours."""
    invoice: InvoiceLineBody | UnsetType | None = UNSET
    facts: dict[str, str | bool | int | list[str]] | UnsetType = UNSET
    """Facts of this line that the rules ask the claimant for, such as model_filed."""


class BounceBody(Sent, frozen=True, kw_only=True):
    """The bank has returned it (退票): all of the order or, once part of it is confirmed, the redemptions named."""

    bank_reference: str
    reason: str
    redemption_ids: list[str] | UnsetType | None = UNSET


class CalendarDayRead(Answered, frozen=True, kw_only=True):
    """A day that is not what its weekday says."""

    day: str
    kind: DayKind
    name: str


class CalendarDayWrite(Sent, frozen=True, kw_only=True):
    """A holiday, or a Saturday or Sunday on which people work (调休上班)."""

    day: str
    """A day in Asia/Shanghai"""
    kind: DayKind
    name: str


class CalendarList(Answered, frozen=True, kw_only=True):
    """Tables, each with its days."""

    data: list[CalendarRead]


class CalendarRead(Answered, frozen=True, kw_only=True):
    """A year's table. `version` is its ETag; the highest one counts."""

    year: int
    version: int
    document_no: str
    loaded_at: str
    loaded_by: str
    days: list[CalendarDayRead]


class CalendarWrite(Sent, frozen=True, kw_only=True):
    """A year's table as the notice has it. A day may lie in the December before, where the notice says so."""

    document_no: str
    days: list[CalendarDayWrite]


class CancelBody(Sent, frozen=True, kw_only=True):
    """Why the round is given up."""

    reason: str


class CandidateBody(Sent, frozen=True, kw_only=True):
    """One candidate of the list, given by the firm's code or its id."""

    reference_no: str
    """Your own number of the grant, unique in the programme. 申领编号"""
    uscc: str | UnsetType | None = UNSET
    """统一社会信用代码 of the firm"""
    firm_id: str | UnsetType | None = UNSET
    firm_name: str | UnsetType | None = UNSET
    """If given, must be the registered name"""
    asked_fen: int
    """Fen (分), more than 0"""
    score: str | UnsetType | None = UNSET
    tier: str | UnsetType | None = UNSET
    """For quota_tiers: a tier of the rules"""
    project: str | UnsetType | None = UNSET
    """For entitlement: the project's number, one row each"""
    project_level: str | UnsetType | None = UNSET
    """For entitlement: a level of the rules"""
    terms: Terms | UnsetType | None = UNSET
    """What officials fix with the grant, as for a batch"""


class CandidatePage(Answered, frozen=True, kw_only=True):
    """Candidates in their order."""

    data: list[CandidateRead]
    next_cursor: str | None


class CandidateRead(Answered, frozen=True, kw_only=True):
    """A candidate in the order of the list; what it gets is null while that is not known."""

    place: int
    reference_no: str
    firm_id: str
    firm_name: str
    asked_fen: int
    score: str | None
    tier: str | None
    project: str | None
    project_level: str | None
    granted_before_fen: int
    rank: int | None
    granted_fen: int | None
    reason: AwardReason | None
    waits_fen: int | None
    voucher_id: str | None


class CaseAssign(Sent, frozen=True, kw_only=True):
    """Whose work it is: a person of finance, audit or an authority of the region."""

    owner_id: str


class CaseNoteCreate(Sent, frozen=True, kw_only=True):
    """What there is to say."""

    words: str


class CaseRead(Answered, frozen=True, kw_only=True):
    """A difference. `here_fen` is the amount in the books, `there_fen` what the other side states; null: not there.

    `evidence` holds, from the last check, the line of the statement or of the bank, what the books have of it,
    and what differs.
    """

    id: str
    region_code: str
    sides: Sides
    subject: str
    kind: DifferenceGroup
    party_id: str
    happened_on: str
    here_fen: int | None
    there_fen: int | None
    evidence: dict[str, Any]
    state: CaseState
    owner_id: str | None
    age_days: int
    opened_at: str
    opened_in_id: str
    found_at: str
    found_in_id: str
    resolved_at: str | None
    resolved_by: str | None
    resolved_in_id: str | None
    resolving_entry_id: str | None
    resolving_statement_id: str | None
    resolving_bank_list_id: str | None


class CaseResolve(Sent, frozen=True, kw_only=True):
    """The entry of the journal that settles the difference, and why."""

    entry_id: str
    words: str


class CaseWithNotes(Answered, frozen=True, kw_only=True):
    """A case and its notes in order."""

    id: str
    region_code: str
    sides: Sides
    subject: str
    kind: DifferenceGroup
    party_id: str
    happened_on: str
    here_fen: int | None
    there_fen: int | None
    evidence: dict[str, Any]
    state: CaseState
    owner_id: str | None
    age_days: int
    opened_at: str
    opened_in_id: str
    found_at: str
    found_in_id: str
    resolved_at: str | None
    resolved_by: str | None
    resolved_in_id: str | None
    resolving_entry_id: str | None
    resolving_statement_id: str | None
    resolving_bank_list_id: str | None
    notes: list[NoteRead]


class ChangeRead(Answered, frozen=True, kw_only=True):
    """A field that differs, and what it means. What one side does not have is null there."""

    pointer: str
    before: Any
    after: Any
    en: str
    zh: str


class CheckBody(Sent, frozen=True, kw_only=True):
    """Ask whether a code is usable here."""

    voucher_code: str
    """As printed; case and separators do not matter."""
    payment_code: str | UnsetType | None = UNSET


class CheckRead(Answered, frozen=True, kw_only=True):
    """What a provider may know before work, with the firm's consent: the payment code that it shows, or a mandate."""

    voucher_id: str
    status: VoucherStatus
    firm_name: str
    programme_id: str
    programme_title: str
    categories: list[str]
    balance_fen: int
    drawable_fen: int
    valid_from: str
    valid_until: str
    mandate_until: str | None
    """Null where a payment code is the consent."""
    payment_code_until: str | None
    """Null where a mandate is the consent."""


class ClientCreate(Sent, frozen=True, kw_only=True):
    """A machine as a registrar writes it down. With a key of its own it gets no secret."""

    name: str
    organisation_id: str
    roles: list[RoleWanted] | UnsetType = UNSET
    jwk: dict[str, Any] | UnsetType | None = UNSET


class ClientCreated(Answered, frozen=True, kw_only=True):
    """The client, its secret (shown this once; null where it has a key), and the approval that waits (null where no
    role was asked for).
    """

    client: ClientRead
    secret: str | None
    approval_id: str | None


class ClientKeyCreate(Sent, frozen=True, kw_only=True):
    """A public key with which the machine will sign its assertions."""

    jwk: dict[str, Any]
    """A public key (RFC 7517): Ed25519, P-256, or RSA of 2048 to 4096 bits; signs EdDSA, ES256 or PS256"""


class ClientKeyRead(Answered, frozen=True, kw_only=True):
    """A key of a machine; its name (`kid`) goes into the header of the assertions that it signs."""

    kid: str
    algorithm: str
    jwk: dict[str, str]
    created_at: str
    created_by: str
    retired_at: str | None


class ClientKeys(Answered, frozen=True, kw_only=True):
    """All keys of a machine, newest first."""

    data: list[ClientKeyRead]


class ClientRead(Answered, frozen=True, kw_only=True):
    """A machine client, with the roles held now."""

    id: str
    name: str
    organisation_id: str
    roles: list[RoleRead]
    dpop_required: bool
    disabled_at: str | None
    created_at: str
    created_by: str


class CloseBody(Sent, frozen=True, kw_only=True):
    """Why it is to be done."""

    reason: str


class ComparedVersion(Answered, frozen=True, kw_only=True):
    """Which version was compared."""

    id: str
    number: int
    effective_on: str
    status: RuleVersionStatus
    rules_sha256: str


class ConditionRead(Answered, frozen=True, kw_only=True):
    """One condition of the programme, and what became of it. `later`: judged with the bill; `open`: not known yet."""

    name: str
    outcome: str
    en: str
    zh: str
    missing: list[str]


class ConfirmBody(Sent, frozen=True, kw_only=True):
    """The bank has paid (回单): all that is in payment, or the redemptions named."""

    bank_reference: str
    redemption_ids: list[str] | UnsetType | None = UNSET


class ConsistencyRead(Answered, frozen=True, kw_only=True):
    """What shows that the log of `from_size` leaves is the beginning of that of `to_size` (RFC 6962 section 2.1.2)."""

    log: str
    region_code: str
    from_size: int
    to_size: int
    proof: list[str]


class CountsRead(Answered, frozen=True, kw_only=True):
    """How many applications lie at each stage: 区县审核中, 市审核中, 待补正, 候补, 通过, 不通过, 已撤回."""

    stages: dict[str, int]
    statuses: dict[str, int]
    districts: list[DistrictCountsRead]
    overdue: int


class Credentials(Sent, frozen=True, kw_only=True):
    """Login and password of a person, and the code of the second factor where there is one."""

    login: str
    password: str
    code: str | UnsetType | None = UNSET
    """The six digits that the authenticator shows, or a recovery code; each counts once"""
    device: str | UnsetType | None = UNSET
    """What an earlier sign-in from this program returned: others' failures do not keep it out"""


class CutRead(Answered, frozen=True, kw_only=True):
    """What one reason took from the base or from the subsidy; the two are never added up."""

    code: str
    cap: str | None
    requirement: str | None
    missing: list[str]
    bills: int
    base_fen: int
    subsidy_fen: int


class DebarmentAsked(Answered, frozen=True, kw_only=True):
    """What was asked for. `approval` is none where all entries are on the list already."""

    approval: ApprovalRead | None
    entry_count: int
    known_count: int


class DebarmentCreate(Sent, frozen=True, kw_only=True):
    """Entries that one approval puts on the list of a region. They bind it and all regions below it."""

    region_code: str
    authority_id: str
    entries: list[DebarmentEntry]


class DebarmentEntry(Sent, frozen=True, kw_only=True):
    """One legal person, registered here or not."""

    identifier: Identifier
    name: str
    reason: str
    document_no: str
    from_on: str
    """A day in Asia/Shanghai"""
    until_on: str | UnsetType | None = UNSET
    """The last day; left out where it goes on until it is lifted"""
    checkpoints: list[Checkpoint] | UnsetType = UNSET
    """What it rules out: apply, issue, redeem (new bills and holds), pay"""


class DebarmentLift(Sent, frozen=True, kw_only=True):
    """By which document an entry is taken off the list, and why."""

    document_no: str
    reason: str


class DebarmentListAsked(Answered, frozen=True, kw_only=True):
    """What was asked for. Without an approval there was nothing to ask: a dry run, or all are on the list already."""

    approval: ApprovalRead | None
    entry_count: int
    known_count: int
    ignored_columns: list[str]


class DebarmentRead(Answered, frozen=True, kw_only=True):
    """An entry; `until_on` is the last day."""

    id: str
    region_code: str
    authority_id: str
    identifier: Identifier
    name: str
    reason: str
    document_no: str
    checkpoints: list[Checkpoint]
    from_on: str
    until_on: str | None
    debarred_at: str
    made_by: str
    decided_by: str
    lifted_at: str | None
    lift_document_no: str | None
    lift_reason: str | None


class DecisionWrite(Sent, frozen=True, kw_only=True):
    """The answer: `upheld` removes the item for good, `dismissed` lets it go on."""

    outcome: str
    reason: str


class DelegationBody(Sent, frozen=True, kw_only=True):
    """Which of your roles, to whom, until when (92 days at most)."""

    role: str
    region_code: str
    delegate_id: str
    starts_at: str | UnsetType | None = UNSET
    ends_at: str
    reason: str


class DelegationRead(Answered, frozen=True, kw_only=True):
    """A delegation that a security administrator has agreed to. It ends by itself."""

    id: str
    region_code: str
    role: Role
    authority_id: str | None
    delegator_id: str
    delegate_id: str
    starts_at: str
    ends_at: str
    reason: str
    approval_id: str
    granted_at: str
    revoked_at: str | None
    revoked_by: str | None


class DifferenceRead(Answered, frozen=True, kw_only=True):
    """One row that breaks an invariant."""

    region_code: str
    subject: str
    expected: str
    actual: str


class DisclosureRead(Answered, frozen=True, kw_only=True):
    """The published programmes as of `at`, which is a minute ago at most."""

    at: str
    programmes: list[ProgrammeTotalsRead]


class DistrictCountsRead(Answered, frozen=True, kw_only=True):
    """One district's applications by stage."""

    district_code: str
    district_name: str
    stages: dict[str, int]


class DpopBody(Sent, frozen=True, kw_only=True):
    """Whether the machine's access tokens must be bound to a key of its own (DPoP, RFC 9449)."""

    required: bool


class DrawBody(Sent, frozen=True, kw_only=True):
    """How a lottery's seed is going to be known: announced now, published later."""

    announcement: str
    """Which public number, where it is published, in which order"""
    seed_format: str
    """How it is written, # for a digit, six of them at least: "## ## ## ## ## ## ##\""""
    draws_at: str
    """From when on it is known; must lie in the future"""


class DrawRead(Answered, frozen=True, kw_only=True):
    """What the batch takes from one pool."""

    pool_id: str
    fund_source: str
    amount_fen: int
    available_before_fen: int
    available_after_fen: int


class EndBody(Sent, frozen=True, kw_only=True):
    """Whose waiting ends without a grant; default: everybody's."""

    reference_nos: list[str] | UnsetType | None = UNSET
    reason: str


class EntryRead(Answered, frozen=True, kw_only=True):
    """A journal entry; `leaf` is the exact text that is hashed for the log, `leaf_sha256` its SHA-256."""

    id: str
    region_code: str
    kind: EntryKind
    at: str
    programme_id: str
    voucher_id: str | None
    subject_id: str
    principal_id: str
    organisation_id: str
    maker_id: str | None
    checker_id: str | None
    approval_id: str | None
    rule_version_id: str | None
    request_id: str
    reverses_id: str | None
    pair_id: str | None
    voucher_end: str | None
    details: dict[str, Any]
    leaf: str
    leaf_sha256: str
    postings: list[PostingRead]


class EventPage(Answered, frozen=True, kw_only=True):
    """Events, oldest first. Send `next_cursor` as `cursor` for what comes after them, now or later."""

    data: list[EventRead]
    next_cursor: str | None
    """Null as long as nothing was ever told."""


class EventRead(Answered, frozen=True, kw_only=True):
    """Something that happened. `hold.nearly_used`: 80 % of a hold are drawn. `hold.expired`: its rest went back.

    `voucher.expiring`, to the firm: `days_before` days are left of a balance (the rules' `reminder_days`), told
    once.
    """

    id: str
    kind: EventKind
    subject_id: str
    """What it is about, such as the hold."""
    at: str
    data: dict[str, Any]


class EvidenceRead(Answered, frozen=True, kw_only=True):
    """A document that the rules ask for."""

    document: str
    checkpoints: list[str]
    mandatory: bool
    verified_by: str
    en: str | None
    zh: str | None


class ExecutionRead(Answered, frozen=True, kw_only=True):
    """Every pool within your reach as of `at`, their groups, and their sum."""

    at: str
    pools: list[PoolExecutionRead]
    groups: list[GroupExecutionRead]
    total: StandingRead


class ExemptionBody(Sent, frozen=True, kw_only=True):
    """Which document lets conditions be failed, and why. The checker of the grant approves it."""

    reason: str
    document_no: str


class ExtendBody(Sent, frozen=True, kw_only=True):
    """A new last day, or so many days more. Beyond what the rules allow it is an exception and needs a document."""

    reason: str
    last_day: str | UnsetType | None = UNSET
    """The new last day on which it is valid"""
    days: int | UnsetType | None = UNSET
    """Days more than now"""
    exception_document_no: str | UnsetType | None = UNSET
    """The document that grants an exception; without it the rules must allow it"""


class ExtensionRead(Answered, frozen=True, kw_only=True):
    """A voucher made valid longer; `ground` says by what: the rules, an exception, or a freeze."""

    number: int
    ground: ExtensionGround
    valid_until_before: str
    redeemable_until_before: str
    valid_until: str
    redeemable_until: str
    document_no: str | None
    approval_id: str
    extended_at: str


class FactorConfirm(Sent, frozen=True, kw_only=True):
    """Login and password again, and the first code that the authenticator shows."""

    login: str
    password: str
    first_code: str
    device: str | UnsetType | None = UNSET
    """What an earlier sign-in from this program returned: others' failures do not keep it out"""


class FieldChangeRead(Answered, frozen=True, kw_only=True):
    """One field: what is registered, and what the list says."""

    field: str
    before: Any
    after: Any


class FirmDifferenceRead(Answered, frozen=True, kw_only=True):
    """One firm under both versions."""

    firm: str
    first_fen: int
    second_fen: int
    difference_fen: int


class FirmProfile(Sent, frozen=True, kw_only=True):
    """What eligibility may depend on. D6."""

    size: str | UnsetType | None = UNSET
    """微型 / 小型 / 中型 / 大型"""
    industry: str | UnsetType | None = UNSET
    tags: list[Tag] | UnsetType = UNSET
    group: str | UnsetType | None = UNSET
    """The declared group, for caps that count all its firms. 集团"""
    registered_on: str | UnsetType | None = UNSET
    """Day of registration. 成立日期"""
    facts: dict[str, bool | int | str | list[str]] | UnsetType = UNSET
    """Further facts that programmes' rules declare: words, numbers, days, yes or no"""


class FlagRead(Answered, frozen=True, kw_only=True):
    """Something noted of a line for whoever reviews; it changed no amount."""

    code: Sign
    line: int
    """From 1"""
    limit: str | None
    actual: str | None


class ForecastRead(Answered, frozen=True, kw_only=True):
    """What is to be expected of a pool, by a straight line: the window's daily rates go on. Amounts in fen.

    `runs_out_on` is the day in whose course the last of what is available is issued. `lapsing_fen` is what would
    lapse on 31 December: what is available, and what vouchers have not drawn by then. Where the window shows too
    little the answer is `unknown`, with the reason; no guess is made.
    """

    method: str
    assumptions: list[str]
    window_days: int
    issued_fen: int
    drawn_fen: int
    issued_per_day_fen: str | None
    drawn_per_day_fen: str | None
    days_left: int
    runs_out: RunsOut
    runs_out_on: str | None
    runs_out_unknown: Unknown | None
    expected_drawn_fen: int | None
    lapsing_fen: int | None
    lapsing_unknown: Unknown | None


class GrantsBody(Sent, frozen=True, kw_only=True):
    """Reviewed applications of one programme that are to be granted together."""

    application_ids: list[str]


class GrantsProposed(Answered, frozen=True, kw_only=True):
    """What was proposed; a checker decides it at `approval_id`."""

    batch_id: str
    approval_id: str
    programme_id: str
    count: int
    total_fen: int
    application_ids: list[str]


class GroupExecutionRead(Answered, frozen=True, kw_only=True):
    """Pools that agree in what was grouped by (`key`), added up."""

    appropriation_fen: int
    available_fen: int
    committed_fen: int
    held_fen: int
    obligated_fen: int
    in_payment_fen: int
    disbursed_fen: int
    lapsed_fen: int
    execution_rate: str | None
    key: dict[str, str]
    pool_ids: list[str]
    links: dict[str, str] | None
    """For each amount the query that lists exactly its entries; null for roles that read no entries"""


class HoldCreate(Sent, frozen=True, kw_only=True):
    """Reserve what a bill to come will draw: the bill as it is expected."""

    voucher_code: str
    """As printed; case and separators do not matter."""
    payment_code: str | UnsetType | None = UNSET
    hold_no: str
    """Your own number of this hold; taken once, for ever."""
    bill: BillBody
    claim: dict[str, str | bool | int | list[str]] | UnsetType = UNSET
    """Facts that the programme's rules ask the claimant for, such as contract_signed_on."""
    expires_at: str | UnsetType | None = UNSET
    """Exclusive; by default as long as the rules (use.hold_days) and the voucher allow."""


class HoldExtend(Sent, frozen=True, kw_only=True):
    """Let a hold run longer."""

    expires_at: str | UnsetType | None = UNSET
    """Exclusive; by default as long from now as rules and voucher allow."""


class HoldRead(Answered, frozen=True, kw_only=True):
    """A hold. `subsidy_fen` = `held_fen` + `redeemed_fen` + `released_fen`; refunds go to the voucher."""

    id: str
    region_code: str
    voucher_id: str
    programme_id: str
    firm_id: str
    provider_id: str
    mandate_id: str | None
    """The firm's consent: this or a payment code."""
    payment_code_id: str | None
    hold_no: str
    status: HoldStatus
    """At this instant: past `expires_at` it is expired."""
    bill_total_fen: int
    subsidy_fen: int
    """What was reserved when it was made"""
    firm_pays_fen: int
    held_fen: int
    redeemed_fen: int
    released_fen: int
    rule_version_id: str
    entry_id: str
    held_at: str
    expires_at: str
    """Exclusive. While the voucher is frozen the clock stands."""
    ended_at: str | None
    bill: dict[str, Any]
    provider_categories: list[str]
    receipt: ReceiptRead | None
    """Of the entry that made it."""
    trace: dict[str, Any]


class Identifier(Sent, frozen=True, kw_only=True):
    """A 统一社会信用代码 (`uscc`), or another number for makers without legal personality (`maker`, firms only)."""

    type: IdentifierType
    value: str


class InWordsRead(Answered, frozen=True, kw_only=True):
    """What approving does, in a sentence."""

    zh: str
    en: str


class InclusionRead(Answered, frozen=True, kw_only=True):
    """The audit path (RFC 6962 section 2.1.1), lowest hash first, each in base64.

    Hashing `leaf_sha256` up along it gives the root that the checkpoint of this size has signed.
    """

    log: str
    region_code: str
    entry_id: str
    leaf_index: int
    leaf_sha256: str
    """Hexadecimal SHA-256 of a zero byte and the leaf"""
    size: int
    proof: list[str]
    checkpoint: str | None
    """The signed head of exactly this size, where there is one."""


class InvitationRead(Answered, frozen=True, kw_only=True):
    """A link's secret, shown this once. With it the person sets a password on the portal."""

    id: str
    user_id: str
    secret: str
    expires_at: str


class InvoiceLineBody(Sent, frozen=True, kw_only=True):
    """The line of an invoice that a line of a bill is billed on. What of it was subsidised before counts no more."""

    code: str | UnsetType | None = UNSET
    """10 or 12 digits of an invoice of before; a 数电票 has none."""
    number: str
    """8 digits, or the 20 of a 数电票."""
    line_no: int
    """Its line, from 1."""
    amount_fen: int
    """Of the whole line of the invoice, VAT included."""
    net_fen: int | UnsetType | None = UNSET
    """The same without VAT; with tax_fen."""
    tax_fen: int | UnsetType | None = UNSET
    """Its VAT; both together are amount_fen."""
    issued_on: str | UnsetType | None = UNSET
    seller: str | UnsetType | None = UNSET
    """统一社会信用代码 of the seller: you."""
    buyer: str | UnsetType | None = UNSET
    """统一社会信用代码 of the buyer: the voucher's holder."""


class InvoiceNumbers(Sent, frozen=True, kw_only=True):
    """An invoice by its numbers: width, spaces and hyphens do not matter."""

    code: str | UnsetType | None = UNSET
    """10 or 12 digits of an invoice of before; a 数电票 has none."""
    number: str
    """8 digits, or the 20 of a 数电票."""


class JobRead(Answered, frozen=True, kw_only=True):
    """How far a job has come. `answer` is what the request would have been answered, with its status, once finished.

    `lost`: the process that did it ended. Send the same request with the same Idempotency-Key again; it is done
    once.
    """

    id: str
    kind: JobKind
    subject: str
    status: JobStatus
    stage: JobStage | None
    done: int
    total: int | None
    started_at: str
    finished_at: str | None
    answer_status: int | None
    answer: dict[str, Any] | None


class JudgementRead(Answered, frozen=True, kw_only=True):
    """The judgement: every condition, and the most that may be assessed with each limit that lowers it."""

    eligible: bool
    conditions: list[ConditionRead]
    maximum_fen: int
    maximum_text: str
    """The maximum in 元"""
    binding_limit: str
    trace: dict[str, Any]
    facts_sha256: str


class KeyRead(Answered, frozen=True, kw_only=True):
    """A key by its name; nothing of it is shown."""

    purpose: str
    """`tokens`, or `fields`"""
    name: str
    made_at: str
    newest: bool


class KeyRotated(Answered, frozen=True, kw_only=True):
    """The key that signs from now on, within seconds in every process."""

    kid: str


class KindTotalRead(Answered, frozen=True, kw_only=True):
    """What the approvals of one kind come to."""

    kind: ApprovalKind
    count: int
    amount_fen: int


class KnownTag(Answered, frozen=True, kw_only=True):
    """A recognition that policies everywhere ask for, and the other ways in which it is written."""

    name: str
    variants: list[str]


class LeavingBody(Sent, frozen=True, kw_only=True):
    """Why a person or machine signs in no more."""

    reason: str


class LinePage(Answered, frozen=True, kw_only=True):
    """Lines in the order of the file."""

    data: list[LineRead]
    next_cursor: str | None


class LineRead(Answered, frozen=True, kw_only=True):
    """One redemption as the provider has it, and the row of the file."""

    row_no: int
    order_no: str | None
    redemption_id: str | None
    redeemed_on: str | None
    bill_total_fen: int | None
    subsidy_fen: int
    refunded_fen: int | None
    voucher_code: str | None


class MandateCreate(Sent, frozen=True, kw_only=True):
    """Let a provider draw up to `limit_fen` in all; without `valid_until`, as long as the voucher is valid."""

    provider_id: str
    limit_fen: int
    """Fen (分), more than 0"""
    valid_until: str | UnsetType | None = UNSET
    note: str | UnsetType | None = UNSET
    """For your own records."""


class MandateRead(Answered, frozen=True, kw_only=True):
    """A standing consent; `used_fen` is net of refunds."""

    id: str
    voucher_id: str
    provider_id: str
    provider_name: str
    limit_fen: int
    used_fen: int
    valid_until: str
    granted_at: str
    revoked_at: str | None


class MismatchRead(Answered, frozen=True, kw_only=True):
    """One difference, its evidence, and its case (null where a later check had come first)."""

    region_code: str
    party_id: str
    kind: DifferenceGroup
    subject: str
    happened_on: str
    here_fen: int | None
    there_fen: int | None
    evidence: dict[str, Any]
    case_id: str | None


class MonthDifferenceRead(Answered, frozen=True, kw_only=True):
    """One month under both versions."""

    month: str
    first_fen: int
    second_fen: int
    difference_fen: int


class MonthRead(Answered, frozen=True, kw_only=True):
    """One month, Asia/Shanghai."""

    month: str
    bills: int
    firms_reached: int
    billed_fen: int
    eligible_fen: int
    subsidy_fen: int
    unmet_fen: int


class MovementsMovementRead(Answered, frozen=True, kw_only=True):
    """What an entry changed on the account in fen, and what lay there after it."""

    id: str
    """The entry"""
    at: str
    kind: EntryKind
    subject_id: str
    voucher_id: str | None
    change_fen: int
    balance_fen: int


class NamedRead(Answered, frozen=True, kw_only=True):
    """An organisation of the list. In a dry run a new one has no id."""

    row_no: int
    organisation_id: str | None
    identifier_value: str
    name: str
    changes: list[FieldChangeRead]


class NeedRead(Answered, frozen=True, kw_only=True):
    """A fact that the rules look at, and who states it."""

    fact: str
    type: str
    stated_by: str
    en: str | None
    zh: str | None


class NoteRead(Answered, frozen=True, kw_only=True):
    """What was said or done; notes are never changed."""

    id: str
    at: str
    by: str
    organisation_id: str
    act: str
    words: str


class NoticeItemPage(Answered, frozen=True, kw_only=True):
    """Items in their order."""

    data: list[NoticeItemRead]
    next_cursor: str | None


class NoticeItemRead(Answered, frozen=True, kw_only=True):
    """One line as it is shown; `frozen` while an objection to it is undecided, `removed` once one was upheld."""

    item_no: int
    subject_id: str
    name: str
    identifier: str
    project: str
    amount_fen: int | None
    note: str | None
    status: NoticeItemStatus


class NoticeRead(Answered, frozen=True, kw_only=True):
    """A notice. `ends_on` is its last working day, included; until `shown_until` everybody sees it.

    `removed_…` is of items that an objection has removed; `total_fen` is of all.
    """

    region_code: str
    id: str
    programme_id: str
    programme_title: str
    authority_id: str
    authority_name: str
    subject: dict[str, Any]
    title: str
    document_no: str
    contact: str
    basis: str | None
    working_days: int
    retention_days: int
    item_count: int
    total_fen: int
    removed_count: int
    removed_fen: int
    status: NoticeStatus
    open_objections: int
    created_at: str
    created_by: str
    published_at: str | None
    ends_on: str | None
    ends_at: str | None
    shown_until: str | None
    withdrawn_at: str | None
    withdrawal_reason: str | None


class NoticeSubjectWrite(Sent, frozen=True, kw_only=True):
    """What is shown: rows of a submitted batch (`batch_id`), vouchers issued or redemptions made from `first` to
    `last` (both included), or the admissions that wait for approval.
    """

    kind: NoticeSubject
    batch_id: str | UnsetType | None = UNSET
    first: str | UnsetType | None = UNSET
    last: str | UnsetType | None = UNSET


class NoticeSubmitted(Answered, frozen=True, kw_only=True):
    """The notice, and what a second person decides; a draft is given up without one."""

    notice: NoticeRead
    approval: ApprovalRead | None


class NoticeWrite(Sent, frozen=True, kw_only=True):
    """A notice to be. `contact` is published: how the authority takes objections."""

    programme_id: str
    subject: NoticeSubjectWrite
    title: str
    document_no: str
    contact: str
    basis: str | UnsetType | None = UNSET
    working_days: int | UnsetType = UNSET
    """Five to seven are usual"""
    retention_days: int | UnsetType = UNSET
    """Days after the last one on which the page still shows it"""


class ObjectionRead(Answered, frozen=True, kw_only=True):
    """An objection as officials read it; `sender` and `contact` are masked."""

    id: str
    notice_id: str
    item_no: int
    item_name: str
    text: str
    status: ObjectionStatus
    received_at: str
    sender: str | None
    contact: str | None
    decided_at: str | None
    reason: str | None
    approval_id: str | None


class ObjectionReceived(Answered, frozen=True, kw_only=True):
    """What the sender is told. Keep the id: with it one may ask what became of it."""

    objection_id: str
    item_no: int
    status: ObjectionStatus
    received_at: str
    decided_at: str | None
    reason: str | None


class ObjectionWrite(Sent, frozen=True, kw_only=True):
    """An objection to one item. Name and contact are yours to give; they are shown to the authority only."""

    item_no: int
    text: str
    name: str | UnsetType | None = UNSET
    contact: str | UnsetType | None = UNSET


class OrganisationChange(Sent, frozen=True, kw_only=True):
    """What may change; what is left out stays. A profile is replaced as a whole."""

    name: str | UnsetType | None = UNSET
    region_code: str | UnsetType | None = UNSET
    profile: dict[str, Any] | UnsetType | None = UNSET


class OrganisationCreate(Sent, frozen=True, kw_only=True):
    """An organisation as a registrar writes it down."""

    kind: OrganisationKind
    identifier: Identifier
    name: str
    region_code: str
    profile: dict[str, Any] | UnsetType | None = UNSET


class OrganisationListTaken(Answered, frozen=True, kw_only=True):
    """What the list did or, in a dry run, would do. At most 1,000 of each sort are named; the counts are of all.

    `differing` are registered otherwise and were left as they are: send the list with `update` to change them.
    """

    dry_run: bool
    file_sha256: str
    created_count: int
    changed_count: int
    differing_count: int
    unchanged_count: int
    created: list[NamedRead]
    changed: list[NamedRead]
    differing: list[NamedRead]
    ignored_columns: list[str]


class OrganisationRead(Answered, frozen=True, kw_only=True):
    """An organisation; `version` is also its ETag."""

    id: str
    kind: OrganisationKind
    identifier: Identifier
    name: str
    region_code: str
    profile: dict[str, Any]
    version: int
    created_at: str
    created_by: str


class OutsideIdentities(Answered, frozen=True, kw_only=True):
    """Links of a person, newest first, the ended ones too."""

    data: list[OutsideIdentityRead]


class OutsideIdentityRead(Answered, frozen=True, kw_only=True):
    """A link to a subject of an outside provider. The subject itself is kept nowhere, only its digest."""

    id: str
    user_id: str
    issuer: str
    invited_by: str
    linked_at: str
    ended_at: str | None
    ended_by: str | None


class PayeeAccountBody(Sent, frozen=True, kw_only=True):
    """A payee's account. `account_name` is the payee's legal name; numbers are text, so that no digit is lost."""

    region_code: str
    authority_id: str
    payee_id: str
    account_name: str
    bank_name: str
    cnaps: str
    account_no: str
    reason: str | UnsetType | None = UNSET


class PayeeAccountProposed(Answered, frozen=True, kw_only=True):
    """The account, which nothing is paid to yet, and the approval that waits."""

    account: PaymentAccountRead
    approval: ApprovalRead


class PayeeAccountRead(Answered, frozen=True, kw_only=True):
    """What a region owes to an organisation, or has paid to it, in fen."""

    region_code: str
    payee_id: str
    account: Account
    balance_fen: int


class PaymentAccountRead(Answered, frozen=True, kw_only=True):
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
    proposed_at: str
    proposed_by: str
    decided_at: str | None
    decided_by: str | None
    replaced_at: str | None


class PaymentCodeCreate(Sent, frozen=True, kw_only=True):
    """Let one provider draw once, up to `limit_fen`, within `minutes` from now."""

    provider_id: str
    limit_fen: int
    """Fen (分), more than 0"""
    minutes: int | UnsetType = UNSET


class PaymentCodeCreated(Answered, frozen=True, kw_only=True):
    """A new payment code: `token` is what its QR holds, `digits` are for the telephone. Either will do, once."""

    id: str
    voucher_id: str
    provider_id: str
    provider_name: str
    limit_fen: int
    status: PaymentCodeStatus
    wrong_digits: int
    created_at: str
    valid_until: str
    withdrawn_at: str | None
    used_by: str | None
    digits: str
    token: str


class PaymentCodeRead(Answered, frozen=True, kw_only=True):
    """A payment code without its secrets; `status` is as of the moment of the answer.

    `used_by` is the hold or redemption. After five `wrong_digits` only the QR is taken.
    """

    id: str
    voucher_id: str
    provider_id: str
    provider_name: str
    limit_fen: int
    status: PaymentCodeStatus
    wrong_digits: int
    created_at: str
    valid_until: str
    withdrawn_at: str | None
    used_by: str | None


class PaymentItemRead(Answered, frozen=True, kw_only=True):
    """One redemption of an order, with the entries that moved its money."""

    redemption_id: str
    amount_fen: int
    status: PaymentItemStatus
    order_entry_id: str | None
    confirm_entry_id: str | None
    confirm_result_id: str | None
    bounce_entry_id: str | None
    bounce_result_id: str | None


class PaymentOrderCreate(Sent, frozen=True, kw_only=True):
    """Redemptions of one payee, to be paid as they stand."""

    redemption_ids: list[str]
    reason: str | UnsetType | None = UNSET


class PaymentOrderProposed(Answered, frozen=True, kw_only=True):
    """The order, and the approval that it waits for."""

    payment_order: PaymentOrderRead
    approval_id: str


class PaymentOrderRead(Answered, frozen=True, kw_only=True):
    """A payment order and what has become of each of its redemptions."""

    id: str
    region_code: str
    authority_id: str
    payee_id: str
    payee_name: str
    status: PaymentOrderStatus
    item_count: int
    total_fen: int
    in_payment_fen: int
    confirmed_fen: int
    bounced_fen: int
    reason: str | None
    proposed_at: str
    proposed_by: str
    decided_at: str | None
    decided_by: str | None
    items: list[PaymentItemRead]
    results: list[PaymentResultRead]


class PaymentResultRead(Answered, frozen=True, kw_only=True):
    """What the bank said, of how much."""

    id: str
    kind: PaymentResultKind
    bank_reference: str
    total_fen: int
    reason: str | None
    recorded_at: str
    recorded_by: str


class PersonRead(Answered, frozen=True, kw_only=True):
    """Somebody who may take the next step."""

    id: str
    name: str


class PersonalToken(Answered, frozen=True, kw_only=True):
    """A token that acts as this person, shown this once. `device` goes into the next sign-in from this program."""

    id: str
    token: str
    token_type: str
    scope: str
    user_id: str
    organisation_id: str
    expires_at: str
    device: str | None


class PersonalTokenByCode(Sent, frozen=True, kw_only=True):
    """The code that the page showed after signing in at an outside provider, and the secret behind the challenge."""

    expires_in_s: int | UnsetType | None = UNSET
    """Seconds; left out, as long as is allowed"""
    scope: str | UnsetType | None = UNSET
    """`read` is good for GET alone and changes nothing; left out, `read write`"""
    code: str
    verifier: str
    second_factor_code: str | UnsetType | None = UNSET
    """The six digits that the authenticator shows, or a recovery code; each counts once"""


class PersonalTokenCreate(Sent, frozen=True, kw_only=True):
    """How a person signs in, for how long and for what."""

    expires_in_s: int | UnsetType | None = UNSET
    """Seconds; left out, as long as is allowed"""
    scope: str | UnsetType | None = UNSET
    """`read` is good for GET alone and changes nothing; left out, `read write`"""
    login: str
    password: str
    code: str | UnsetType | None = UNSET
    """The six digits that the authenticator shows, or a recovery code; each counts once"""
    device: str | UnsetType | None = UNSET
    """What an earlier sign-in from this program returned: others' failures do not keep it out"""


class PersonalTokenRead(Answered, frozen=True, kw_only=True):
    """A token that was given out, without itself."""

    id: str
    scope: str
    created_at: str
    expires_at: str
    revoked_at: str | None


class PersonalTokens(Answered, frozen=True, kw_only=True):
    """The caller's tokens, newest first."""

    data: list[PersonalTokenRead]


class PlainProfile(Sent, frozen=True, kw_only=True):
    """Authorities, finance bureaus, auditors and the registry need none."""


class PlannedLine(Sent, frozen=True, kw_only=True):
    """Something the firm means to buy."""

    category: str
    """Service category of the programme. 服务类别"""
    amount_fen: int
    """Fen (分), more than 0, at most 10¹³"""
    quantity: str | UnsetType | None = UNSET
    unit: str | UnsetType | None = UNSET
    unit_price: str | UnsetType | None = UNSET
    facility_class: str | UnsetType | None = UNSET


class PlannedRowRead(Answered, frozen=True, kw_only=True):
    """A row as it was understood. Without a validity of its own, the rules give it at the moment of issue."""

    row_no: int
    reference_no: str
    firm_id: str
    firm_name: str
    face_value_fen: int
    valid_from: str | None
    valid_until: str | None
    terms: dict[str, Any] | None


class PoolExecutionRead(Answered, frozen=True, kw_only=True):
    """One pool. `county_code` says for whom it is: a pool of the city as a whole has the city's own code there."""

    appropriation_fen: int
    available_fen: int
    committed_fen: int
    held_fen: int
    obligated_fen: int
    in_payment_fen: int
    disbursed_fen: int
    lapsed_fen: int
    execution_rate: str | None
    region_code: str
    city_code: str
    county_code: str
    programme_id: str
    programme_title: str
    document_no: str
    fiscal_year: int
    fund_source: str
    pool_id: str
    closed_at: str | None
    links: dict[str, str] | None
    """For each amount the query that lists exactly its entries; null for roles that read no entries"""
    forecast: ForecastRead | None
    """With `forecast=true`, as things stand now"""


class PoolOutcomeRead(Answered, frozen=True, kw_only=True):
    """What a close does to one pool, in fen. `lapsed_fen` is what is available and not carried, and `expired_fen`."""

    pool_id: str
    fund_source: str
    available_fen: int
    carried_available_fen: int
    expired_fen: int
    lapsed_fen: int
    carried_committed_fen: int
    carried_held_fen: int
    carried_obligated_fen: int
    left_committed_fen: int
    left_held_fen: int
    left_obligated_fen: int


class PostingRead(Answered, frozen=True, kw_only=True):
    """An amount in fen that moved from one account of a pool to another."""

    line: int
    pool_id: str
    source: Account
    destination: Account
    amount_fen: int
    voucher_id: str | None
    voucher_seq: int | None
    payee_id: str | None


class PriceBody(Sent, frozen=True, kw_only=True):
    """At most so much a unit. Of one category and unit the row of a card goes before the one for any card."""

    category: str
    unit: str
    unit_price: str
    """元, more than 0, a decimal string"""
    accelerator: str | UnsetType | None = UNSET
    """With card_hour: for this card, a code of GET /v1/accelerators"""


class PriceRead(Answered, frozen=True, kw_only=True):
    """A row of the admitted price list."""

    category: str
    unit: str
    unit_price: str
    accelerator: str | None


class ProgrammeBody(Sent, frozen=True, kw_only=True):
    """A programme as a maker writes it down."""

    region_code: str
    authority_id: str
    title: str
    voucher_kind: VoucherKind
    fiscal_year: int
    opens_at: str
    closes_at: str
    document_no: str
    rules: Rules
    effective_on: str | UnsetType | None = UNSET
    """From when the rules hold; default: opening day"""


class ProgrammeRead(Answered, frozen=True, kw_only=True):
    """A programme."""

    id: str
    region_code: str
    authority_id: str
    title: str
    voucher_kind: VoucherKind
    fiscal_year: int
    opens_at: str
    closes_at: str
    document_no: str
    status: ProgrammeStatus
    version: int
    created_at: str
    created_by: str


class ProgrammeSubmitted(Answered, frozen=True, kw_only=True):
    """The programme, and the approval that waits."""

    programme: ProgrammeRead
    approval: ApprovalRead


class ProgrammeTotalsRead(Answered, frozen=True, kw_only=True):
    """One programme. Redeemed is net of refunds; ended is what expired, was voided or given back of what was issued."""

    region_code: str
    programme_id: str
    title: str
    document_no: str
    fiscal_year: int
    voucher_kind: VoucherKind
    authority_name: str
    voucher_count: int
    firm_count: int
    issued_fen: int
    redeemed_fen: int
    ended_fen: int


class PromoteBody(Sent, frozen=True, kw_only=True):
    """How much of what is available goes to those who wait; default: as far as it reaches."""

    limit_fen: int | UnsetType | None = UNSET
    dry_run: bool | UnsetType = UNSET
    """Only say who would be next; nothing is kept"""


class PromotionProposed(Answered, frozen=True, kw_only=True):
    """Who is next, and what is left. A dry run has no ids: nobody was asked."""

    programme_id: str
    available_fen: int
    total_fen: int
    promoted: list[WaitingRead]
    left_waiting: int
    batch_id: str | None
    approval_id: str | None


class ProviderProfile(Sent, frozen=True, kw_only=True):
    """What a provider offers and where. D7."""

    provider_kind: str
    facility_class: str | UnsetType | None = UNSET
    """国产 / 其他"""
    capacity_cards: int | UnsetType = UNSET
    capacity_pflops: str | UnsetType | None = UNSET
    """PFLOPS, FP16. 算力规模"""
    racks: int | UnsetType = UNSET
    """Racks. 机架数"""
    facts: dict[str, bool | int | str | list[str]] | UnsetType = UNSET
    """Further facts that programmes' rules declare: words, numbers, days, yes or no"""
    sites: list[Site] | UnsetType = UNSET


class QuotaBody(Sent, frozen=True, kw_only=True):
    """A share of the programme's pool for a county; a negative amount takes back what the county has not promised."""

    county_code: str
    """A region below the programme's"""
    amount_fen: int
    """Fen (分); negative takes back"""
    document_no: str
    fund_source: str | UnsetType | None = UNSET
    """May be left out where the rules know only one"""
    reason: str | UnsetType | None = UNSET


class QuoteBody(Sent, frozen=True, kw_only=True):
    """A bill that may be to come. A firm may name a voucher of its own.

    A provider names the voucher by its code, and shows the firm's payment code where it has no mandate.
    """

    bill: BillBody
    voucher_code: str | UnsetType | None = UNSET
    payment_code: str | UnsetType | None = UNSET
    voucher_id: str | UnsetType | None = UNSET
    provider_id: str | UnsetType | None = UNSET
    """A firm's provider, if it knows one: its categories and facilities count."""
    claim: dict[str, str | bool | int | list[str]] | UnsetType = UNSET
    """Facts that the rules ask the claimant for, such as contract_signed_on."""
    amounts_fen: dict[str, int] | UnsetType = UNSET
    """Further amounts of the covered lines together, where the rules take the least of several."""


class QuoteRead(Answered, frozen=True, kw_only=True):
    """What the bill would get now. `trace` is the one that a redemption would store; nothing was reserved."""

    programme_id: str
    voucher_id: str | None
    bill_total_fen: int
    assessed_fen: int
    """By the rules alone, whatever the voucher has left"""
    subsidy_fen: int
    firm_pays_fen: int
    voucher_balance_fen: int | None
    rule_version_id: str
    rule_version_number: int
    refusal: RefusalRead | None
    evidence: list[EvidenceRead]
    flags: list[FlagRead]
    """What is noted of the bill; it changes no amount"""
    unstated_facts: list[str]
    """What the rules look at and nobody stated"""
    trace: dict[str, Any]


class ReasonBody(Sent, frozen=True, kw_only=True):
    """Why."""

    reason: str


class ReasonWrite(Sent, frozen=True, kw_only=True):
    """Why."""

    reason: str


class ReasonedApplication(Sent, frozen=True, kw_only=True):
    """One of them; without a reason of its own that of all is told."""

    application_id: str
    reason: str | UnsetType | None = UNSET


class ReceiptRead(Answered, frozen=True, kw_only=True):
    """The signed promise that an entry will be in the region's log. `GET /v1/ledger/proofs/inclusion` shows that it
    is.

    Keep it. How to check it, and what to do if the promise is broken, is told in the guide for compute centres.
    """

    log: str
    """Name of the log, the first line of its checkpoints."""
    entry_id: str
    leaf_sha256: str
    """SHA-256 of a zero byte and the entry's leaf, hexadecimal."""
    at: str
    """When the entry was made, RFC 3339 with six decimals."""
    promised_by: str
    """From this instant on the leaf must be in the log."""
    key_id: str
    """Which key of the log signed: as in GET /v1/logs/{region}/keys."""
    signature: str
    """Base64 Ed25519 over the canonical JSON (RFC 8785) of the other members."""


class ReceiveBody(Sent, frozen=True, kw_only=True):
    """The payee's money has come in, all of it."""

    bank_reference: str


class ReceiveTogetherBody(Sent, frozen=True, kw_only=True):
    """One transfer that pays back several recoveries of one payee, each in full; `amount_fen` is their sum."""

    bank_reference: str
    recovery_ids: list[str]
    amount_fen: int
    """Fen (分), more than 0"""


class ReceivedTogether(Answered, frozen=True, kw_only=True):
    """A transfer, and the recoveries that it paid back."""

    bank_reference: str
    amount_fen: int
    recoveries: list[RecoveryRead]


class ReconciliationCreate(Sent, frozen=True, kw_only=True):
    """Which region; a city's or province's check covers the regions below it.

    With a period (both days included, Asia/Shanghai) its redemptions are held against providers' statements, and
    its payment orders and receipts of recovered money against the bank's lists.
    """

    region_code: str
    period_from: str | UnsetType | None = UNSET
    period_until: str | UnsetType | None = UNSET


class ReconciliationRead(Answered, frozen=True, kw_only=True):
    """A check over one snapshot. `difference_count` 0 means that the books are right in themselves.

    What the other sides say of them stands in `comparisons`, each with a `difference_count` of its own.
    """

    id: str
    region_code: str
    started_at: str
    finished_at: str
    run_by: str
    difference_count: int
    findings: list[ReconciliationsFindingRead]
    comparisons: list[ReconciliationsComparisonRead]


class ReconciliationsComparisonRead(Answered, frozen=True, kw_only=True):
    """Two sides of a period: `difference_count` is exact, the first 1,000 are listed, every one has a case."""

    sides: Sides
    period_from: str
    period_until: str
    difference_count: int
    tallies: list[TallyRead]
    unheld: list[UnheldRead]
    differences: list[MismatchRead]


class ReconciliationsFindingRead(Answered, frozen=True, kw_only=True):
    """One invariant: `count` rows break it, the first 100 are listed."""

    number: int
    name: str
    title_en: str
    title_zh: str
    count: int
    differences: list[DifferenceRead]


class RecordRead(Answered, frozen=True, kw_only=True):
    """All that is needed to compute a round again (`voucher allocation replay`). Before it is decided: hashes only."""

    v: int
    id: str
    title: str
    status: AllocationStatus
    method: str
    candidate_count: int
    frozen_sha256: str
    frozen_at: str
    announcement: str | None
    seed_format: str | None
    draws_at: str | None
    seed: str | None
    drawn_at: str | None
    decided_at: str | None
    reason: str | None
    cancelled_before: list[str]
    left_out: list[int] | None
    frozen: dict[str, Any] | None
    awards: list[dict[str, Any]] | None
    awards_sha256: str | None


class RecoveryRead(Answered, frozen=True, kw_only=True):
    """A recovery: recorded while a payment is under way, due once it has arrived, received, or a refund after all."""

    id: str
    refund_id: str
    redemption_id: str
    payee_id: str
    status: RecoveryStatus
    amount_fen: int
    treasury_fen: int
    """What of it went to the treasury, as the fiscal year of its pool was over."""
    bank_reference: str | None
    claim_entry_id: str | None
    receipt_entry_id: str | None
    refunded_as_id: str | None
    """The refund that it became, as the bank returned the payment."""
    recorded_at: str
    ended_at: str | None


class RedLetterLineRead(Answered, frozen=True, kw_only=True):
    """A line of the invoice: what was taken off, and what it is worth now."""

    line_no: int
    amount_fen: int
    left_fen: int
    """At most so much of it can be claimed in all."""


class RedLetterRead(Answered, frozen=True, kw_only=True):
    """A red-letter invoice recorded with its refund."""

    redemption_id: str
    refund_id: str
    code: str | None
    number: str
    lines: list[RedLetterLineRead]
    recorded_at: str


class RedemptionBatchCreate(Sent, frozen=True, kw_only=True):
    """Up to 1,000 redemptions. A row that is not valid is refused at its place and touches no other."""

    redemptions: list[RedemptionCreate]


class RedemptionBatchRead(Answered, frozen=True, kw_only=True):
    """One answer per row, in the order of the rows."""

    data: list[RedemptionBatchRow]


class RedemptionBatchRow(Answered, frozen=True, kw_only=True):
    """What the row would have got alone: the redemption with 201, or a problem with its status."""

    index: int
    """The row's place, from 0."""
    status: int
    body: dict[str, Any]


class RedemptionCreate(Sent, frozen=True, kw_only=True):
    """Draw on a voucher for a bill: in one step under the firm's consent, or from a hold."""

    voucher_code: str | UnsetType | None = UNSET
    """For a redemption in one step."""
    payment_code: str | UnsetType | None = UNSET
    hold_id: str | UnsetType | None = UNSET
    """For a redemption from a hold; instead of voucher_code."""
    final: bool | UnsetType = UNSET
    """The hold's last redemption: what it still holds goes back to the voucher."""
    order_no: str
    """Your own number of this bill; taken once, for ever."""
    bill: BillBody
    claim: dict[str, str | bool | int | list[str]] | UnsetType = UNSET
    """Facts that the programme's rules ask the claimant for, such as contract_signed_on."""
    expected_subsidy_fen: int | UnsetType | None = UNSET
    """Refuse with `subsidy_changed` if the subsidy is any other."""


class RedemptionRead(Answered, frozen=True, kw_only=True):
    """A redemption. `trace` shows each step from the bill and the provider's categories to the subsidy."""

    id: str
    region_code: str
    voucher_id: str
    programme_id: str
    firm_id: str
    provider_id: str
    mandate_id: str | None
    """The firm's consent: this or a payment code."""
    payment_code_id: str | None
    hold_id: str | None
    part_no: int | None
    """Its number among the redemptions of its hold, from 1."""
    order_no: str
    status: RedemptionStatus
    bill_total_fen: int
    subsidy_fen: int
    firm_pays_fen: int
    refunded_fen: int
    bill_refunded_fen: int
    recovered_fen: int
    """Subsidy that you have to pay back, or have paid back, as it had been sent already."""
    rule_version_id: str
    entry_id: str | None
    """Null where nothing moved."""
    redeemed_at: str
    bill: dict[str, Any]
    provider_categories: list[str]
    flags: list[FlagRead]
    receipt: ReceiptRead | None
    """Null where nothing was posted."""
    trace: dict[str, Any]


class RefundCreate(Sent, frozen=True, kw_only=True):
    """Cancel part of a bill: by line, or by amount where there is no doubt which line is meant."""

    amount_fen: int | UnsetType | None = UNSET
    lines: list[RefundLineBody] | UnsetType = UNSET
    reason: str
    red_letter: InvoiceNumbers | UnsetType | None = UNSET
    """The red-letter invoice (红字发票) of what is cancelled: it takes as much off the invoice lines that these lines
    were billed on, which have to be lines of one invoice.
    """


class RefundCreated(Answered, frozen=True, kw_only=True):
    """The refund, and the redemption as it stands after it.

    The bills of a hold are one position: what goes back beyond this redemption's own subsidy is taken from the
    others.
    """

    refund: RefundRead
    also: list[RefundRead]
    """What other redemptions of the same hold gave back."""
    redemption: RedemptionRead


class RefundLineBody(Sent, frozen=True, kw_only=True):
    """How much of one line of the bill is cancelled; lines count from 1."""

    line: int
    amount_fen: int
    """Fen (分), more than 0"""


class RefundRead(Answered, frozen=True, kw_only=True):
    """A refund: what left the bill, and what went back to the voucher, or is to be paid back by the payee."""

    id: str
    redemption_id: str
    because_of_id: str | None
    """The refund of another redemption of the same hold, which took from this one too; or the one whose recovery
    became this one, as the bank returned the payment.
    """
    bill_refund_fen: int
    subsidy_refund_fen: int
    recovered_fen: int
    """What is to be paid back, or was, because the money had been sent already."""
    recovery: RecoveryRead | None
    reason: str
    entry_id: str | None
    refunded_at: str
    receipt: ReceiptRead | None
    """Of `entry_id`; where money that was paid is claimed, of the claim (`recovery.claim_entry_id`). Null where
    nothing was posted, and while the bank has not answered.
    """
    trace: dict[str, Any]


class RefusalRead(Answered, frozen=True, kw_only=True):
    """Why it would get nothing."""

    code: str
    title: str
    detail: str


class RefusalsRead(Answered, frozen=True, kw_only=True):
    """Bills that got nothing, by the reason that decided."""

    reason: str
    bills: int
    billed_fen: int


class RejectBody(Sent, frozen=True, kw_only=True):
    """Why not."""

    reason: str
    on_behalf_of: str | UnsetType | None = UNSET
    """The colleague in whose place you decide, by a delegation; your own role counts first where it is left out"""


class RelatedPartiesRead(Answered, frozen=True, kw_only=True):
    """All of them, newest voucher first."""

    data: list[RelatedPartyRead]


class RelatedPartyRead(Answered, frozen=True, kw_only=True):
    """A voucher, and a provider that is related to its firm at which it was redeemed."""

    voucher_id: str
    status: VoucherStatus
    balance_fen: int
    firm_id: str
    firm_name: str
    provider_id: str
    provider_name: str
    same_person: bool
    """Firm and provider are one legal person; no link is needed"""
    relation_ids: list[str]
    """The links on record, alone or in pairs"""
    related_on: str
    """The last day, of today and those of the redemptions, it held on"""
    signs: list[str]
    """What of it the rules in force look at; nothing where they do not mind"""
    redemption_ids: list[str]
    """Made while both were related, oldest first"""
    redeemed_fen: int
    """Of these, net of refunds and recoveries"""


class RelationCreate(Sent, frozen=True, kw_only=True):
    """A link from this organisation's side. `group` names the group it belongs to; any other kind the other party."""

    kind: str
    other: Identifier | UnsetType | None = UNSET
    """The other party, registered or not"""
    other_name: str | UnsetType | None = UNSET
    share: str | UnsetType | None = UNSET
    group: str | UnsetType | None = UNSET
    from_on: str
    """A day in Asia/Shanghai"""
    until_on: str | UnsetType | None = UNSET
    """The last day; left out where it goes on"""
    evidence: str
    """What shows it: document, its number, its day. 依据"""


class RelationEnd(Sent, frozen=True, kw_only=True):
    """Which day was the last, and why. The day before the first says that it was recorded by mistake."""

    ended_on: str
    """A day in Asia/Shanghai"""
    reason: str


class RelationRead(Answered, frozen=True, kw_only=True):
    """A link, from the side of the organisation it was asked for."""

    id: str
    kind: str
    other: Identifier | None
    other_name: str | None
    share: str | None
    group: str | None
    from_on: str
    until_on: str | None
    evidence: str
    recorded_at: str
    recorded_by: str
    ended_on: str | None
    ended_at: str | None
    ended_by: str | None
    end_reason: str | None


class Relations(Answered, frozen=True, kw_only=True):
    """All links on record of one organisation, newest first, ended ones too."""

    data: list[RelationRead]


class ResetAsked(Answered, frozen=True, kw_only=True):
    """The approval that waits for a security administrator."""

    approval_id: str


class ResetBody(Sent, frozen=True, kw_only=True):
    """Why a person needs a new password."""

    reason: str


class RetentionRead(Answered, frozen=True, kw_only=True):
    """A setting; it counts in its region, and in those below it that have none of their own."""

    region_code: str
    kind: RetentionKind
    keep_days: int
    reason: str
    set_at: str
    set_by: str


class RetentionWrite(Sent, frozen=True, kw_only=True):
    """For how many days, counted from when it is needed no more: an objection answered, its notice shown no longer."""

    region_code: str
    kind: RetentionKind
    keep_days: int
    reason: str


class ReturnBody(Sent, frozen=True, kw_only=True):
    """What is missing (补正), all at once, and how long the firm has."""

    reason: str
    items: list[str]
    """Each thing that is missing"""
    working_days: int | UnsetType | None = UNSET
    """Default: the rules'"""


class ReverseBody(Sent, frozen=True, kw_only=True):
    """Why the entry should not have been."""

    reason: str


class RoleRead(Answered, frozen=True, kw_only=True):
    """A role that is held."""

    role: Role
    region_code: str
    authority_id: str | None


class RoleWanted(Sent, frozen=True, kw_only=True):
    """A role in a region. Makers and checkers hold it for their own authority, which may be left out."""

    role: Role
    region_code: str
    authority_id: str | UnsetType | None = UNSET


class RolesAsked(Answered, frozen=True, kw_only=True):
    """The approval that waits for a security administrator."""

    approval_id: str


class RolesBody(Sent, frozen=True, kw_only=True):
    """Roles to ask for."""

    roles: list[RoleWanted]


class RolesTaken(Sent, frozen=True, kw_only=True):
    """Roles to take away, and why."""

    roles: list[RoleWanted]
    reason: str


class RoundCreate(Sent, frozen=True, kw_only=True):
    """A list to be frozen. The rules in force say how it is served; of a lottery `draw` is needed."""

    title: str
    budget_fen: int | UnsetType | None = UNSET
    """What the round gives out at most; default: all there is"""
    draw: DrawBody | UnsetType | None = UNSET
    rows: list[CandidateBody] | UnsetType | None = UNSET
    applications: ApplicationsBody | UnsetType | None = UNSET
    """Instead of rows: what firms applied for, as it was assessed"""
    dry_run: bool | UnsetType = UNSET
    """Only say what would come of it; nothing is kept"""


class RoundProposed(Answered, frozen=True, kw_only=True):
    """What was frozen, or would be (`dry_run`), and what comes of it. Of a lottery nothing is known before the draw.

    Of more than 1,000 awards the first are shown; all stand at `/v1/allocation-rounds/{id}/candidates`.
    """

    id: str | None
    programme_id: str
    method: str
    on_exhaustion: str
    rule_version_id: str
    rules_sha256: str
    budget_fen: int
    available_fen: int
    candidate_count: int
    asked_total_fen: int
    frozen_sha256: str | None
    draws_at: str | None
    granted_total_fen: int | None
    waiting_total_fen: int | None
    awards: list[AwardRead] | None


class RoundRead(Answered, frozen=True, kw_only=True):
    """A round. `seed` is set once a lottery is drawn, `batch_id` once its awards are submitted.

    `file_sha256` is of the file that the list was read from, null where it came as JSON or is of applications.
    """

    id: str
    region_code: str
    programme_id: str
    rule_version_id: str
    title: str
    status: AllocationStatus
    method: str
    budget_fen: int
    candidate_count: int
    asked_total_fen: int
    frozen_sha256: str
    announcement: str | None
    seed_format: str | None
    draws_at: str | None
    file_sha256: str | None
    frozen_at: str
    frozen_by: str
    seed: str | None
    drawn_at: str | None
    drawn_by: str | None
    awards_sha256: str | None
    granted_total_fen: int | None
    batch_id: str | None
    approval_id: str | None
    decided_at: str | None
    reason: str | None


class RowPage(Answered, frozen=True, kw_only=True):
    """Rows in their order."""

    data: list[RowRead]
    next_cursor: str | None


class RowRead(Answered, frozen=True, kw_only=True):
    """A row of a batch; `voucher_id` is set once it is issued."""

    row_no: int
    reference_no: str
    firm_id: str
    firm_name: str
    face_value_fen: int
    valid_from: str | None
    valid_until: str | None
    terms: dict[str, Any] | None
    note: str | None
    voucher_id: str | None


class RuleVersionBody(Sent, frozen=True, kw_only=True):
    """Rules that hold from a day on."""

    effective_on: str
    """First day (Asia/Shanghai) on which they hold; tomorrow or later"""
    rules: Rules


class RuleVersionDifference(Answered, frozen=True, kw_only=True):
    """Every field in which two versions differ."""

    from_: ComparedVersion = msgspec.field(name="from")
    to: ComparedVersion
    changes: list[ChangeRead]


class RuleVersionRead(Answered, frozen=True, kw_only=True):
    """A dated version of the rules; `rules_sha256` is over the canonical document."""

    id: str
    programme_id: str
    number: int
    effective_on: str
    rules: dict[str, Any]
    rules_sha256: str
    status: RuleVersionStatus
    created_by: str
    published_at: str | None
    published_by: str | None


class RuleVersionSubmitted(Answered, frozen=True, kw_only=True):
    """The draft, which no longer changes, and the approval that waits."""

    version: RuleVersionRead
    approval: ApprovalRead


class RuleVersionWritten(Answered, frozen=True, kw_only=True):
    """The draft as it was saved (null after a dry run), its warnings, and what it changes in the rules in force."""

    version: RuleVersionRead | None
    number: int
    effective_on: str
    rules_sha256: str
    findings: list[RulesFindingRead]
    changes: list[ChangeRead]


class RulesChecked(Answered, frozen=True, kw_only=True):
    """What is contradictory or doubtful; `rules_sha256` is over the canonical document."""

    findings: list[RulesFindingRead]
    rules_sha256: str
    needs: list[NeedRead]


class RulesFindingRead(Answered, frozen=True, kw_only=True):
    """A contradiction (error) or something to think about (warning), with where it stands in the rules."""

    pointer: str
    code: str
    severity: str
    en: str
    zh: str


class RulesToCheck(Sent, frozen=True, kw_only=True):
    """Rules, and when the programme is open where that is known already."""

    rules: Rules
    opens_at: str | UnsetType | None = UNSET
    """When the programme opens"""
    closes_at: str | UnsetType | None = UNSET
    """When it closes"""


class SamePersonBody(Sent, frozen=True, kw_only=True):
    """Another account of the same natural person."""

    user_id: str


class SealingRead(Answered, frozen=True, kw_only=True):
    """How far the sealing of a region's log has come."""

    region_code: str
    waiting: int
    lag_s: float
    size: int


class SecondFactorBegun(Answered, frozen=True, kw_only=True):
    """What goes into the authenticator, shown this once: as text, and as the address that a QR code holds."""

    secret: str
    otpauth_uri: str


class SecondFactorConfirmed(Answered, frozen=True, kw_only=True):
    """Codes for when the authenticator is lost, shown this once, each good once; and a token: you are signed in."""

    recovery_codes: list[str]
    personal_token: PersonalToken


class SecondFactorReset(Answered, frozen=True, kw_only=True):
    """The approval that waits for a security administrator; null where it is done already."""

    approval_id: str | None


class SecretRenewal(Sent, frozen=True, kw_only=True):
    """For how long the present secret stays good besides the new one."""

    overlap_s: int | UnsetType = UNSET
    """Seconds"""


class SecretRenewed(Answered, frozen=True, kw_only=True):
    """The new secret, shown this once, and until when the one before it is good (null: no more)."""

    secret: str
    previous_until: str | None


class SeedBody(Sent, frozen=True, kw_only=True):
    """The public number by which a lottery is drawn."""

    seed: str
    """The public number as it was announced: visible ASCII, single spaces between its parts"""


class SenderRead(Answered, frozen=True, kw_only=True):
    """Who sent it, as he wrote it."""

    name: str | None
    contact: str | None


class SenderSearch(Sent, frozen=True, kw_only=True):
    """A phone number or address as somebody gives it, and what it is searched for."""

    contact: str
    purpose: str


class ShownItem(Answered, frozen=True, kw_only=True):
    """One line."""

    item_no: int
    name: str
    identifier: str
    project: str
    amount_fen: int | None
    note: str | None


class ShownItemPage(Answered, frozen=True, kw_only=True):
    """Lines in their order."""

    data: list[ShownItem]
    next_cursor: str | None


class ShownNotice(Answered, frozen=True, kw_only=True):
    """A notice as it is shown to everybody. Objections are taken to the end of `ends_on`."""

    id: str
    region_code: str
    authority_name: str
    programme_title: str
    title: str
    document_no: str
    contact: str
    basis: str | None
    working_days: int
    item_count: int
    total_fen: int
    status: NoticeStatus
    published_at: str
    ends_on: str


class SimulatedVersionRead(Answered, frozen=True, kw_only=True):
    """The result of one version. `unmet_fen` is what bills were entitled to beyond the budget.

    `runs_out_on` is the day of the first bill that the budget did not pay in full; `average_rate` is subsidy over
    eligible amount. In kind, `_fen` counts hundredths of `unit`.
    """

    rule_version_id: str | None
    rules_sha256: str
    unit: str
    left_fen: int | None
    on_exhaustion: str
    runs_out_on: str | None
    bills: int
    paid_bills: int
    firms: int
    firms_reached: int
    billed_fen: int
    eligible_fen: int
    subsidy_fen: int
    unmet_fen: int
    average_rate: str | None
    months: list[MonthRead]
    largest: list[BeneficiaryRead]
    refused: list[RefusalsRead]
    cuts: list[CutRead]


class SimulationRead(Answered, frozen=True, kw_only=True):
    """What was computed; `budget_from` says whether the budget was asked for, appropriated, or that there is none."""

    programme_id: str
    stored: bool
    budget_fen: int | None
    budget_from: str
    versions: list[SimulatedVersionRead]
    comparison: SimulationsComparisonRead | None


class SimulationsComparisonRead(Answered, frozen=True, kw_only=True):
    """The second version less the first, on the same bills."""

    difference_fen: int
    months: list[MonthDifferenceRead]
    firms_gaining: int
    firms_losing: int
    gain_most: list[FirmDifferenceRead]
    lose_most: list[FirmDifferenceRead]


class Site(Sent, frozen=True, kw_only=True):
    """One place of a provider; bills name it by its code."""

    code: str
    name: str
    region_code: str
    facility_class: str | UnsetType | None = UNSET
    """Where it differs from the provider's. 国产 / 其他"""
    capacity_cards: int | UnsetType = UNSET
    """Accelerator cards of this site. 加速卡数量"""
    capacity_pflops: str | UnsetType | None = UNSET
    """PFLOPS of this site, FP16, dense. 该机房算力规模"""


class StandingRead(Answered, frozen=True, kw_only=True):
    """Amounts in fen. The appropriation is the sum of the others; `execution_rate` is disbursed over appropriation."""

    appropriation_fen: int
    available_fen: int
    committed_fen: int
    held_fen: int
    obligated_fen: int
    in_payment_fen: int
    disbursed_fen: int
    lapsed_fen: int
    execution_rate: str | None


class StatementRead(Answered, frozen=True, kw_only=True):
    """A statement; one that was replaced is kept and no longer compared."""

    id: str
    region_code: str
    provider_id: str
    period_from: str
    period_until: str
    line_count: int
    subsidy_total_fen: int
    file_name: str
    file_sha256: str
    uploaded_at: str
    uploaded_by: str
    replaced_at: str | None
    replaced_by_id: str | None


class StatementUploaded(Answered, frozen=True, kw_only=True):
    """What was taken in. A dry run has no id; `repeated` says that this very file was there already."""

    statement_id: str | None
    repeated: bool
    replaces_id: str | None
    region_code: str
    provider_id: str
    period_from: str
    period_until: str
    line_count: int
    subsidy_total_fen: int
    file_sha256: str
    ignored_columns: list[str]


class StepRead(Answered, frozen=True, kw_only=True):
    """One step: of which role, and once it is decided by whom and in whose place."""

    step: int
    role: Role
    outcome: StepOutcome | None
    decided_at: str | None
    decided_by: str | None
    on_behalf_of: str | None
    note: str | None


class StepUp(Sent, frozen=True, kw_only=True):
    """The code of the second factor; the password where the person has none."""

    code: str | UnsetType | None = UNSET
    """The six digits that the authenticator shows, or a recovery code; each counts once"""
    password: str | UnsetType | None = UNSET
    device: str | UnsetType | None = UNSET
    """What an earlier sign-in from this program returned: others' failures do not keep it out"""


class SystemRead(Answered, frozen=True, kw_only=True):
    """Settings and limits in force, keys by name, and how the desk and sealing are doing."""

    settings: dict[str, str | int]
    keys: list[KeyRead]
    desk_alive: bool
    desk_waiting: int
    sealing: list[SealingRead]


class Tag(Sent, frozen=True, kw_only=True):
    """A recognition with its dates, such as 高新 or 专精特新; `until_on` is the last day."""

    name: str
    since_on: str
    until_on: str | UnsetType | None = UNSET
    evidence: str | UnsetType | None = UNSET
    """Document and number that grant it. 认定文号或依据"""


class TallyRead(Answered, frozen=True, kw_only=True):
    """One party's share of one group; amounts are in fen, as this side and that side have them."""

    region_code: str
    party_id: str
    kind: str | DifferenceGroup
    count: int
    here_fen: int
    there_fen: int


class Terms(Sent, frozen=True, kw_only=True):
    """A grant's own terms. They go before whatever a claimant states."""

    claim: dict[str, str | bool | int | list[str]] | UnsetType = UNSET
    """Facts of the claim, such as project_level, tier, approved_rate. 申报事实，如项目级别、评定等级、核定比例"""
    exceptions_fen: dict[str, int] | UnsetType = UNSET
    """Approved exceptions: cap → limit in fen. 已批例外：上限名称 → 金额（分）"""
    layers_fen: dict[str, int] | UnsetType = UNSET
    """What other levels have decided to pay, in fen. 其他层级已批金额（分）"""


class UnheldRead(Answered, frozen=True, kw_only=True):
    """What happened here on days of which there is nothing to hold it against: no statement, or no list of the bank."""

    region_code: str
    party_id: str
    count: int
    here_fen: int


class UnitRead(Answered, frozen=True, kw_only=True):
    """A unit that lines of bills are counted in."""

    code: str
    en: str
    zh: str
    counts: str


class UnlinkBody(Sent, frozen=True, kw_only=True):
    """Why a person signs in this way no more."""

    reason: str


class UploadRead(Answered, frozen=True, kw_only=True):
    """An uploaded document."""

    id: str
    region_code: str
    file_name: str
    type: DocumentType
    size: int
    sha256: str
    uploaded_at: str


class UploadStored(Answered, frozen=True, kw_only=True):
    """`repeated`: this organisation had sent these very bytes before, and this is what became of them then."""

    id: str
    region_code: str
    file_name: str
    type: DocumentType
    size: int
    sha256: str
    uploaded_at: str
    repeated: bool


class UserCreate(Sent, frozen=True, kw_only=True):
    """A person as a registrar writes it down."""

    login: str
    """Letters, digits and `._@-`; case does not count"""
    name: str
    organisation_id: str
    roles: list[RoleWanted] | UnsetType = UNSET


class UserCreated(Answered, frozen=True, kw_only=True):
    """The person, who holds no role yet, and the approval that waits (null where no role was asked for)."""

    user: UserRead
    approval_id: str | None


class UserRead(Answered, frozen=True, kw_only=True):
    """An account, with the roles held now. Accounts with the same `person_id` are one natural person's."""

    id: str
    login: str
    name: str
    organisation_id: str
    roles: list[RoleRead]
    has_password: bool
    person_id: str | None
    disabled_at: str | None
    created_at: str
    created_by: str


class VoidBody(Sent, frozen=True, kw_only=True):
    """Why it is to be voided, in a sentence and, so that it can be counted, as a word."""

    ground: VoidGround | UnsetType | None = UNSET
    """To void: the reason as a word"""
    related_to: str | UnsetType | None = UNSET
    """With related_party: the provider with which the firm is related, by a link on record"""
    evidence: str | UnsetType | None = UNSET
    """With related_party: number of the document that proves it"""
    evidence_sha256: str | UnsetType | None = UNSET
    """With related_party: SHA-256 of that document's file"""
    reason: str


class VoucherActs(Sent, frozen=True, kw_only=True):
    """One act on many vouchers of one authority. An extension says until when, like that of a single voucher."""

    ground: VoidGround | UnsetType | None = UNSET
    """To void: the reason as a word"""
    related_to: str | UnsetType | None = UNSET
    """With related_party: the provider with which the firm is related, by a link on record"""
    evidence: str | UnsetType | None = UNSET
    """With related_party: number of the document that proves it"""
    evidence_sha256: str | UnsetType | None = UNSET
    """With related_party: SHA-256 of that document's file"""
    act: Act
    voucher_ids: list[str]
    """Each once"""
    reason: str
    last_day: str | UnsetType | None = UNSET
    """To extend: the new last day of all of them"""
    days: int | UnsetType | None = UNSET
    """To extend: days more each"""
    exception_document_no: str | UnsetType | None = UNSET
    """To extend beyond the rules: the document that grants the exception"""


class VoucherCreate(Sent, frozen=True, kw_only=True):
    """A batch of one."""

    reference_no: str
    """Your own number of the grant, unique in the programme. 申领编号"""
    uscc: str | UnsetType | None = UNSET
    """统一社会信用代码 of the firm"""
    firm_id: str | UnsetType | None = UNSET
    firm_name: str | UnsetType | None = UNSET
    """If given, must be the registered name"""
    face_value_fen: int
    """Fen (分), more than 0"""
    valid_from: str | UnsetType | None = UNSET
    """First valid day; default: the moment of issue"""
    valid_until: str | UnsetType | None = UNSET
    """Last valid day; default: by the programme's rules"""
    note: str | UnsetType | None = UNSET
    terms: Terms | UnsetType | None = UNSET
    """What officials fix with the grant: facts of the claim, exceptions, other levels' decisions"""
    programme_id: str
    dry_run: bool | UnsetType = UNSET


class VoucherRead(Answered, frozen=True, kw_only=True):
    """A voucher with its counters in fen; `status` is as of the moment of the answer."""

    id: str
    region_code: str
    code: str
    programme_id: str
    programme_title: str
    voucher_kind: str
    firm_id: str
    firm_name: str
    status: VoucherStatus
    face_value_fen: int
    balance_fen: int
    held_fen: int
    redeemed_fen: int
    recovered_fen: int
    expired_fen: int
    voided_fen: int
    surrendered_fen: int
    valid_from: str
    valid_until: str
    redeemable_until: str
    issued_at: str
    frozen_at: str | None
    ended_at: str | None
    application_id: str | None
    """The application that it was granted for"""


class VouchersMovementRead(Answered, frozen=True, kw_only=True):
    """One posting on a voucher; `change_fen` is what it did to the balance, `balance_fen` what was left."""

    voucher_seq: int
    at: str
    kind: str
    source: str
    destination: str
    amount_fen: int
    change_fen: int
    balance_fen: int
    entry_id: str
    subject_id: str
    pool_id: str
    payee_id: str | None


class WaitingRead(Answered, frozen=True, kw_only=True):
    """Somebody who waits: `position` counts from 1, `ahead_fen` is what those before wait for."""

    position: int
    round_id: str
    reference_no: str
    firm_id: str
    firm_name: str
    waits_fen: int
    ahead_fen: int
    since_at: str
    batch_id: str | None


class WaitlistRead(Answered, frozen=True, kw_only=True):
    """Who waits, in order; a firm sees its own rows."""

    data: list[WaitingRead]


class WithdrawBody(Sent, frozen=True, kw_only=True):
    """An optional remark for the record."""

    note: str | UnsetType | None = UNSET


class YearCloseBody(Sent, frozen=True, kw_only=True):
    """What is decided about a programme's year.

    With `carries_promises` everything that is promised (free and held on vouchers, owed to providers and on no
    payment order yet) moves to the same programme's pools of the next year, and vouchers go on. Without it what
    is promised stays in the closed year: nothing more is drawn on it, and it lapses as the vouchers end.
    """

    programme_id: str
    fiscal_year: int | UnsetType | None = UNSET
    """Default: the programme's"""
    document_no: str
    carries_promises: bool
    available: list[AvailableBody] | UnsetType = UNSET
    """What is not named lapses as a whole"""
    successor_programme_id: str | UnsetType | None = UNSET
    """Where available money goes: a programme of the next year"""
    reason: str | UnsetType | None = UNSET
    dry_run: bool | UnsetType = UNSET
    """Only say what it would do; nothing is stored"""


class YearCloseProposed(Answered, frozen=True, kw_only=True):
    """What the close would do as things stand; `approval` is what another person of finance decides, None if tried."""

    programme_id: str
    fiscal_year: int
    at: str
    pools: list[PoolOutcomeRead]
    lapsing_fen: int
    carried_fen: int
    approval: ApprovalRead | None


class YearCloseRead(Answered, frozen=True, kw_only=True):
    """A year that was closed, and what that did."""

    id: str
    region_code: str
    programme_id: str
    fiscal_year: int
    document_no: str
    approval_id: str
    closed_at: str
    made_by: str
    decided_by: str
    pools: list[PoolOutcomeRead]
