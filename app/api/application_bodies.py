"""Applications on the wire: what a firm sends, what officials send, and what both read."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field, StringConstraints

from app.api.fields import AnyId, BilledFen, Day, PositiveFen, Printable, Read, Reason, ShownInstant, Title, Wire
from app.kernel.money import format_yuan
from app.kernel.regions import is_region, region_name
from app.kernel.vocabulary import ApplicationAct, ApplicationLevel, ApplicationStatus, DocumentType
from app.services.applications.applying import MAX_DOCUMENTS, ApplicationDraft
from app.services.applications.granting import MAX_GRANTS
from app.services.applications.judging import Judged
from app.services.applications.reads import QueueCounts, Shown, Stage
from app.services.applications.reviewing import Exemption
from app.services.applications.writing import ApplicationEventRecord
from app.services.issuance.terms import Terms
from app.services.rules.parts import NumberText, Slug
from app.services.rules.stated import Values

MAX_ITEMS = 50

Purpose = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=2, max_length=2000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
    ),
]
Item = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=500), Printable]
WorkingDays = Annotated[int, Field(strict=True, ge=1, le=90, description="Working days after today. 工作日")]


class PlannedLine(Wire):
    """Something the firm means to buy."""

    category: Annotated[Slug, Field(description="Service category of the programme. 服务类别")]
    amount_fen: BilledFen
    quantity: NumberText | None = None
    unit: Slug | None = None
    unit_price: NumberText | None = None
    facility_class: Slug | None = None


class ApplicationDocumentBody(Wire):
    """A paper: which of the rules' list it is (or `other`), and the upload."""

    document: Slug
    upload_id: AnyId


class ApplicationBody(Wire):
    """What a firm applies for."""

    programme_id: AnyId
    amount_fen: PositiveFen
    purpose: Annotated[Purpose, Field(description="What the voucher is to be used for. 用途")]
    valid_until_on: Annotated[
        Day | None, Field(description="Last day the voucher is wanted for, where the rules let firms say so")
    ] = None
    claim: Annotated[Values, Field(description="Facts that the rules let the claimant state")] = Field(
        default_factory=dict
    )
    plan: Annotated[
        list[PlannedLine],
        Field(max_length=100, description="What is to be bought; the subsidy it would earn bounds the assessment"),
    ] = Field(default_factory=list)
    documents: Annotated[list[ApplicationDocumentBody], Field(max_length=MAX_DOCUMENTS)] = Field(default_factory=list)

    def as_draft(self) -> ApplicationDraft:
        """As the domain's value."""
        return ApplicationDraft(
            programme_id=self.programme_id,
            amount_fen=self.amount_fen,
            purpose=self.purpose,
            valid_until_on=self.valid_until_on,
            claim=self.claim,
            plan=[line.model_dump(mode="json", exclude_none=True) for line in self.plan],
            documents=[(one.document, one.upload_id) for one in self.documents],
        )


class ApplicationCreate(ApplicationBody):
    """An application; with `draft` it is kept for the firm alone until it is submitted."""

    is_draft: Annotated[bool, Field(strict=True, alias="draft")] = False


class ReasonBody(Wire):
    """Why."""

    reason: Reason


class ReturnBody(Wire):
    """What is missing (补正), all at once, and how long the firm has."""

    reason: Reason
    items: Annotated[list[Item], Field(min_length=1, max_length=MAX_ITEMS, description="Each thing that is missing")]
    working_days: Annotated[WorkingDays | None, Field(description="Default: the rules'")] = None


class ExemptionBody(Wire):
    """Which document lets conditions be failed, and why. The checker of the grant approves it."""

    reason: Reason
    document_no: Title


class AssessBody(Wire):
    """The amount that is fixed (核定) and why; `terms` are what officials state of the claim."""

    assessed_fen: PositiveFen
    reason: Reason
    terms: Terms | None = None
    exemption: ExemptionBody | None = None

    def as_exemption(self) -> Exemption | None:
        """As the domain's value."""
        given = self.exemption
        return Exemption(given.reason, given.document_no) if given is not None else None


class GrantsBody(Wire):
    """Reviewed applications of one programme that are to be granted together."""

    application_ids: Annotated[list[AnyId], Field(min_length=1, max_length=MAX_GRANTS)]


class ConditionRead(Read):
    """One condition of the programme, and what became of it. `later`: judged with the bill; `open`: not known yet."""

    name: str
    outcome: Literal["holds", "fails", "missing", "open", "later"]
    en: str
    zh: str
    missing: tuple[str, ...]


class JudgementRead(Read):
    """The judgement: every condition, and the most that may be assessed with each limit that lowers it."""

    eligible: bool
    conditions: tuple[ConditionRead, ...]
    maximum_fen: int
    maximum_text: Annotated[str, Field(description="The maximum in 元")]
    binding_limit: str
    trace: dict[str, Any]
    facts_sha256: str


