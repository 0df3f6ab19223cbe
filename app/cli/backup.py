"""`voucher backup`: base backups of the embedded PostgreSQL and the archive of its write-ahead log."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from app.cli.backing_up import archive_of, back_up, disable, enable, enabled_folder, settings_of
from app.cli.local import DATABASE, state_dir
from app.cli.output import Failure, say, table
from app.embedded import base_backup, databases
from app.embedded.archive import Archive, gap_after, open_archive, prepare_archive
from app.embedded.archiving import EVERY_S
from app.embedded.home import home_at
from app.embedded.server import Server, running
from app.kernel.clock import SHANGHAI

KEPT_AT_LEAST = 1


def backup(
    folder: Annotated[
        Path | None,
        typer.Argument(help="备份文件夹；启用归档后可省略 / Folder of backups; may be left out once enabled"),
    ] = None,
    *,
    enable_: Annotated[
        bool,
        typer.Option(
            "--enable", help="启用预写日志归档（下次启动服务时生效） / Archive the WAL from the next start on"
        ),
    ] = False,
    disable_: Annotated[
        bool, typer.Option("--disable", help="停用归档 / Stop archiving from the next start on")
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="列出备份与归档 / List what is there")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="清理旧备份及仅其所需的日志 / Remove old backups and the WAL only they need")
    ] = False,
    keep: Annotated[int, typer.Option(help="清理时保留的备份数 / Backups that pruning keeps", min=KEPT_AT_LEAST)] = 7,
) -> None:
    """备份内置数据库，服务可照常运行 / Back up the embedded database while the service goes on.

    备份含全部业务数据，不含签名密钥：密钥须另行加密保管（见 docs/operations.zh-CN.md）。
    启用归档后可恢复到任一时刻：数据库所在磁盘损毁时，最多丢失最近约一分钟的业务。
    A backup holds all data and no signing key: keep those apart and encrypted (docs/operations.md). With archiving any
    instant can be restored; where the database's disk is lost, at most about the last minute is lost with it.
    """
    state = state_dir()
    if sum((enable_, disable_, list_, prune)) > 1:
        raise Failure("这些选项只能选一个。", "choose one of --enable, --disable, --list and --prune")
    if disable_:
        disable(state)
        say("已停用归档，下次启动服务时生效。", "archiving ends at the service's next start")
        return
    chosen = folder.resolve() if folder else enabled_folder(state)
    if chosen is None:
        raise Failure(
            "请给出备份文件夹，或先用 --enable 启用归档。", "name a folder, or enable archiving with --enable first"
        )
    if list_:
        show(open_archive(chosen))
    elif prune:
        _prune(open_archive(chosen), keep)
    elif enable_:
        _enable(state, chosen)
    else:
        _back_up(state, chosen)


def show(archive: Archive) -> None:
    """The backups of a folder, oldest first, and how far its WAL reaches."""
    backups = archive.backups()
    rows = [
        [
            backup.name,
            f"{backup.finished_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}",
            f"{backup.size_bytes / 2**20:,.0f}",
            str(backup.facts.get("service", "")),
            str(backup.facts.get("migration", "")),
            backup.postgres,
            ", ".join(f"{log['region_code']}: {log['size']}" for log in backup.facts.get("logs", ())),
        ]
        for backup in backups
    ]
    headings = [
        "备份 name",
        "完成（北京时间）finished",
        "MiB",
        "服务 service",
        "结构 schema",
        "PostgreSQL",
        "日志 logs",
    ]
    table(f"备份 / Backups {archive.folder}", headings, rows)
    segments, archived_at = archive.segments(), archive.archived_at()
    if archived_at is None:
        say(
            "没有归档的预写日志：只能恢复到各备份完成之时。",
            "no WAL is archived: only the backups' own ends can be restored",
        )
        return
    at = f"{archived_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
    say(
        f"预写日志：{len(segments)} 段，最后归档于 {at}（北京时间）", f"WAL: {len(segments)} segments, the last at {at}"
    )
    covered = {segment.number for segment in segments}
    covered.update(number for one in backups for number in range(one.first_segment, one.last_segment + 1))
    gap = gap_after(min(one.first_segment for one in backups), covered) if backups else None
    if gap is not None:
        raise Failure(
            f"归档缺少第 {gap} 段：其后的时刻只能由更晚的备份恢复。",
            f"segment {gap} is missing: what follows it can be restored from later backups only",
        )


def _prune(archive: Archive, keep: int) -> None:
    gone, needless = archive.prune(keep)
    names = "、".join(backup.name for backup in gone) or "无"
    say(
        f"已删除备份：{names}；预写日志 {len(needless)} 段",
        f"removed {len(gone)} backups, {len(needless)} WAL segments",
    )


def _enable(state: Path, folder: Path) -> None:
    if folder.is_relative_to(state):
        raise Failure("备份文件夹不能在状态目录之内。", "the backups may not lie inside the state folder")
    with _server(state) as server:
        archive = _prepared(folder, server)
        enable(state, archive)
        if base_backup.archives_into(server, archive.wal):
            say(f"归档已启用：{archive.wal}", "archiving is on")
            return
    say(
        f"已登记：下次启动服务时开始归档到 {archive.wal}，至多每 {EVERY_S} 秒一次。请重启服务，然后做一次备份。",
        "archiving begins when the service is started next: restart it, then take a backup",
    )


def _back_up(state: Path, folder: Path) -> None:
    if folder.is_relative_to(state):
        raise Failure("备份文件夹不能在状态目录之内。", "the backups may not lie inside the state folder")
    if not (state / "postgres").exists():
        raise Failure(f"{state} 中没有内置数据库。", "there is no embedded database in the state folder")
    enabled = archive_of(state)
    with _server(state) as server:
        archive = _prepared(folder, server)
        if enabled and enabled.folder == archive.folder and not base_backup.archives_into(server, archive.wal):
            raise Failure(
                "归档已登记但尚未生效：请先重启服务。", "archiving is enabled but not yet on: restart the service first"
            )
        taken = back_up(server, archive, state=state, urls=databases.urls(server, database=DATABASE))
    say(f"备份完成并已校验：{archive.data_of(taken).parent}", "backup made and verified")
    say(
        "签名密钥不在备份中，请另行加密保管：" + "、".join(taken.facts["keys"]),
        "signing keys are not in it: keep them apart, encrypted",
    )


def _prepared(folder: Path, server: Server) -> Archive:
    identifier, account = base_backup.system_identifier(server), home_at(server.folder).account
    return prepare_archive(folder, system_identifier=identifier, account=account)


@contextmanager
def _server(state: Path) -> Iterator[Server]:
    """The embedded server; started for the while where nobody uses it."""
    if os.environ.get("VOUCHER_DATABASE_URL"):
        raise Failure(
            "本命令备份内置数据库；外部 PostgreSQL 请按 docs/operations.zh-CN.md 用 pgBackRest 或 pg_basebackup 备份。",
            "this backs up the embedded database; docs/operations.md has the recipe for another PostgreSQL",
        )
    with running(state / "postgres", settings=settings_of(state)) as server:
        yield server
