"""`voucher uploads`: the store of uploaded documents, beside the database that knows them."""

from __future__ import annotations

import typer

from app.cli.groups import Group
from app.cli.local import service_database, state_dir
from app.cli.output import Failure, say
from app.database import Database
from app.reach import EVERYWHERE
from app.services.uploads.store import store_in
from app.services.uploads.uploads import lost, with_rows

app = typer.Typer(cls=Group, no_args_is_help=True, help="上传材料的存储 / The store of uploaded documents.")


@app.command()
def sweep() -> None:
    """删除没有登记的文件（上传中断所留） / Remove files that no upload names: what interrupted uploads left."""
    with service_database() as url:
        database = Database(url, pool_size=2, reach=EVERYWHERE)
        try:
            removed = store_in(state_dir()).sweep(lambda hashes: database.transact(lambda tx: with_rows(tx, hashes)))
        finally:
            database.dispose()
    say(f"已删除 {removed} 个文件。", f"{removed} files removed")


@app.command()
def check() -> None:
    """逐份核对材料与其 SHA-256，缺失时以状态 1 结束 / Hold every document against its SHA-256; 1 if any is lost."""
    with service_database() as url:
        database = Database(url, pool_size=2, reach=EVERYWHERE)
        try:
            missing = database.transact(lambda tx: lost(tx, store_in(state_dir())))
        finally:
            database.dispose()
    for upload in missing:
        typer.echo(f"{upload.id} {upload.sha256} {upload.file_name}")
    if missing:
        raise Failure(
            f"{len(missing)} 份材料缺失或内容不符，请从备份恢复状态目录中的 uploads。",
            f"{len(missing)} documents are lost or altered: bring uploads back from a backup of the state folder",
        )
    say("材料齐全。", "all documents are there")
