"""A witness's key, and the list of the logs that it may witness."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.tlog.keys import Cosigner, Ed25519Verifier, cosigner, verifier
from app.tlog.notes import Verifier
from app.witness.faults import WitnessFault
from app.witness.memory import Memory, begin_memory, open_memory, write_durably
from app.witness.submissions import Logs

KEY = "witness.key"


def open_witness(folder: Path, name: str | None) -> tuple[Cosigner, Memory]:
    """The witness that lives in the (locked) folder; at its first start its key is made under `name`.

    Raises WitnessFault where the key is damaged, has another name or is to be made without one, and where the memory
    is damaged or lost.
    """
    path = folder / KEY
    if not path.exists():
        if name is None:
            raise WitnessFault("新的见证方须以 --name 命名。", "a new witness needs a name: --name")
        try:
            made = Cosigner(name, Ed25519PrivateKey.generate())
            written = made.skey
        except ValueError as error:
            raise WitnessFault(
                "见证方名称不得含空格或加号。", "a witness's name has neither spaces nor plus signs"
            ) from error
        begin_memory(folder)  # before the key: a key without a memory means that the memory was lost
        write_durably(path, written + "\n")
    try:
        key = cosigner(path.read_text(encoding="utf-8").removesuffix("\n"))
    except ValueError as error:
        raise WitnessFault("见证方的密钥已损坏。", "the witness's key is damaged") from error
    if name not in {None, key.name}:
        raise WitnessFault(f"该目录的见证方名为 {key.name}。", f"this folder's witness is called {key.name}")
    return key, open_memory(folder)


def read_logs(vkeys: Iterable[str]) -> Logs:
    """The logs by their keys, whose names are their origins. Empty lines and `#` comments are passed by.

    Raises WitnessFault, which names the key.
    """
    logs: dict[str, list[Verifier]] = {}
    for line in vkeys:
        vkey = line.strip()
        if not vkey or vkey.startswith("#"):
            continue
        try:
            key = verifier(vkey)
        except ValueError as error:
            said = vkey.partition("+")[0]  # no more of it: somebody may have taken the private key for the public one
            raise WitnessFault(f"日志公钥无法识别：{said}", f"this is no public key of a log: {error}") from error
        if not isinstance(key, Ed25519Verifier):
            raise WitnessFault(f"这是见证方的公钥，不是日志的：{key.name}", "this is a witness's key, not a log's")
        logs.setdefault(key.name, []).append(key)
    return logs
