from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.tlog.keys import Cosigner
from app.tlog.merkle import EMPTY_ROOT
from app.witness.faults import WitnessFault
from app.witness.keeping import KEY, open_witness, read_logs
from app.witness.memory import HEADS, locked_folder
from app.witness.submissions import Head
from tests.witness.logs import Log

NAME = "audit.example.gov.cn/witness"
LOG = Log("vouchers.example.gov.cn/330100")
HEAD = Head(7, LOG.root(7), LOG.note(7))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a witness that has signed one checkpoint."""
    _, memory = open_witness(tmp_path, NAME)
    with memory.held():
        memory.remember(LOG.origin, HEAD)
    return tmp_path


def refused(folder: Path, name: str | None, said: str) -> None:
    with pytest.raises(WitnessFault, match=said):
        open_witness(folder, name)


def test_key_and_memory_are_found_again(folder: Path) -> None:
    first, _ = open_witness(folder, NAME)
    again, memory = open_witness(folder, None)
    assert again.verifier == first.verifier
    with memory.held():
        assert memory.head(LOG.origin) == HEAD
        assert memory.head("another") == Head()
    assert sorted(path.name for path in folder.iterdir()) == [HEADS, KEY]


def test_a_witness_keeps_its_name(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    refused(folder, "another", "is called audit.example.gov.cn/witness")
    new = tmp_path_factory.mktemp("new")
    refused(new, None, "needs a name")
    refused(new, "two words", "neither spaces nor plus signs")
    assert not (new / KEY).exists()


def test_a_lost_or_damaged_memory_is_not_begun_anew(folder: Path) -> None:
    heads = folder / HEADS
    for damaged in ("", "{", "[]", '{"v": 1}', '{"v": 2, "logs": {}}', '{"v": 1, "logs": {"a": {}}}'):
        heads.write_text(damaged, encoding="utf-8")
        refused(folder, None, "the memory is damaged|another version")
    heads.unlink()
    refused(folder, None, "the memory is gone")


@pytest.mark.parametrize(
    ("told", "instead"),
    [
        ('"size": 7', '"size": 6'),
        ('"size": 7', '"size": 0'),
        ('"size": 7', '"size": "7"'),
        (HEAD.root.hex(), LOG.root(6).hex()),
        (f'"{LOG.origin}": {{', '"vouchers.example.gov.cn/330200": {'),
        ("\\n7\\n", "\\n0\\n"),
    ],
)
def test_a_head_that_is_not_its_checkpoints_is_damage(told: str, instead: str, folder: Path) -> None:
    """An earlier tree, or the empty one, in place of the newest would let a second history be signed."""
    heads = folder / HEADS
    written = heads.read_text(encoding="utf-8")
    assert told in written
    heads.write_text(written.replace(told, instead), encoding="utf-8")
    refused(folder, None, "the memory is damaged")


def test_of_a_memory_shrunk_in_every_place_nothing_is_signed(folder: Path) -> None:
    heads = folder / HEADS
    kept = json.loads(heads.read_text(encoding="utf-8"))
    kept["logs"][LOG.origin] |= {"size": 0, "root": EMPTY_ROOT.hex()}
    heads.write_text(json.dumps(kept), encoding="utf-8")
    refused(folder, None, "the memory is damaged")


def test_a_first_start_that_was_cut_off_is_taken_up(tmp_path: Path) -> None:
    open_witness(tmp_path, NAME)
    (tmp_path / KEY).unlink()  # as if killed between the memory and the key
    open_witness(tmp_path, NAME)


def test_a_memory_without_its_key_is_not_given_a_new_one(folder: Path) -> None:
    (folder / KEY).unlink()
    refused(folder, NAME, "the key is gone")


def test_a_damaged_key_is_refused(folder: Path) -> None:
    (folder / KEY).write_text("PRIVATE+KEY+x", encoding="utf-8")
    refused(folder, None, "key is damaged")


def test_what_cannot_be_written_is_not_remembered(folder: Path) -> None:
    _, memory = open_witness(folder, None)
    moved = folder.rename(folder.with_name("moved"))
    with memory.held():
        with pytest.raises(FileNotFoundError):
            memory.remember(LOG.origin, Head(8, LOG.root(8), LOG.note(8)))
        assert memory.head(LOG.origin) == HEAD
    assert open_witness(moved, None)


def test_a_folder_serves_one_at_a_time(folder: Path) -> None:
    with locked_folder(folder), pytest.raises(WitnessFault, match="another witness"), locked_folder(folder):
        pass
    with locked_folder(folder):
        pass


def test_logs_are_listed_one_a_line() -> None:
    other = Log("vouchers.example.gov.cn/330200")
    successor = Log(LOG.origin)
    logs = read_logs(["# 日志", "", f"  {LOG.vkey}\n", other.vkey, successor.vkey])
    assert logs == {
        LOG.origin: [LOG.key.verifier, successor.key.verifier],
        other.origin: [other.key.verifier],
    }


def test_what_is_no_logs_key_is_refused() -> None:
    witness = Cosigner(NAME, Ed25519PrivateKey.generate())
    for line in ("vouchers", LOG.vkey[:-1], LOG.key.skey, witness.verifier.vkey):
        with pytest.raises(WitnessFault) as fault:
            read_logs([line])
        assert LOG.key.skey[-20:] not in str(fault.value)
