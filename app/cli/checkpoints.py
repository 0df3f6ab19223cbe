"""Published checkpoints, from a file or a witness's address, as heads to hold a restored log against."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from app.cli.output import Failure
from app.kernel.regions import is_region
from app.outbound import BlockingOutbound, Network, Outbound, OutboundFailed, OutboundRefused, networks
from app.services.restoration.verdicts import Head
from app.tlog import keys
from app.tlog.checkpoints import Checkpoint, open_checkpoint, read_checkpoint
from app.tlog.notes import NoteError, Verifier, read_note

MAX_BYTES = 1_000_000


def read_heads(places: Sequence[str], vkeys: Sequence[str] = ()) -> list[Head]:
    """The head of each checkpoint. With `vkeys` each must be signed by one of these keys, else nobody's word is asked.

    Raises Failure for what cannot be read, is no checkpoint, is not signed so, or is of no region.
    """
    verifiers = [_verifier(vkey) for vkey in vkeys]
    return [_head(place, verifiers) for place in places]


def _head(place: str, verifiers: Sequence[Verifier]) -> Head:
    note = _fetch(place) if place.startswith(("https://", "http://")) else _read(Path(place))
    try:
        checkpoint = _checkpoint(note, verifiers)
    except NoteError as error:
        raise Failure(f"{place} 不是可接受的检查点：{error}", "this checkpoint cannot be accepted") from error
    region_code = checkpoint.origin.rpartition("/")[2]
    if not is_region(region_code):
        raise Failure(f"{place} 的日志名 {checkpoint.origin} 不含地区代码。", "the log's origin names no region")
    return Head(region_code, checkpoint.origin, checkpoint.size, checkpoint.root)


def _checkpoint(note: bytes, verifiers: Sequence[Verifier]) -> Checkpoint:
    if verifiers:
        return open_checkpoint(note, verifiers)[0]
    return read_checkpoint(read_note(note)[0])


def _verifier(vkey: str) -> Verifier:
    try:
        return keys.verifier(vkey)
    except ValueError as error:
        raise Failure(f"{vkey} 不是公钥（vkey）：{error}", "this is no verifier key") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failure(f"无法读取检查点 {path}：{error.strerror}", f"cannot read {path}") from error


def _fetch(url: str) -> bytes:
    try:
        outbound = Outbound([urlsplit(url).netloc], allowed=_allowed(), max_bytes=MAX_BYTES)
        with BlockingOutbound(outbound) as blocking:
            answer = blocking.call("GET", url)
    except (OutboundRefused, OutboundFailed, ValueError) as error:
        raise Failure(f"无法取得检查点 {url}：{error}", "cannot fetch the checkpoint") from error
    if answer.status != 200:
        raise Failure(f"无法取得检查点 {url}：状态 {answer.status}", "cannot fetch the checkpoint")
    return answer.body


def _allowed() -> tuple[Network, ...]:
    return networks(os.environ.get("VOUCHER_OUTBOUND_NETWORKS", "").replace(",", " "))
