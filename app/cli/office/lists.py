"""Freezing a list from the shell: what is asked for, from a sheet or otherwise, and what comes of it."""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import datetime
from pathlib import Path

import msgspec
import typer
from msgspec import UNSET, UnsetType

from app.cli.allocation import REASONS
from app.cli.office.counter import Column, Office
from app.cli.office.sheets import annotating
from app.cli.office.words import yuan
from app.cli.output import Failure
from app.client import ListForm, Upload, models
from app.kernel.clock import SHANGHAI
from app.kernel.vocabulary import AwardReason


def freeze(office: Office, programme: str, asked: models.RoundCreate) -> models.RoundProposed:
    """Have a list frozen that is JSON or of applications, or rehearse it."""
    rounds = office.client.allocation_rounds
    if office.dry_run:
        return rounds.create(programme, msgspec.structs.replace(asked, dry_run=True), key=office.key)
    with office.once("create_round", programme_id=programme, body=msgspec.to_builtins(asked)) as key:
        return rounds.create(programme, asked, key=key)


def freeze_sheet(office: Office, programme: str, sheet: Path, form: ListForm) -> models.RoundProposed:
    """Have a list frozen that stands in a sheet, or rehearse it; where rows are wrong, write the annotated copy."""
    file, rounds = Upload.read(sheet), office.client.allocation_rounds
    command = {"file_sha256": hashlib.sha256(file.content).hexdigest(), "programme_id": programme}
    with annotating(office, sheet, lambda: rounds.annotate(programme, file, form)):
        if office.dry_run:
            return rounds.create_from_sheet(programme, file, form, dry_run=True, key=office.key)
        with office.once("create_round", **command, form=msgspec.to_builtins(form)) as key:
            return rounds.create_from_sheet(programme, file, form, key=key)


def proposed(office: Office, made: models.RoundProposed) -> None:
    """Show what was frozen, or would be, and what each gets."""
    fields: list[Column[models.RoundProposed]] = [
        Column("轮次", "round", lambda one: one.id or "-"),
        Column("方式", "method", lambda one: one.method),
        Column("户数", "candidates", lambda one: f"{one.candidate_count:,}"),
        Column("申请（元）", "asked", lambda one: yuan(one.asked_total_fen)),
        Column("可用（元）", "available", lambda one: yuan(one.available_fen)),
        Column("预算（元）", "budget", lambda one: yuan(one.budget_fen)),
        Column("分配（元）", "granted", lambda one: yuan(one.granted_total_fen)),
        Column("候补（元）", "waiting", lambda one: yuan(one.waiting_total_fen)),
        Column("名单哈希", "hash of the list", lambda one: one.frozen_sha256 or "-"),
    ]
    awards: list[Column[models.AwardRead]] = [
        Column("位次", "rank", lambda one: str(one.rank), is_number=True),
        Column("编号", "no.", lambda one: one.reference_no),
        Column("申请（元）", "asked", lambda one: yuan(one.asked_fen), is_number=True),
        Column("分配（元）", "granted", lambda one: yuan(one.granted_fen), is_number=True),
        Column("候补（元）", "waits", lambda one: yuan(one.waits_fen), is_number=True),
        Column("说明", "reason", lambda one: reason_of(one.reason)),
    ]
    office.answer(made, fields)
    office.also(("分配结果", "Awards"), awards, made.awards or [])


def draw_of(
    office: Office, announcement: str | None, seed_format: str | None, draws_at: datetime | None
) -> models.DrawBody | UnsetType:
    """How a lottery's seed is announced: all three or nothing."""
    given = (announcement, seed_format, draws_at)
    if given == (None, None, None):
        return UNSET
    if announcement is None or seed_format is None or draws_at is None:
        told = office.words.sentence("抽签的三项须一并给出。", "a lottery takes all three")
        raise typer.BadParameter(told, param_hint="--announcement --seed-format --draws-at")
    return models.DrawBody(announcement=announcement, seed_format=seed_format, draws_at=instant(draws_at))


def instant(typed: datetime) -> str:
    """An instant that was typed in Asia/Shanghai, on the wire."""
    return typed.replace(tzinfo=SHANGHAI).isoformat()


def reason_of(reason: str | None) -> str:
    """Why somebody gets less than he asked for."""
    return REASONS[AwardReason(reason)] if reason in set(AwardReason) else reason or ""


def request_of(source: str) -> models.RoundCreate:
    """The whole request, of a JSON file or of standard input."""
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        return msgspec.convert(json.loads(text), models.RoundCreate)
    except (OSError, ValueError) as error:
        raise Failure(f"无法读取 {source}。", f"no request for a round: {error}", status=2) from error
