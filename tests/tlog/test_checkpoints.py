from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.tlog.checkpoints import Checkpoint, open_checkpoint, read_checkpoint
from app.tlog.keys import Ed25519Signer
from app.tlog.merkle import EMPTY_ROOT
from app.tlog.notes import MalformedNote, UnverifiedNote, sign

# The example of C2SP tlog-checkpoint.
TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
ROOT = bytes.fromhex("0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62")
CHECKPOINT = Checkpoint("example.com/behind-the-sofa", 20852163, ROOT)


def test_the_published_checkpoint_is_read_and_written() -> None:
    assert read_checkpoint(TEXT) == CHECKPOINT
    assert CHECKPOINT.text() == TEXT


def test_extension_lines_are_kept() -> None:
    extended = Checkpoint("vouchers.example.gov.cn/330100", 0, EMPTY_ROOT, ("一", "two"))
    assert read_checkpoint(extended.text()) == extended
    assert extended.text().endswith("一\ntwo\n")


def test_a_signed_checkpoint_is_opened_with_the_logs_key() -> None:
    log = Ed25519Signer(CHECKPOINT.origin, Ed25519PrivateKey.generate())
    note = sign(CHECKPOINT.text(), log)
    checkpoint, opened = open_checkpoint(note, [log.verifier])
    assert checkpoint == CHECKPOINT
    assert [each.name for each in opened.verified] == [CHECKPOINT.origin]
    with pytest.raises(UnverifiedNote):
        open_checkpoint(note, [Ed25519Signer(CHECKPOINT.origin, Ed25519PrivateKey.generate()).verifier])


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT[:-1],
        TEXT.replace("example.com/behind-the-sofa", ""),
        TEXT.replace("20852163", "020852163"),
        TEXT.replace("20852163", "+20852163"),
        TEXT.replace("20852163", "-1"),
        TEXT.replace("20852163", "20852163 "),
        TEXT.replace("20852163", "２０"),
        TEXT.replace("20852163", ""),
        TEXT.replace("20852163", str(2**63)),
        TEXT.replace("20852163", "9" * 5000),
        TEXT.replace("q2I=", "q2J="),
        TEXT.replace("q2I=", "q2I"),
        TEXT.replace("q2I=", ""),
        TEXT.replace("CsUY", "CsUYCsUY"),
        TEXT.replace("/Xaj", "_Xaj"),
        TEXT + "\n",
        TEXT + "one\n\ntwo\n",
        "example.com/behind-the-sofa\n20852163\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(MalformedNote):
        read_checkpoint(text)


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint("", 1, ROOT),
        Checkpoint("a\nb", 1, ROOT),
        Checkpoint("a", -1, ROOT),
        Checkpoint("a", 1, ROOT[:31]),
        Checkpoint("a", 1, ROOT, ("",)),
        Checkpoint("a", 1, ROOT, ("one\ntwo",)),
    ],
)
def test_a_checkpoint_that_would_not_read_back_is_not_written(checkpoint: Checkpoint) -> None:
    with pytest.raises(MalformedNote):
        checkpoint.text()
