"""`voucher verify`: an auditor's pack, judged without the service; `--replay` computes some subsidies again."""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import orjson
import typer

from app.cli.counting import counted
from app.cli.output import say
from app.cli.replay_sample import replay_sample
from app.verifier.verify import Options, UnreadableOption, UnreadablePack, read_note, read_vkeys
from app.verifier.verify import verify as verify_pack

UNREADABLE = 2
DEFAULT_SEED = 65


def progress_of(pack: Path) -> Path:
    """Where the progress of a verification is kept: with whoever verifies, never where the pack came from."""
    configured = os.environ.get("XDG_STATE_HOME")
    folder = (Path(configured) if configured else Path.home() / ".local" / "state") / "compute-vouchers" / "verify"
    place = pack.resolve()
    return folder / f"{sha256(os.fsencode(place)).hexdigest()[:16]}-{place.name}.json"


def verify(
    pack: Annotated[Path, typer.Argument(help="审计包：文件夹或 .tar / The pack: a folder or a .tar")],
    vkey: Annotated[
        list[str] | None,
        typer.Option(help="日志或见证方的公钥，另行取得 / Key of the log or of a witness, from elsewhere"),
    ] = None,
    vkeys: Annotated[
        list[Path] | None,
        typer.Option(help="公钥文件，每行一个，每个地区各一 / A file of keys, one a line; each region has its own"),
    ] = None,
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="此前取得的树头（文件） / A head taken earlier, a file")
    ] = None,
    receipts: Annotated[Path | None, typer.Option(help="回执，每行一条 JSON / Receipts, one JSON a line")] = None,
    replay: Annotated[int, typer.Option(help="重新计算多少笔补贴 / How many assessments to compute again", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="抽样种子，记入报告 / Seed of the sample, recorded")] = DEFAULT_SEED,
    *,
    json: Annotated[bool, typer.Option("--json", help="以 JSON 输出报告 / The report as JSON")] = False,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="不接续上次中断处 / Do not go on where it was interrupted")
    ] = False,
) -> None:
    """独立核验审计包 / Check an auditor's pack.

    状态：0 一致，1 不一致，2 无法读取。无须服务与数据库；python -m app.verifier 与此相同，且不引用本服务任何代码。
    Status: 0 right, 1 wrong, 2 cannot be read. Neither the service nor its database is needed; python -m app.verifier
    does the same with no code of the service. Only --replay uses the service's rules.
    """
    state = progress_of(pack)
    try:
        if from_start:
            state.unlink(missing_ok=True)
        notes = [read_note(path) for path in checkpoint or ()]
        keys = [*(vkey or ()), *(one for path in vkeys or () for one in read_vkeys(path))]
        options = Options(keys, notes, receipts, state)
        with counted("核验", "verifying leaves") as progress:
            report = verify_pack(pack, options, progress=progress)
        if replay:
            report.replay = replay_sample(pack, replay, seed, report.findings)
    except (UnreadablePack, UnreadableOption, OSError) as error:
        print(f"无法读取 / cannot read: {error}", file=sys.stderr)
        raise typer.Exit(UNREADABLE) from error
    except KeyboardInterrupt:
        say("已中断；重新运行即接续。", "interrupted; run again to go on")
        raise
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # an old console may not have every character
    if json:
        print(orjson.dumps(report.to_json(), option=orjson.OPT_INDENT_2).decode())
    else:
        print(report.to_text())
    raise typer.Exit(0 if report.is_right else 1)