class ApplicationDocumentRead(Read):
    """A paper; its bytes are at `/v1/uploads/{upload_id}/content`."""

    document: str
    upload_id: str
    file_name: str
    type: DocumentType
    size: int
    sha256: str


class ApplicationRead(Read):
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
    valid_until_on: date | None
    claim: dict[str, Any]
    plan: tuple[dict[str, Any], ...]
    documents: tuple[ApplicationDocumentRead, ...]
    correction_items: tuple[str, ...]
    due_on: date | None
    overdue: bool
    assessed_fen: int | None
    exception: dict[str, Any] | None
    batch_id: str | None
    voucher_id: str | None
    created_at: ShownInstant
    submitted_at: ShownInstant | None
    accepted_at: ShownInstant | None
    decided_at: ShownInstant | None
    decision_reason: str | None
    version: int


class ApplicationJudged(ApplicationRead):
    """An application with the judgement that was made just now, None for a draft."""

    judgement: JudgementRead | None


class ApplicationEventRead(Read):
    """Who did what, when and why; `facts` and `trace` are what was decided from, and their hash is sealed."""

    seq: int
    act: ApplicationAct
    from_status: ApplicationStatus | None
    to_status: ApplicationStatus
    at: ShownInstant
    principal_id: str
    organisation_id: str
    reason: str | None
    details: dict[str, Any]
    facts: dict[str, Any] | None
    facts_sha256: str | None
    trace: dict[str, Any] | None


class DistrictCountsRead(Read):
    """One district's applications by stage."""

    district_code: str
    district_name: str
    stages: dict[Stage, int]


class CountsRead(Read):
    """How many applications lie at each stage: 区县审核中, 市审核中, 待补正, 候补, 通过, 不通过, 已撤回."""

    stages: dict[Stage, int]
    statuses: dict[ApplicationStatus, int]
    districts: tuple[DistrictCountsRead, ...]
    overdue: int


class GrantsProposed(Read):
    """What was proposed; a checker decides it at `approval_id`."""

    batch_id: str
    approval_id: str
    programme_id: str
    count: int
    total_fen: int
    application_ids: tuple[str, ...]


def shown_application(shown: Shown) -> ApplicationRead:
    """An application on the wire."""
    return ApplicationRead(**_values(shown))


def shown_judged(shown: Shown, judged: Judged | None) -> ApplicationJudged:
    """The same with a judgement."""
    return ApplicationJudged(**_values(shown), judgement=shown_judgement(judged) if judged is not None else None)


def shown_judgement(judged: Judged) -> JudgementRead:
    """A judgement on the wire."""
    most = judged.maximum
    return JudgementRead(
        eligible=judged.eligibility.holds,
        conditions=tuple(
            ConditionRead(name=one.name, outcome=one.outcome.value, en=one.en, zh=one.zh, missing=one.missing)
            for one in judged.eligibility.findings
        ),
        maximum_fen=most.amount_fen,
        maximum_text=format_yuan(most.amount_fen),
        binding_limit=most.binding.name,
        trace=most.plain(),
        facts_sha256=judged.frozen.facts_sha256,
    )


def shown_event(record: ApplicationEventRecord) -> ApplicationEventRead:
    """An event on the wire."""
    values = {name: getattr(record, name) for name in ApplicationEventRead.model_fields}
    for name in ("details", "facts", "trace"):
        values[name] = orjson.loads(values[name]) if values[name] is not None else None
    return ApplicationEventRead(**values)


def shown_counts(counts: QueueCounts) -> CountsRead:
    """Counts on the wire; stages without applications are 0."""
    every = [stage for stage in Stage if stage is not Stage.DRAFT or counts.stages.get(stage)]
    return CountsRead(
        stages={stage: counts.stages.get(stage, 0) for stage in every},
        statuses={status: counts.statuses.get(status, 0) for status in ApplicationStatus},
        districts=tuple(
            DistrictCountsRead(
                district_code=code,
                district_name=region_name(code) if is_region(code) else code,
                stages={stage: of_stage.get(stage, 0) for stage in every},
            )
            for code, of_stage in counts.districts.items()
        ),
        overdue=counts.overdue,
    )


def _values(shown: Shown) -> dict[str, Any]:
    record = shown.record
    plain = {name: getattr(record, name) for name in ApplicationRead.model_fields if hasattr(record, name)}
    return plain | {
        "stage": shown.stage,
        "claim": orjson.loads(record.claim),
        "plan": tuple(orjson.loads(record.plan)),
        "documents": tuple(ApplicationDocumentRead.model_validate(one) for one in shown.documents),
        "correction_items": tuple(orjson.loads(record.correction)) if record.correction is not None else (),
        "due_on": shown.due_on,
        "overdue": shown.overdue,
        "exception": orjson.loads(record.exception) if record.exception is not None else None,
    }
