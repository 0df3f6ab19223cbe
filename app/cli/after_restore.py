"""`voucher after-restore`: how the logs stand after a restoration, and an official's word that they may go on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer
from sqlalchemy import Connection

import migrations
from app.cli.checkpoints import read_heads
from app.cli.local import embedded_database, state_dir
from app.cli.output import Failure, say, table
from app.database import Database
from app.kernel.clock import SHANGHAI
from app.kernel.regions import is_region
from app.reach import EVERYWHERE
from app.services.restoration.marks import (
    Mark,
    compare_logs,
    leave_mark,
    open_marks,
    release_agreeing,
    release_decided,
    settle,
)
from app.services.restoration.verdicts import Head, Region, Verdict

ALL = "all"

VERDICTS = {
    Verdict.AGREES: "一致 agrees",
    Verdict.SHORTER: "短于已公布 SHORTER than published",
    Verdict.FORKED: "与已公布不同 DIFFERS from published",
    Verdict.OTHER_LOG: "日志名不同 another log's",
}

Checkpoints = Annotated[
    list[str] | None,
    typer.Option("--checkpoint", help="已公布检查点的文件或见证方网址，可多次 / A published checkpoint, file or URL"),
]
LogKeys = Annotated[
    list[str] | None,
    typer.Option("--log-key", help="检查点须由此公钥（vkey）签名，可多次 / Keys one of which must have signed each"),
]


def after_restore(
    checkpoint: Checkpoints = None,
    log_key: LogKeys = None,
    mark: Annotated[
        str | None,
        typer.Option(
            help="登记：数据库已由此备份恢复（外部 PostgreSQL） / Record that the database was restored from this"
        ),
    ] = None,
    accept: Annotated[
        str | None,
        typer.Option(help="批准继续封存的地区代码，或 all / Region that may be sealed again although, or all"),
    ] = None,
    decided_by: Annotated[str | None, typer.Option(help="作出决定的负责人 / The official who has decided it")] = None,
    reason: Annotated[str | None, typer.Option(help="决定的理由 / Why")] = None,
) -> None:
    """恢复之后：将各地区日志与已公布检查点比对，一致者恢复封存 / Compare the restored logs with published checkpoints.

    恢复之后各地区暂停封存。请给出各见证方最新的检查点：恢复后的日志与之一致的，自动恢复封存；较短或不同的，或没有给出检查点的，
    由负责人决定（--accept、--decided-by、--reason）。此前不封存，核销照常。须以数据库结构所有者身份运行。
    After a restoration the sealing of every region is held. Give the newest checkpoint of each witness: where the
    restored log agrees it is sealed again by itself; where it is shorter or differs, or none is given, an official
    decides (--accept, --decided-by, --reason). Until then nothing is sealed; redemptions go on. As the schema's owner.
    """
    heads = read_heads(checkpoint or [], log_key or [])
    with _owned_database() as url:
        database = Database(url, reach=EVERYWHERE)
        try:
            if mark is not None:
                database.transact(lambda tx: leave_mark(tx, backup=mark, restored_to=None, last_commit_at=None))
            regions, released = database.transact(lambda tx: _compare(tx, heads))
            if accept is not None:
                database.transact(lambda tx: _accept(tx, accept, regions, decided_by, reason))
            marks = database.transact(open_marks)
        finally:
            database.dispose()
    show_regions(regions, marks, released)
    raise typer.Exit(1 if any(disagrees(region) and held(region, marks) for region in regions) else 0)


def compare_and_release(database: Database, heads: Sequence[Head]) -> tuple[list[Region], list[Mark]]:
    """Hold the logs against these heads, let those go on that agree, and show it. As the owner."""
    regions, released = database.transact(lambda tx: _compare(tx, heads))
    marks = database.transact(open_marks)
    show_regions(regions, marks, released)
    return regions, marks


def show_regions(regions: Sequence[Region], marks: Sequence[Mark], released: Sequence[str]) -> None:
    """Each region's log beside what was published, and whether it is sealed."""
    rows = [
        [
            region.region_code,
            str(region.log.size) if region.log else "0",
            ", ".join(str(finding.published.size) for finding in region.findings) or "—",
            ", ".join(VERDICTS[finding.verdict] for finding in region.findings) or "未比对 not compared",
            "暂停 HELD" if held(region, marks) else "继续 goes on",
        ]
        for region in regions
    ]
    headings = ["地区 region", "恢复后日志 log", "已公布 published", "比对 verdict", "封存 sealing"]
    table("日志与已公布检查点 / Logs and what was published", headings, rows)
    if released:
        say(f"日志一致，恢复封存：{'、'.join(released)}", "these logs agree and are sealed again")
    say_held(marks)


def say_held(marks: Sequence[Mark]) -> None:
    """Why regions are not sealed, a line for each restoration that is not settled."""
    for mark in marks:
        at = f"{mark.restored_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
        say(
            f"{at} 由 {mark.backup} 恢复：其余地区（含未列出的）暂停封存，待比对或负责人决定（voucher after-restore）",
            "sealing of every other region, listed or not, is held until it is compared or decided on",
        )


def held(region: Region, marks: Sequence[Mark]) -> bool:
    """Whether a restoration still holds the region's sealing."""
    return any(region.region_code not in mark.released for mark in marks)


def disagrees(region: Region) -> bool:
    """Whether some published head is not in the restored log."""
    return any(finding.verdict != Verdict.AGREES for finding in region.findings)


def _compare(tx: Connection, heads: Sequence[Head]) -> tuple[list[Region], list[str]]:
    regions = compare_logs(tx, heads)
    return regions, release_agreeing(tx, regions)


def _accept(
    tx: Connection, accepted: str, regions: Sequence[Region], decided_by: str | None, reason: str | None
) -> None:
    if not decided_by or not reason:
        raise Failure(
            "批准继续封存须注明 --decided-by 和 --reason。", "--accept takes --decided-by and --reason: it is recorded"
        )
    if accepted == ALL:
        if not settle(tx, decided_by=decided_by, reason=reason):
            raise Failure("没有待决定的恢复。", "no restoration awaits a decision")
        return
    if not is_region(accepted):
        raise Failure(f"{accepted} 不是地区代码。", "that is no region")
    found = next((region for region in regions if region.region_code == accepted), Region(accepted, None, ()))
    if not release_decided(tx, found, decided_by=decided_by, reason=reason):
        raise Failure(f"地区 {accepted} 没有暂停封存。", "sealing of this region is not held")


@contextmanager
def _owned_database() -> Iterator[str]:
    """The database as its owner: VOUCHER_OWNER_URL, else the embedded one."""
    given = os.environ.get("VOUCHER_OWNER_URL")
    if given:
        if migrations.state_of(given).due:
            raise Failure("请先运行 voucher migrate。", "run voucher migrate first")
        yield given
    elif os.environ.get("VOUCHER_DATABASE_URL"):
        raise Failure("请设置 VOUCHER_OWNER_URL：只有所有者可以解除暂停。", "set VOUCHER_OWNER_URL: only the owner may")
    elif not (state_dir() / "postgres").exists():
        raise Failure("没有内置数据库。", "there is no embedded database; for another, set VOUCHER_OWNER_URL")
    else:
        with embedded_database() as urls:
            yield urls.owner_url
