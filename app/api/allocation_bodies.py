"""What a maker sends to begin an allocation round, and what is shown of one."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from app.api.fields import AnyId, Fen, Instant, PositiveFen, Printable, Read, ShownInstant, Title, Wire
from app.api.issuance_bodies import Text
from app.kernel.problems import FieldError
from app.kernel.vocabulary import AllocationStatus, AwardReason
from app.kernel.wording import Language
from app.services.allocation.columns import MAX_CANDIDATES
from app.services.allocation.freezing import Applied, RoundReport
from app.services.allocation.listing import Draw, ListedRow
from app.services.allocation.reads import CandidateRecord, RoundRecord
from app.services.issuance.rows import GrantRow, Layout, clean_rows, score_of
from app.services.issuance.terms import Terms

SHOWN_AWARDS = 1_000
"""Awards that the answer to a round shows; all of them are read page by page."""
LEAST_DIGITS = 6
"""Of a seed: with fewer, somebody could try out all numbers against his list beforehand."""


def _digits_asked(text: str) -> str:
    if text.count("#") < LEAST_DIGITS:
        raise ValueError(
            f"needs # for a digit, {LEAST_DIGITS} times at least / 以 # 表示一位数字，至少 {LEAST_DIGITS} 个"
        )
    return text


Score = Annotated[
    str,
    StringConstraints(pattern=r"^(0|[1-9][0-9]*)(\.[0-9]{1,8})?$"),
    AfterValidator(score_of),
    Field(description='The reviewers\' score as a decimal string, such as "87.5"; the highest is served first'),
]
Mark = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), Printable]
Seed = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[!-~]+( [!-~]+)*$"),
    Field(description="The public number as it was announced: visible ASCII, single spaces between its parts"),
]


class CandidateBody(Wire):
    """One candidate of the list, given by the firm's code or its id."""

    reference_no: Annotated[Text, Field(description="Your own number of the grant, unique in the programme. 申领编号")]
    uscc: Annotated[Text | None, Field(description="统一社会信用代码 of the firm")] = None
    firm_id: AnyId | None = None
    firm_name: Annotated[Text | None, Field(description="If given, must be the registered name")] = None
    asked_fen: PositiveFen
    score: Score | None = None
    tier: Annotated[Mark | None, Field(description="For quota_tiers: a tier of the rules")] = None
    project: Annotated[Mark | None, Field(description="For entitlement: the project's number, one row each")] = None
    project_level: Annotated[Mark | None, Field(description="For entitlement: a level of the rules")] = None
    terms: Annotated[Terms | None, Field(description="What officials fix with the grant, as for a batch")] = None

    @model_validator(mode="after")
    def _complete(self) -> CandidateBody:
        if (self.uscc is None) == (self.firm_id is None):
            raise ValueError("give either uscc or firm_id / 须填写 uscc 或 firm_id 之一")
        if (self.project is None) != (self.project_level is None):
            raise ValueError("project and project_level go together / project 与 project_level 须同时填写")
        return self

    def grant(self, row_no: int) -> GrantRow:
        """The grant that the candidate asks for."""
        return GrantRow(
            row_no=row_no,
            reference_no=self.reference_no,
            face_value_fen=self.asked_fen,
            uscc=self.uscc,
            firm_id=self.firm_id,
            firm_name=self.firm_name,
            terms=self.terms,
        )


class ApplicationsBody(Wire):
    """Reviewed and waiting applications of the programme, in the order in which they were first submitted."""

    submitted_from: Annotated[Instant | None, Field(description="First submitted at this instant or later")] = None
    submitted_until: Annotated[Instant | None, Field(description="First submitted before this instant")] = None


Announcement = Annotated[Title, Field(description="Which public number, where it is published, in which order")]
SeedFormat = Annotated[
    Seed,
    AfterValidator(_digits_asked),
    Field(description='How it is written, # for a digit, six of them at least: "## ## ## ## ## ## ##"'),
]
DrawsAt = Annotated[Instant, Field(description="From when on it is known; must lie in the future")]


class DrawBody(Wire):
    """How a lottery's seed is going to be known: announced now, published later."""

    announcement: Announcement
    seed_format: SeedFormat
    draws_at: DrawsAt


