"""`voucher restore`: bring the embedded database back from a backup, to any archived instant, beside what is there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

import migrations
from app.cli.after_restore import Checkpoints, LogKeys, compare_and_release, disagrees, held
from app.cli.backing_up import keys_in
from app.cli.checkpoints import read_heads
from app.cli.local import DATABASE, state_dir
from app.cli.output import Failure, say, step, table
from app.cli.totals import show_report
from app.database import Database
from app.embedded.archive import Archive, Backup, gap_after, newest_before, open_archive, segment_of
from app.embedded.binaries import binaries_for
from app.embedded.databases import APP, OWNER
from app.embedded.home import Home, open_home
from app.embedded.recovery import Recovered, recovered
from app.kernel.clock import SHANGHAI
from app.reach import EVERYWHERE
from app.services.reconciliation.checking import Report
from app.services.reconciliation.reconcile import check_invariants
from app.services.restoration.marks import leave_mark
from app.services.restoration.verdicts import Head

WHAT = {"copy": "复制备份 copying", "verify": "校验 verifying", "replay": "重放预写日志 replaying"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restoration would do."""

    archive: Archive
    backup: Backup
    to: datetime | None
    state: Path
    lost_wal: Path | None
    heads: Sequence[Head]


def restore(
    folder: Annotated[Path, typer.Argument(help="备份文件夹 / Folder of backups")],
    *,
    to: Annotated[
        str | None,
        typer.Option(help="恢复到此刻：北京时间“2026-11-25 14:00”或 RFC 3339 / Instant, Beijing time or RFC 3339"),
    ] = None,
    to_latest: Annotated[bool, typer.Option("--to-latest", help="恢复到归档末尾 / To the end of the archive")] = False,
    into: Annotated[
        Path | None, typer.Option(help="状态目录，其中不得已有数据库 / State folder that holds no database yet")
    ] = None,
    name: Annotated[str | None, typer.Option("--backup", help="指定备份 / From this backup")] = None,
    lost_wal: Annotated[
        Path | None,
        typer.Option(
            help="原数据库的 pg_wal（磁盘仍可读时），补上尚未归档的业务 / pg_wal of the lost server, if readable"
        ),
    ] = None,
    checkpoint: Checkpoints = None,
    log_key: LogKeys = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只显示将做什么 / Only show what it would do")] = False,
) -> None:
    """由备份恢复内置数据库，从不覆盖已有数据 / Restore the embedded database; never overwrites one.

    恢复后核对全部账目，并暂停日志封存，直至与已公布检查点比对一致或负责人决定（voucher after-restore）。
    账目不平或日志与已公布不一致时，以状态 1 结束。
    Afterwards all invariants are checked, and nothing is sealed before the logs have been held against the published
    checkpoints. Status 1 where the books or the logs do not agree.
    """
    plan = Plan(
        archive=(archive := open_archive(folder.resolve())),
        backup=_choose(archive, name, at := _target(to, to_latest=to_latest)),
        to=at,
        state=into.resolve() if into else _own_state(),
        lost_wal=lost_wal,
        heads=read_heads(checkpoint or [], log_key or []),
    )
    _check(plan)
    _show(plan)
    if dry_run:
        say("仅为预览，未做任何改动。", "nothing was done")
        return
    plan.state.mkdir(mode=0o711, parents=True, exist_ok=True)
    home = open_home(plan.state / "postgres")
    with _restored(plan, home) as server:
        report, at_odds = _look_over(plan, server)
    say(f"恢复完成：{plan.state}", "restored")
    _say_next(plan)
    raise typer.Exit(1 if report.difference_count or at_odds else 0)


def read_instant(written: str) -> datetime:
    """An instant as people give it: RFC 3339, or without a zone Beijing time. Raises Failure."""
    try:
        instant = datetime.fromisoformat(written.strip())
    except ValueError as error:
        raise Failure(
            f"无法识别时间 {written}，例如 2026-11-25 14:00（北京时间）或 2026-11-25T06:00:00Z。",
            "no instant: for example 2026-11-25 14:00 (Beijing time) or 2026-11-25T06:00:00Z",
        ) from error
    return instant if instant.tzinfo else instant.replace(tzinfo=SHANGHAI)


def _target(to: str | None, *, to_latest: bool) -> datetime | None:
    if (to is None) != to_latest:
        raise Failure("请在 --to 与 --to-latest 中选择其一。", "choose either --to or --to-latest")
    return None if to is None else read_instant(to)


def _own_state() -> Path:
    if os.environ.get("VOUCHER_DATABASE_URL"):
        raise Failure(
            "本命令恢复内置数据库，请用 --into 指定状态目录；外部 PostgreSQL 见 docs/operations.zh-CN.md。",
            "this restores the embedded database: name a state folder with --into; docs/operations.md has the other",
        )
    return state_dir()


def _choose(archive: Archive, name: str | None, at: datetime | None) -> Backup:
    backups = archive.backups()
    if not backups:
        raise Failure(f"{archive.folder} 中没有备份。", "there is no backup in this folder")
    if name is not None:
        backups = [backup for backup in backups if backup.name == name]
        if not backups:
            raise Failure(f"没有名为 {name} 的备份。", "there is no backup of this name")
    chosen = newest_before(backups, at)
    if chosen is None:
        first = f"{backups[0].finished_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
        raise Failure(
            f"最早可恢复到 {first}（北京时间）。", f"{first} Beijing time is the earliest that can be restored"
        )
    return chosen


