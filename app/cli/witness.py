"""`voucher witness`: an independent co-signer of regions' logs, for an audit bureau. It needs no database."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from app.cli.output import Failure, say
from app.cli.serving import listen
from app.kernel.clock import utc_now
from app.witness.faults import WitnessFault
from app.witness.keeping import open_witness, read_logs
from app.witness.memory import locked_folder
from app.witness.routes import Witness, create_witness

DEFAULT_PORT = 8100
STOP_S = 5
"""For requests under way, of milliseconds each."""


def witness(
    log: Annotated[
        list[str] | None, typer.Option(help="所见证日志的公钥（vkey），可重复 / A log's public key, repeatable")
    ] = None,
    logs: Annotated[
        Path | None,
        typer.Option(help="公钥清单文件，每行一个 / File of such keys, one a line", exists=True, dir_okay=False),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="见证方名称，首次启动时必填 / This witness's name, needed at its first start"),
    ] = None,
    state: Annotated[
        Path, typer.Option(help="密钥与记录的目录 / Folder of its key and memory", file_okay=False)
    ] = Path(".voucher-witness"),
    host: Annotated[str, typer.Option(help="监听地址 / Address to listen on")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="端口，0 为任一空闲端口 / Port, 0 for a free one", min=0, max=65535)
    ] = DEFAULT_PORT,
) -> None:
    """为区域日志作独立见证（审计机关） / Cosign regions' logs as an independent witness, for an audit bureau.

    只为延续其已签历史的检查点签名；先落盘，后应答。公钥在 /vkey，所见最新检查点在 /checkpoint/日志名。
    It signs only what continues all that it has signed before, and has it on disk before it answers. Its key is at
    /vkey, the newest checkpoint it has seen of a log at /checkpoint/ORIGIN.
    """
    try:
        known = read_logs([*(log or []), *(logs.read_text(encoding="utf-8").splitlines() if logs else [])])
        if not known:
            raise Failure("请用 --log 或 --logs 给出所见证的日志。", "name the logs to witness: --log or --logs")
        with locked_folder(state):
            cosigner, memory = open_witness(state, name)
            serving = Witness(cosigner, memory, known, lambda: int(utc_now().timestamp()))
            _serve(serving, host, port, count=len(known))
    except WitnessFault as fault:
        raise Failure(fault.zh, fault.en) from fault
    except (OSError, UnicodeDecodeError) as error:
        raise Failure("文件无法读写。", str(error)) from error


def _serve(serving: Witness, host: str, port: int, *, count: int) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with listen(host, port) as listening:
        config = uvicorn.Config(
            create_witness(serving), log_config=None, access_log=True, timeout_graceful_shutdown=STOP_S
        )
        say(f"公钥：{serving.vkey}", "public key")
        address, number = listening.getsockname()[:2]
        say(f"正在见证 {count} 个日志：http://{address}:{number}", f"witnessing {count} logs")
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])
