"""`voucher programme …`: programmes from the draft to the end, their providers."""

from __future__ import annotations

import json
import sys
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from app.cli.groups import Group
from app.cli.office import rule_versions
from app.cli.office.counter import SHOWN, All, Column, Limit, Office, command, most, with_examples
from app.cli.office.words import KINDS, STATUSES, last_day, minute
from app.cli.output import Failure
from app.client import models
from app.kernel.clock import SHANGHAI
from app.kernel.vocabulary import ProgrammeStatus, VoucherKind
from app.services.rules.scheme_file import SchemeFileError, load_scheme

app = typer.Typer(cls=Group, no_args_is_help=True, rich_markup_mode=None)
app.add_typer(rule_versions.app, name="rules")

Reason = Annotated[str, typer.Option(help="理由，入档 / Why, for the record")]
ProviderId = Annotated[str, typer.Argument(metavar="PROVIDER", help="机构编号 org_… / Id of the provider")]
ProgrammeId = Annotated[str, typer.Argument(metavar="PROGRAMME", help="项目编号 prg_… / Id of the programme")]
Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])]


@app.callback(
    help=with_examples(
        "项目：起草、发布、暂停、规则、入围 / Programmes: draft, publish, pause, rules, providers.",
        "voucher programme list",
        "voucher programme show PROGRAMME",
    )
)
def _group() -> None:
    """Without a word of its own."""


def columns(office: Office) -> list[Column[models.ProgrammeRead]]:
    """How programmes are shown."""
    words = office.words
    return [
        Column("编号", "id", lambda one: one.id),
        Column("名称", "title", lambda one: one.title),
        Column("券种", "kind", lambda one: words.value(KINDS, one.voucher_kind)),
        Column("年度", "year", lambda one: str(one.fiscal_year)),
        Column("状态", "status", lambda one: words.value(STATUSES, one.status)),
        Column("起", "opens", lambda one: minute(one.opens_at)[:10]),
        Column("止", "until", lambda one: last_day(one.closes_at)),
        Column("文号", "document", lambda one: one.document_no),
    ]


@command(app, "list")
def list_programmes(
    office: Office,
    *,
    region: Annotated[str | None, typer.Option(help="地区代码，如 330100 / Region")] = None,
    status: Annotated[ProgrammeStatus | None, typer.Option(help="状态 / Only of this status")] = None,
    limit: Limit = SHOWN,
    everything: All = False,
) -> None:
    """列出项目，新的在前 / Programmes, newest first."""
    found = office.client.programmes.list(region_code=region)
    chosen = (one for one in found if status is None or one.status == status)
    office.answer_list(chosen, columns(office), limit=most(limit, everything), title=("项目", "Programmes"))


@command(app, "show")
def show(office: Office, programme: ProgrammeId) -> None:
    """一个项目 / One programme."""
    office.answer(office.client.programmes.get(programme), _fields(office))


