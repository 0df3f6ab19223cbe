"""`python -m app.verifier PACK`: the verifier without the service's command line."""

from __future__ import annotations

import argparse
import sys
from io import TextIOWrapper
from pathlib import Path

from msgspec import json

from app.verifier.verify import Options, UnreadableOption, UnreadablePack, read_note, read_vkeys, verify


def main(arguments: list[str] | None = None) -> int:
    """0 where all is right, 1 where something is wrong, 2 where the pack or an option cannot be read."""
    parser = argparse.ArgumentParser(prog="app.verifier", description="核验审计包 / Verify an auditor's pack.")
    parser.add_argument("pack", type=Path)
    parser.add_argument("--vkey", action="append", default=[], help="公钥文本 / a key in its text form")
    parser.add_argument(
        "--vkeys", action="append", default=[], type=Path, help="公钥文件，每行一个 / keys, one a line of a file"
    )
    parser.add_argument("--checkpoint", action="append", default=[], type=Path, help="此前取得的树头 / an earlier head")
    parser.add_argument("--receipts", type=Path, help="回执，每行一条 JSON / receipts, JSON lines")
    parser.add_argument("--json", action="store_true", help="以 JSON 输出 / the report as JSON")
    given = parser.parse_args(arguments)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # an old console may not have every character
    try:
        notes = [read_note(path) for path in given.checkpoint]
        vkeys = [*given.vkey, *(vkey for path in given.vkeys for vkey in read_vkeys(path))]
        report = verify(given.pack, Options(vkeys, notes, given.receipts), progress=_show)
    except (UnreadablePack, UnreadableOption, OSError) as error:
        sys.stderr.write(f"无法读取 / cannot read: {error}\n")
        return 2
    written = json.format(json.encode(report.to_json()), indent=2).decode() if given.json else report.to_text()
    sys.stdout.write(written + "\n")
    return 0 if report.is_right else 1


def _show(done: int, total: int) -> None:
    sys.stderr.write(f"{done}/{total}\n")


if __name__ == "__main__":
    sys.exit(main())
