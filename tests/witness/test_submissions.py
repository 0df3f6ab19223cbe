from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.tlog.keys import Ed25519Signer
from app.tlog.merkle import EMPTY_ROOT, leaf_hash
from app.tlog.notes import sign
from app.witness.submissions import Head, Reason, Refused, judge, read_submission
from tests.witness.logs import Log, submission

LOG = Log("vouchers.example.gov.cn/330100")
KEYS = {LOG.origin: [LOG.key.verifier]}


def reason(body: bytes, remembered: Head | None = None) -> Reason | None:
    """Why a witness that remembers this would not sign; None where it would."""
    try:
        judge(read_submission(body, KEYS), remembered or Head())
    except Refused as refusal:
        return refusal.reason
    return None


def head(size: int) -> Head:
    return Head(size, LOG.root(size), LOG.note(size))


def test_the_first_checkpoint_and_every_continuation_are_signed() -> None:
    assert reason(LOG.submission(0, 7)) is None
    for old, size in [(7, 8), (7, 100), (7, 7), (64, 65), (0, 0)]:
        assert reason(LOG.submission(old, size), head(old)) is None, (old, size)


def test_what_is_remembered_is_the_logs_note_without_strangers_signatures() -> None:
    stranger = Ed25519Signer("stranger", Ed25519PrivateKey.generate())
    note = sign(LOG.checkpoint(7), stranger, LOG.key)
    assert read_submission(submission(0, [], note), KEYS).head == head(7)


def test_another_old_size_is_told_before_the_proof_is_looked_at() -> None:
    assert reason(LOG.submission(0, 7), head(5)) is Reason.OTHER_OLD_SIZE
    assert reason(LOG.submission(5, 7)) is Reason.OTHER_OLD_SIZE
    assert reason(LOG.submission(5, 5), head(7)) is Reason.OTHER_OLD_SIZE


def test_a_shrunken_log_is_refused() -> None:
    assert reason(LOG.submission(7, 5), head(7)) is Reason.SMALLER_THAN_OLD


def test_another_root_of_the_same_size_is_a_fork() -> None:
    assert reason(LOG.forked_at(3).submission(7, 7), head(7)) is Reason.FORKED
    empty = sign(f"{LOG.origin}\n0\n{LOG.checkpoint(1).splitlines()[2]}\n", LOG.key)
    assert reason(submission(0, [], empty)) is Reason.FORKED


def test_a_fork_that_has_grown_finds_no_proof() -> None:
    fork = LOG.forked_at(3)
    assert reason(fork.submission(7, 20), head(7)) is Reason.INCONSISTENT
    assert reason(submission(7, LOG.proof(7, 20), fork.note(20)), head(7)) is Reason.INCONSISTENT


def test_proofs_that_prove_nothing_are_refused() -> None:
    good = LOG.proof(7, 20)
    for proof in ([], good[:-1], [*good, good[0]], good[::-1], [leaf_hash(value) for value in good], [EMPTY_ROOT] * 63):
        assert reason(submission(7, proof, LOG.note(20)), head(7)) is Reason.INCONSISTENT
    assert reason(submission(0, good, LOG.note(20))) is Reason.INCONSISTENT
    assert reason(submission(7, good, LOG.note(7)), head(7)) is Reason.INCONSISTENT


def test_unknown_logs_and_unknown_keys_are_told_apart() -> None:
    assert reason(Log("vouchers.example.gov.cn/330200").submission(0, 7)) is Reason.UNKNOWN_ORIGIN
    other_key = Log(LOG.origin)
    assert reason(other_key.submission(0, 7)) is Reason.UNSIGNED
    assert reason(LOG.submission(0, 7).replace(b"\n7\n", b"\n8\n")) is Reason.UNSIGNED


def test_a_log_signs_with_either_key_while_it_changes_them() -> None:
    successor = Log(LOG.origin)
    keys = {LOG.origin: [LOG.key.verifier, successor.key.verifier]}
    for each in (LOG, successor):
        assert read_submission(each.submission(0, 7), keys).checkpoint.size == 7
    with pytest.raises(Refused):
        read_submission(successor.submission(0, 7), KEYS)


GOOD = LOG.submission(7, 20)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"old 7",
        b"old 7\n\n",
        GOOD.replace(b"old 7", b"old 07"),
        GOOD.replace(b"old 7", b"old  7"),
        GOOD.replace(b"old 7", b"old -7"),
        GOOD.replace(b"old 7", b"old 7 "),
        GOOD.replace(b"old 7", b"OLD 7"),
        GOOD.replace(b"old 7", "old ７".encode()),
        GOOD.replace(b"old 7", b"old " + b"9" * 6000),
        GOOD.replace(b"old 7\n", b""),
        GOOD.replace(b"old 7\n", b"old 7\n\n"),
        GOOD.replace(b"old 7\n", b"old 7\r\n"),
        GOOD.replace(b"old 7\n", b"old 7\nQUJD\n"),
        GOOD.replace(b"=\n", b"\n", 1),
        GOOD[:-1],
        GOOD + b"\n",
        GOOD + b"more\n",
        GOOD.replace(b"\n20\n", b"\n020\n"),
        b"\xff" + GOOD,
        GOOD.replace(LOG.origin.encode(), b"\xff"),
        submission(7, [EMPTY_ROOT] * 64, LOG.note(20)),
        submission(7, LOG.proof(7, 20), LOG.checkpoint(20)),
    ],
    ids=range(24),
)
def test_what_is_no_submission_is_malformed(body: bytes) -> None:
    assert body != GOOD
    assert reason(body, head(7)) is Reason.MALFORMED