@command(
    app,
    "create",
    change=True,
    examples=(
        "voucher programme create --scheme examples/schemes/beijing-2023.toml --title 算力券 \\",
        "  --document-no 〔2026〕1号 --from 2026-01-01 --until 2026-12-31",
    ),
)
def create(
    office: Office,
    *,
    scheme: Annotated[
        Path | None,
        typer.Option(help="规则文件 .toml 或 .json / The rules, a scheme file", exists=True, dir_okay=False),
    ] = None,
    title: Annotated[str | None, typer.Option(help="名称 / Title")] = None,
    kind: Annotated[VoucherKind, typer.Option(help="券种 / Kind of voucher")] = VoucherKind.COMPUTE,
    document_no: Annotated[str | None, typer.Option("--document-no", help="文号 / Number of the document")] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="首日 / First day (Asia/Shanghai)")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="末日（含） / Last day, included")
    ] = None,
    year: Annotated[
        int | None, typer.Option(help="预算年度，默认首日所在年 / Budget year; that of the first day")
    ] = None,
    region: Annotated[str | None, typer.Option(help="地区代码，默认本人管辖地区 / Region; your own")] = None,
    authority: Annotated[str | None, typer.Option(help="主管部门编号，默认本单位 / Authority; your own")] = None,
    body: Annotated[
        str | None,
        typer.Option("--body", help="改用完整的请求 JSON 文件，- 为标准输入 / The whole request as JSON instead"),
    ] = None,
) -> None:
    """起草项目（经办） / Write a programme down as a draft, as a maker."""
    if body is not None:
        draft = _draft_of(body)
    else:
        given = {"--scheme": scheme, "--title": title, "--document-no": document_no, "--from": first, "--until": last}
        if lacking := [name for name, value in given.items() if value is None]:
            raise typer.BadParameter(office.words.sentence("缺少：", "missing: ") + " ".join(lacking))
        assert scheme and title and document_no and first and last, "nothing is lacking"
        if last < first:
            raise typer.BadParameter(office.words.sentence("末日早于首日。", "the last day is before the first"))
        region, authority = _own(office, region, authority)
        draft = models.ProgrammeBody(
            region_code=region,
            authority_id=authority,
            title=title,
            voucher_kind=kind,
            fiscal_year=year or first.year,
            opens_at=_midnight(first),
            closes_at=_midnight(last + timedelta(days=1)),
            document_no=document_no,
            rules=_rules_of(scheme),
        )
    if office.rehearsed("新项目", "a new programme", body=msgspec.to_builtins(draft)):
        return
    made = office.client.programmes.create(draft)
    office.answer(made, _fields(office))
    office.say(f"已起草。提请审核：voucher programme submit {made.id}", "a draft; submit it for approval")


@command(app, "submit", change=True)
def submit(office: Office, programme: ProgrammeId) -> None:
    """提请审核发布（经办） / Ask a checker to publish a draft, as a maker."""
    if office.rehearsed("提请发布", "publish", programme_id=programme):
        return
    asked = office.client.programmes.submit(programme)
    office.answer(asked, [Column("审核编号", "approval", lambda one: one.approval.id)])
    office.say("等待另一人审核：voucher approvals approve", "waits for another person")


@command(app, "pause", change=True, asks=True)
def pause(office: Office, programme: ProgrammeId) -> None:
    """暂停：不再受理核销与发放（经办） / Let nothing be drawn or issued for a while, as a maker."""
    if office.rehearsed("暂停", "pause", programme_id=programme):
        return
    found = office.client.programmes.get(programme)
    office.confirm(f"暂停“{found.title}”，立即生效？", f"pause {found.title} at once?")
    office.answer(office.client.programmes.pause(programme), _fields(office))


@command(app, "resume", change=True)
def resume(office: Office, programme: ProgrammeId) -> None:
    """提请恢复已暂停的项目（经办） / Ask a checker to end a pause, as a maker."""
    if office.rehearsed("提请恢复", "resume", programme_id=programme):
        return
    office.asked(office.client.programmes.resume(programme))


@command(app, "close", act=True)
def close(office: Office, programme: ProgrammeId, reason: Reason) -> None:
    """提请关闭：不再发放，已发的券照常使用（经办） / Ask to close it for good; what is out goes on."""
    if office.rehearsed("提请关闭", "close", programme_id=programme, reason=reason):
        return
    with office.once("close", programme_id=programme, reason=reason) as key:
        asked = office.client.programmes.close(programme, models.CloseBody(reason=reason), key=key)
    office.asked(asked)


@command(app, "providers")
def providers(office: Office, programme: ProgrammeId) -> None:
    """入围机构 / The providers of a programme."""
    words = office.words
    found = office.client.programmes.providers.list(programme)
    shown: list[Column[models.AdmissionRead]] = [
        Column("机构编号", "provider", lambda one: one.provider_id),
        Column("名称", "name", lambda one: one.provider_name),
        Column("类别", "categories", lambda one: "、".join(one.categories)),
        Column("状态", "status", lambda one: words.value(STATUSES, one.status)),
        Column("价目", "prices", lambda one: str(len(one.prices)), is_number=True),
        Column("更新", "updated", lambda one: minute(one.updated_at)),
    ]
    office.answer_list(iter(found), shown, limit=None, title=("入围机构", "Providers"))