def _check(plan: Plan) -> None:
    migration = plan.backup.facts.get("migration")
    if migration is not None and not migrations.is_known(migration):
        raise migrations.NewerDatabase(migration, migrations.newest())
    if _data_in(plan.state):
        raise Failure(
            f"{plan.state} 中已有数据库，恢复从不覆盖：请用 --into 另选目录，或先将其移走。",
            "there is a database in that state folder and a restoration never overwrites: choose another with --into",
        )
    reached = {segment.number for segment in plan.archive.segments()}
    if plan.lost_wal is not None:
        if not plan.lost_wal.is_dir():
            raise Failure(f"{plan.lost_wal} 不是文件夹。", "that is no folder")
        reached |= {found.number for path in plan.lost_wal.iterdir() if (found := segment_of(path.name))}
    missing = gap_after(plan.backup.last_segment + 1, reached)
    if plan.to is None and missing is not None:
        ends = plan.archive.archived_at(missing - 1) or plan.backup.finished_at
        at = f"{ends.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
        raise Failure(
            f"归档缺少一段（序号 {missing}），其后无法重放：请用 --to 恢复到 {at}（北京时间）之前，或选用更晚的备份。",
            f"segment {missing} of the WAL is missing, nothing after it can be replayed: use --to for an instant before"
            f" {at} Beijing time, or a later backup",
        )


def _data_in(state: Path) -> bool:
    """Whether the state folder has a database, here or in the place that it remembers."""
    folder = state / "postgres"
    places = [folder, *(Path(record.read_text()) for record in folder.glob("location"))]
    return any((place / "data").exists() for place in places)


def _show(plan: Plan) -> None:
    backup, segments = plan.backup, plan.archive.segments()
    used = [segment for segment in segments if segment.number >= backup.first_segment]
    archived_at = plan.archive.archived_at()
    migration = backup.facts.get("migration")
    rows = [
        ["备份", "backup", f"{backup.name}，{_local(backup.finished_at)}，{backup.size_bytes / 2**20:,.0f} MiB"],
        ["恢复到", "to", "归档末尾 the end of the archive" if plan.to is None else _local(plan.to)],
        ["预写日志", "WAL", f"{len(used)} 段 segments，{_local(archived_at) if archived_at else '—'}"],
        ["恢复点", "recovery point", _recovery_point(plan, archived_at)],
        [
            "PostgreSQL",
            "",
            f"{backup.postgres}（{binaries_for(Home(plan.state, None), plan.archive.data_of(backup))}）",
        ],
        ["数据库结构", "schema", f"{migration} → {migrations.newest()}"],
        ["写入", "into", str(plan.state)],
        ["比对检查点", "checkpoints", ", ".join(f"{head.origin}: {head.size}" for head in plan.heads) or "未给出 none"],
    ]
    table("恢复计划 / What is restored", ["", "", ""], rows)


def _recovery_point(plan: Plan, archived_at: datetime | None) -> str:
    reaches = max(archived_at or plan.backup.finished_at, plan.backup.finished_at)
    if plan.to is not None and plan.lost_wal is None and plan.to > reaches:
        return (
            f"归档只到 {_local(reaches)}，无法确认能恢复到所给时刻；请用 --to-latest"
            " the archive ends there and cannot show that nothing is missing: use --to-latest"
        )
    if plan.to is not None:
        return f"{_local(plan.to)} 之后提交的业务不在其中 what was committed later is left out"
    if plan.lost_wal is not None:
        return "原库已提交的全部业务 all that the lost server had committed"
    return f"{_local(reaches)} 之后提交的业务可能丢失 what was committed later may be lost"


@contextmanager
def _restored(plan: Plan, home: Home) -> Iterator[Recovered]:
    said = ""

    def shown(what: str, count: int) -> None:
        nonlocal said
        if what != said:
            said = what
            say(f"· {WHAT[what]}", str(count))

    with recovered(home, plan.archive, plan.backup, to=plan.to, rest=plan.lost_wal, shown=shown) as server:
        yield server


def _look_over(plan: Plan, server: Recovered) -> tuple[Report, bool]:
    """Migrate, hold the sealing, compare the logs and check the books: while nobody else can reach the database."""
    at = server.last_commit_at
    say(
        f"最后一笔重放的事务：{_local(at) if at else '无（备份自身的末尾）'}",
        "the last transaction that was replayed" if at else "nothing was replayed beyond the backup's own end",
    )
    owner_url = server.url(OWNER, DATABASE)
    with step("升级数据库结构", "migrating"):
        migrations.upgrade(owner_url)
    owner, service = Database(owner_url, reach=EVERYWHERE), Database(server.url(APP, DATABASE), reach=EVERYWHERE)
    try:
        owner.transact(lambda tx: leave_mark(tx, backup=plan.backup.name, restored_to=plan.to, last_commit_at=at))
        regions, marks = compare_and_release(owner, plan.heads)
        with step("核对账目", "checking the books"):
            report = check_invariants(service)
    finally:
        owner.dispose()
        service.dispose()
    show_report(report)
    return report, any(disagrees(region) and held(region, marks) for region in regions)


def _say_next(plan: Plan) -> None:
    there = keys_in(plan.state)
    missing = [file for file, digest in plan.backup.facts.get("keys", {}).items() if there.get(file) != digest]
    if missing:
        say(
            f"启动服务之前，请将密钥放回 {plan.state}：{'、'.join(missing)}；否则会另建新密钥，原令牌失效，"
            "以 field-keys 加密的信息永远无法读取。",
            "before the service starts put these keys back: otherwise new ones are made, old tokens end, and what was"
            " encrypted under field-keys can never be read again",
        )
    say(
        "归档未启用：请执行 voucher backup --enable，启动服务后立即做一次新备份。",
        "archiving is off: run voucher backup --enable, start the service and take a new backup",
    )


def _local(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S.%f}"[:23] + "（北京时间）"
