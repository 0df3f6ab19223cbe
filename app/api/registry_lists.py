"""Lists for the registry as .xlsx or CSV: firms, providers with their sites, tags, and the debarment list."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field, WithJsonSchema, field_validator, model_validator
from starlette.concurrency import run_in_threadpool

from app.api.approvals import ApprovalRead
from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.debarments import asked_for
from app.api.fields import AnyId, Day, Read, RegionCode, Title, Wire, wrong
from app.api.period_files import read_form, request_body
from app.api.problems import language_of
from app.api.spreadsheets import XLSX, xlsx_response
from app.kernel.tags import KNOWN_TAGS
from app.kernel.vocabulary import Checkpoint, Role
from app.services.registry_lists.debarments import DebarmentUpload, import_debarments
from app.services.registry_lists.organisations import (
    ImportReport,
    OrganisationUpload,
    import_organisations,
)
from app.services.registry_lists.tags import TagUpload, import_tags
from app.services.registry_lists.template import write_registry_template
from app.services.registry_lists.words import ListKind
from app.services.standing.debarments import DEFAULT_CHECKPOINTS

router = APIRouter(tags=["organisations"])

MAX_LISTED = 1_000
"""Organisations that an answer names of each sort; the counts are of all."""

OF_TAGS = ("tag", "since_on", "until_on", "evidence")


class OrganisationListForm(Wire):
    """What is said about the list, which is the part `file`.

    `update`: what is registered and differs is changed, in the fields that the list fills, and not only told. `tag`,
    `since_on`, `until_on` and `evidence` are of a list of tags, for lines that do not say so themselves.
    """

    kind: Annotated[
        ListKind,
        Field(description="firms, providers or tags", json_schema_extra={"enum": ["firms", "providers", "tags"]}),
    ]
    region_code: Annotated[
        RegionCode | None,
        Field(description="Where you keep the registry: the region of lines that name none. Not for tags"),
    ] = None
    update: bool = False
    dry_run: bool = False
    tag: Title | None = None
    since_on: Day | None = None
    until_on: Day | None = None
    evidence: Title | None = None

    @model_validator(mode="after")
    def _fits_the_kind(self) -> OrganisationListForm:
        if self.kind is ListKind.DEBARMENTS:
            raise wrong("not_for_this_kind", "kind", limit="/v1/debarment-lists", actual=self.kind)
        if (self.region_code is None) != (self.kind is ListKind.TAGS):
            code = "not_for_this_kind" if self.region_code else "missing_for_kind"
            raise wrong(code, "region_code", limit=self.kind, actual="region_code")
        for name in OF_TAGS if self.kind is not ListKind.TAGS else ():
            if getattr(self, name) is not None:
                raise wrong("not_for_this_kind", name, limit=self.kind, actual=name)
        return self


_ONE = f"({'|'.join(Checkpoint)})"
_CHECKPOINTS = {
    "type": "string",
    "pattern": f"^ *{_ONE} *(, *{_ONE} *){{0,3}}$",
    "title": "Checkpoints",
}


class DebarmentListForm(Wire):
    """Whose list it is, and what it rules out where a line does not say so itself: `apply,issue,redeem,pay`."""

    region_code: RegionCode
    authority_id: AnyId
    checkpoints: Annotated[tuple[Checkpoint, ...], Field(min_length=1, max_length=4), WithJsonSchema(_CHECKPOINTS)] = (
        Field(default=",".join(DEFAULT_CHECKPOINTS), validate_default=True)
    )
    dry_run: bool = False

    @field_validator("checkpoints", mode="before")
    @classmethod
    def _split(cls, given: object) -> object:
        return tuple(part.strip() for part in given.split(",")) if isinstance(given, str) else given


class FieldChangeRead(Read):
    """One field: what is registered, and what the list says."""

    field: str
    before: Any
    after: Any


class NamedRead(Read):
    """An organisation of the list. In a dry run a new one has no id."""

    row_no: int
    organisation_id: str | None
    identifier_value: str
    name: str
    changes: tuple[FieldChangeRead, ...]


class OrganisationListTaken(Read):
    """What the list did or, in a dry run, would do. At most 1,000 of each sort are named; the counts are of all.

    `differing` are registered otherwise and were left as they are: send the list with `update` to change them.
    """

    dry_run: bool
    file_sha256: str
    created_count: int
    changed_count: int
    differing_count: int
    unchanged_count: int
    created: tuple[NamedRead, ...]
    changed: tuple[NamedRead, ...]
    differing: tuple[NamedRead, ...]
    ignored_columns: tuple[str, ...]


class DebarmentListAsked(Read):
    """What was asked for. Without an approval there was nothing to ask: a dry run, or all are on the list already."""

    approval: ApprovalRead | None
    entry_count: int
    known_count: int
    ignored_columns: tuple[str, ...]


class KnownTag(Read):
    """A recognition that policies everywhere ask for, and the other ways in which it is written."""

    name: str
    variants: tuple[str, ...]


async def _organisations_sent(request: Request, caller: CallerDep) -> tuple[OrganisationListForm, bytes, str]:
    """The form and its file; only that of somebody who may send one is read at all."""
    caller.require(Role.REGISTRAR)
    return await read_form(request, OrganisationListForm)


async def _debarments_sent(request: Request, caller: CallerDep) -> tuple[DebarmentListForm, bytes, str]:
    caller.require(Role.MAKER)
    return await read_form(request, DebarmentListForm)


@router.post("/v1/organisation-lists", openapi_extra={"requestBody": request_body(OrganisationListForm)})
async def take_in_organisation_list(
    sent: Annotated[tuple[OrganisationListForm, bytes, str], Depends(_organisations_sent)],
    caller: CallerDep,
    service: ServiceDep,
    request: Request,
) -> OrganisationListTaken:
    """Register the firms or providers of a list, or give its firms a tag. All or none, every error by row and column.

    The same list twice does nothing the second time.
    """
    form, data, _ = sent
    language = language_of(request)

    def work() -> ImportReport:
        if form.kind is ListKind.TAGS:
            of_tags = TagUpload(data, form.tag, form.since_on, form.until_on, form.evidence, form.update)
            return import_tags(service.database, caller=caller, upload=of_tags, language=language, dry_run=form.dry_run)
        assert form.region_code is not None, "the form was checked"
        upload = OrganisationUpload(form.kind, form.region_code, data, form.update)
        return import_organisations(
            service.database, caller=caller, upload=upload, language=language, dry_run=form.dry_run
        )

    return _shown(await run_in_threadpool(work))


def _shown(report: ImportReport) -> OrganisationListTaken:
    sorts = {name: getattr(report, name) for name in ("created", "changed", "differing")}
    return OrganisationListTaken.model_validate(
        {
            "dry_run": report.dry_run,
            "file_sha256": report.file_sha256,
            "unchanged_count": report.unchanged_count,
            "ignored_columns": report.ignored_columns,
            **{f"{name}_count": len(found) for name, found in sorts.items()},
            **{name: found[:MAX_LISTED] for name, found in sorts.items()},
        }
    )


@router.get("/v1/organisation-lists/template", response_class=Response, responses={200: {"content": {XLSX: {}}}})
def read_organisation_list_template(_caller: CallerDep, kind: Annotated[ListKind, Query()]) -> Response:
    """The empty list of a kind with its explanations."""
    return xlsx_response(write_registry_template(kind), f"voucher-{kind}.xlsx")


@router.get("/v1/organisation-lists/tags")
def read_known_tags(_caller: CallerDep) -> list[KnownTag]:
    """Well-known tags and their variants: a firm with a variant has the usual tag for the rules besides."""
    return [KnownTag(name=name, variants=variants) for name, variants in KNOWN_TAGS.items()]


@router.post(
    "/v1/debarment-lists",
    status_code=202,
    openapi_extra={"requestBody": request_body(DebarmentListForm)},
)
async def ask_for_debarment_list(
    sent: Annotated[tuple[DebarmentListForm, bytes, str], Depends(_debarments_sent)],
    caller: CallerDep,
    service: ServiceDep,
    request: Request,
    response: Response,
) -> DebarmentListAsked:
    """Ask a checker to put all of a list on the debarment list. All or none, every error by row and column.

    Answers 200 where there was nothing to ask. The same list twice asks once.
    """
    form, data, _ = sent
    language = language_of(request)
    upload = DebarmentUpload(form.region_code, form.authority_id, data, form.checkpoints)
    report = await run_in_threadpool(
        lambda: import_debarments(
            service.database, caller=caller, upload=upload, language=language, dry_run=form.dry_run
        )
    )
    told = await run_in_threadpool(lambda: service.database.transact(lambda tx: asked_for(tx, caller, report.asked)))
    if told.approval is None:
        response.status_code = 200
    return DebarmentListAsked(**told.model_dump(), ignored_columns=report.ignored_columns)
