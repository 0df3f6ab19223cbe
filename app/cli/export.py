"""`voucher export`: the auditor's pack, from the database."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from app.cli.counting import counted
from app.cli.local import end_orderly_on_sigterm, reading_database, state_dir
from app.cli.output import Failure, say
from app.database import Database
from app.reach import EVERYWHERE
from app.services.export.export import Exported, PackExists, Request
from app.services.export.export import export as write_pack
from app.services.export.handing_out import pinned_keys
from app.services.sealing.keys import LogKeys
from app.settings import Settings

ANEW = {
    "progress_unreadable": ("上次的进度无法读取", "the progress of the last run cannot be read"),
    "other_options": ("上次导出的选项或日志不同", "the last run had other options or another log"),
}


def export(
    pack: Annotated[Path, typer.Argument(help="目标文件夹，或以 .tar 结尾的文件 / A folder, or a file ending in .tar")],
    region: Annotated[
        str | None,
        typer.Option(help="地区代码（含下级），缺省全部 / Region, those below included; all if missing"),
    ] = None,
    *,
    every_head: Annotated[
        bool,
        typer.Option(
            "--every-head", help="导出每个树头，而非每日最后一个 / Every signed head, not the last of each day alone"
        ),
    ] = False,
    vkey: Annotated[
        list[str] | None, typer.Option(help="一并写入的见证方公钥 / A witness's key to put into the pack")
    ] = None,
) -> None:
    """导出审计包，供 voucher verify 独立核验 / Write an auditor's pack, to be checked with voucher verify.

    导出基于同一快照，期间照常核销。中断后以同一命令继续。包内没有姓名、电话与文字说明，有供给方的订单号与作业号。
    It reads one snapshot while redemptions go on. Interrupted, the same command goes on. No names, no phones, no words
    that people wrote are in it; providers' numbers of orders and jobs are.
    """
    end_orderly_on_sigterm()
    is_tar = pack.suffix == ".tar"
    folder = pack.with_name(pack.name + ".partial") if is_tar else pack
    if is_tar and pack.exists():
        raise Failure(f"{pack} 已存在。", "it exists already")
    with reading_database() as url:
        settings = Settings(database_url=url, state_dir=state_dir())
        more = dict.fromkeys((*(vkey or ()), *pinned_keys(settings.witnesses)))
        request = Request(folder, region, every_head, lambda origin: _vkeys(settings, origin), tuple(more))
        database = Database(url, pool_size=2, reach=EVERYWHERE)
        try:
            with counted("导出", "exporting leaves") as progress:
                done = write_pack(database, request, progress=progress)
        except PackExists:
            raise Failure(f"{pack} 已是一个审计包。", "a pack lies there already; give another place") from None
        finally:
            database.dispose()
    if is_tar:
        _into_archive(folder, pack)
    _tell(done, pack)


def _vkeys(settings: Settings, origin: str) -> Sequence[str]:
    """The public keys of a log, where this machine has its private ones."""
    if not any((settings.state_dir / "log-keys").glob("*.pem")):
        return ()
    return [signer.verifier.vkey for signer in LogKeys.from_settings(settings).signers(origin)]


def _into_archive(folder: Path, archive: Path) -> None:
    draft = archive.with_name(archive.name + ".new")
    with tarfile.open(draft, "w") as tar:
        tar.add(folder, archive.stem)
    draft.replace(archive)
    shutil.rmtree(folder)


def _tell(done: Exported, pack: Path) -> None:
    if done.anew is not None:
        zh, en = ANEW[done.anew]
        say(f"从头开始：{zh}。", f"started anew: {en}")
    if done.kept_leaves:
        say(f"沿用上次已导出的 {done.kept_leaves} 个叶子。", f"{done.kept_leaves} leaves were there from the last run")
    if done.unsealed:
        say(f"另有 {done.unsealed} 条尚未封存。", f"{done.unsealed} more are not sealed yet")
    say(
        f"{pack}：{done.regions} 个地区，{done.leaves} 个叶子，{done.bytes / 1e6:.1f} MB。",
        f"{done.regions} regions, {done.leaves} leaves",
    )