@command(app, "admit", change=True)
def admit(
    office: Office,
    programme: ProgrammeId,
    provider: ProviderId,
    category: Annotated[list[str], typer.Option(help="服务类别，可重复 / Service category; may be repeated")],
) -> None:
    """提请机构入围，类别整体替换（经办） / Ask a checker to admit a provider for these categories, as a maker."""
    body = models.AdmissionBody(categories=category)
    if office.rehearsed("入围", "admit", programme_id=programme, provider_id=provider, categories=category):
        return
    asked = office.client.programmes.providers.admit(programme, provider, body)
    office.answer(asked, [Column("审核编号", "approval", lambda one: one.approval.id)])
    office.say("等待另一人审核：voucher approvals approve", "waits for another person")


@command(app, "suspend", act=True)
def suspend(office: Office, programme: ProgrammeId, provider: ProviderId, reason: Reason) -> None:
    """提请暂停机构：不再预占与核销（经办） / Ask to suspend a provider: no new holds, as a maker."""
    _step(office, "suspend", "暂停机构", programme, provider, reason)


@command(app, "reinstate", act=True)
def reinstate(office: Office, programme: ProgrammeId, provider: ProviderId, reason: Reason) -> None:
    """提请恢复已暂停的机构（经办） / Ask to let a suspended provider go on, as a maker."""
    _step(office, "resume", "恢复机构", programme, provider, reason)


@command(app, "delist", act=True)
def delist(office: Office, programme: ProgrammeId, provider: ProviderId, reason: Reason) -> None:
    """提请机构退出项目（经办） / Ask to take a provider off the programme, as a maker."""
    _step(office, "delist", "机构退出", programme, provider, reason)


def _step(office: Office, step: str, zh: str, programme: str, provider: str, reason: str) -> None:
    said = {"programme_id": programme, "provider_id": provider, "reason": reason}
    if office.rehearsed(f"提请{zh}", step, **said):
        return
    with office.once(f"{step}_provider", **said) as key:
        body = models.CloseBody(reason=reason)
        asked = office.client.programmes.providers.change(programme, provider, step, body, key=key)
    office.asked(asked)


def _fields(office: Office) -> list[Column[models.ProgrammeRead]]:
    return [*columns(office), Column("主管部门", "authority", lambda one: one.authority_id)]


def _own(office: Office, region: str | None, authority: str | None) -> tuple[str, str]:
    """Region and authority: as given, else those of the maker who asks."""
    if region and authority:
        return region, authority
    user_id = office.principal
    roles = [role for role in office.client.users.get(user_id).roles if role.role == "maker" and role.authority_id]
    chosen = {(role.region_code, role.authority_id) for role in roles}
    chosen = {(code, id_) for code, id_ in chosen if region in {None, code} and authority in {None, id_}}
    if len(chosen) != 1:
        raise Failure(
            "请用 --region 与 --authority 指定。", "give --region and --authority: yours are not one", status=2
        )
    code, id_ = chosen.pop()
    assert id_ is not None, "of those that have one"
    return code, id_


def _midnight(day: datetime) -> str:
    return datetime.combine(day.date(), time.min, SHANGHAI).isoformat()


def _rules_of(scheme: Path) -> dict[str, Any]:
    try:
        return load_scheme(scheme).rules.model_dump(mode="json")
    except SchemeFileError as error:
        raise Failure(f"{scheme.name} 无法使用，详见 voucher rules check {scheme}。", str(error)) from error


def _draft_of(source: str) -> models.ProgrammeBody:
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        return msgspec.convert(json.loads(text), models.ProgrammeBody)
    except (OSError, ValueError) as error:
        raise Failure(f"无法读取 {source}。", f"no request for a programme: {error}", status=2) from error
