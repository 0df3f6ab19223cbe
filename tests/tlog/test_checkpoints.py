from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.tlog.checkpoints import Checkpoint, open_checkpoint, read_checkpoint
from app.tlog.keys import Ed25519Signer, timestamp_s, verifier
from app.tlog.merkle import EMPTY_ROOT
from app.tlog.notes import InvalidSignature, MalformedNote, UnverifiedNote, sign

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


# What public logs have published: Go's checksum database, and a Certificate Transparency log with its witnesses.
GO = """go.sum database tree
15067302
gJyioq6dwR9n+NjEWORfYmH+ubeYm3kH42BBQ0bTpYI=

— sum.golang.org Az3grp1rvWOs5NKlr/xR4GLN/CDyzzakmt1o61uSxYKpK1SerqOP2ClbX/peKUZjYnyomH5Xz7GZG3TpB7OeKn4E2ww=
"""
GO_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
ARCHE = """arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
"""  # noqa: E501 - signatures stay in one piece
ARCHE_KEY = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
REMORA_KEY = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"


def test_the_checkpoint_of_gos_checksum_database_is_opened_with_its_key() -> None:
    checkpoint, opened = open_checkpoint(GO, [verifier(GO_KEY)])
    assert (checkpoint.origin, checkpoint.size) == ("go.sum database tree", 15_067_302)
    assert [line.name for line in opened.verified] == ["sum.golang.org"]


def test_a_public_logs_checkpoint_is_opened_with_its_key_and_its_witnesss() -> None:
    checkpoint, opened = open_checkpoint(ARCHE, [verifier(ARCHE_KEY), verifier(REMORA_KEY)])
    assert checkpoint.size == 1_432_088_532
    log, witness = opened.verified
    assert (log.name, witness.name) == (checkpoint.origin, "remora.n621.de")
    assert timestamp_s(witness) == 0x6A122120
    with pytest.raises(InvalidSignature):
        open_checkpoint(ARCHE.replace("1432088532", "1432088533"), [verifier(REMORA_KEY)])