class RoundCreate(Wire):
    """A list to be frozen. The rules in force say how it is served; of a lottery `draw` is needed."""

    title: Title
    budget_fen: Annotated[Fen | None, Field(description="What the round gives out at most; default: all there is")] = (
        None
    )
    draw: DrawBody | None = None
    rows: Annotated[list[CandidateBody] | None, Field(min_length=1, max_length=MAX_CANDIDATES)] = None
    applications: Annotated[
        ApplicationsBody | None, Field(description="Instead of rows: what firms applied for, as it was assessed")
    ] = None
    dry_run: Annotated[bool, Field(strict=True, description="Only say what would come of it; nothing is kept")] = False

    @model_validator(mode="after")
    def _one_list(self) -> RoundCreate:
        if (self.rows is None) == (self.applications is None):
            raise ValueError("give either rows or applications / 须填写 rows 或 applications 之一")
        return self

    def listed(self, language: Language) -> tuple[tuple[ListedRow, ...] | Applied, Layout, list[FieldError]]:
        """The list as the domain's values, with what is wrong with its rows by themselves."""
        layout = Layout(language)
        if self.rows is None:
            assert self.applications is not None, "checked above"
            return Applied(self.applications.submitted_from, self.applications.submitted_until), layout, []
        grants, errors = clean_rows([row.grant(place) for place, row in enumerate(self.rows, start=1)], layout)
        rows = tuple(
            ListedRow(grant, row.score, row.tier, row.project, row.project_level)
            for grant, row in zip(grants, self.rows, strict=True)
        )
        return rows, layout, errors

    def announced(self) -> Draw | None:
        """How the seed is announced."""
        return Draw(self.draw.announcement, self.draw.seed_format, self.draw.draws_at) if self.draw else None


class SeedBody(Wire):
    """The public number by which a lottery is drawn."""

    seed: Seed


class AwardRead(Read):
    """What a candidate gets, in the order of service. `waits_fen`: for so much it queues."""

    rank: int
    place: int
    reference_no: str
    asked_fen: int
    granted_fen: int
    reason: AwardReason | None
    waits_fen: int


class RoundProposed(Read):
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
    draws_at: ShownInstant | None
    granted_total_fen: int | None
    waiting_total_fen: int | None
    awards: tuple[AwardRead, ...] | None


class RoundRead(Read):
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
    draws_at: ShownInstant | None
    file_sha256: str | None
    frozen_at: ShownInstant
    frozen_by: str
    seed: str | None
    drawn_at: ShownInstant | None
    drawn_by: str | None
    awards_sha256: str | None
    granted_total_fen: int | None
    batch_id: str | None
    approval_id: str | None
    decided_at: ShownInstant | None
    reason: str | None


class CandidateRead(Read):
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


class CandidatePage(Read):
    """Candidates in their order."""

    data: tuple[CandidateRead, ...]
    next_cursor: str | None


class RecordRead(Read):
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
    cancelled_before: tuple[str, ...]
    left_out: tuple[int, ...] | None
    frozen: dict[str, Any] | None
    awards: tuple[dict[str, Any], ...] | None
    awards_sha256: str | None


def proposed(report: RoundReport, *, kept: bool) -> RoundProposed:
    """What was frozen, or would be, on the wire."""
    frozen, awards = report.frozen, report.awards
    return RoundProposed(
        id=frozen.round_id if kept else None,
        programme_id=frozen.programme_id,
        method=frozen.allocation.method,
        on_exhaustion=frozen.allocation.on_exhaustion,
        rule_version_id=frozen.rule_version_id,
        rules_sha256=frozen.rules_sha256,
        budget_fen=frozen.budget_fen,
        available_fen=report.available_fen,
        candidate_count=len(frozen.candidates),
        asked_total_fen=sum(candidate.asked_fen for candidate in frozen.candidates),
        frozen_sha256=report.frozen_sha256 if kept else None,
        draws_at=frozen.draws_at,
        granted_total_fen=None if awards is None else sum(award.granted_fen for award in awards),
        waiting_total_fen=None if awards is None else sum(award.waits_fen for award in awards),
        awards=None if awards is None else tuple(AwardRead.model_validate(one) for one in awards[:SHOWN_AWARDS]),
    )


def shown_round(record: RoundRecord) -> RoundRead:
    """A round on the wire."""
    return RoundRead.model_validate(record)


def shown_candidate(record: CandidateRecord) -> CandidateRead:
    """A candidate on the wire."""
    return CandidateRead.model_validate(record)
