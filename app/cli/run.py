"""`voucher migrate`, `voucher run`, `voucher openapi`: the service itself."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import OperationalError

import migrations
from app.cli.encrypting import encrypt_what_is_clear
from app.cli.local import end_orderly_on_sigterm, require_sealer_url, service_databases, state_dir
from app.cli.output import Failure, say, step
from app.cli.serving import listen, serving

DEFAULT_PORT = 8000

Host = Annotated[str, typer.Option(help="监听地址 / Address to listen on")]
Workers = Annotated[int, typer.Option(help="进程数 / Processes", min=1, max=64)]


def migrate() -> None:
    """将数据库升级到最新结构（以所有者身份） / Bring the database to the newest schema, as its owner."""
    url = os.environ.get("VOUCHER_OWNER_URL")
    if not url:
        raise Failure(
            "请在 VOUCHER_OWNER_URL 中给出数据库所有者的地址（内置数据库由 voucher run 自动升级）。",
            "set VOUCHER_OWNER_URL to the database as its owner; the embedded one is migrated by voucher run",
        )
    try:
        with step("升级数据库结构", "migrating"):
            migrations.upgrade(url)
        encrypt_what_is_clear(url, state_dir())
    except OperationalError as error:
        raise Failure("无法连接数据库。", f"cannot reach the database: {error.orig}") from error
    except RuntimeError as error:
        raise Failure("数据库尚未备好角色。", str(error)) from error


def run(
    host: Host = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="端口，0 为任一空闲端口 / Port, 0 for a free one", min=0, max=65535)
    ] = DEFAULT_PORT,
    workers: Workers = 1,
    *,
    seal: Annotated[bool, typer.Option("--seal/--no-seal", help="同时运行封存进程 / Run a sealer beside it")] = True,
) -> None:
    """运行服务，Ctrl-C 结束 / Run the service until Ctrl-C.

    未设置 VOUCHER_DATABASE_URL 时自动启动并升级内置 PostgreSQL。
    Without VOUCHER_DATABASE_URL the embedded PostgreSQL is started and migrated.
    """
    end_orderly_on_sigterm()
    listening = listen(host, port)
    with (
        service_databases() as (url, sealer_url),
        serving(
            url,
            state_dir(),
            listening=listening,
            workers=workers,
            sealer_url=require_sealer_url(sealer_url) if seal else None,
        ) as service,
    ):
        service.wait_ready()
        say(f"服务已就绪：{service.url}", f"ready; documentation {service.url}/docs")
        try:
            raise typer.Exit(service.wait())
        except KeyboardInterrupt:
            say("正在结束：不再接受新请求，等待在办请求完成。", "stopping: requests under way are finished")


def openapi(
    path: Annotated[Path, typer.Argument(help="写入的文件 / File to write")] = Path("openapi/openapi.json"),
) -> None:
    """写出接口契约 openapi.json / Write the published contract."""
    from app.main import openapi_document  # noqa: PLC0415 - the whole API, a second that other commands need not wait

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(openapi_document(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    say(f"已写入 {path}", "written")
