from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.tlog.keys import CosignatureVerifier, Cosigner, Ed25519Signer, cosigner, signer, timestamp_s, verifier
from app.tlog.notes import (
    InvalidSignature,
    MalformedNote,
    NoteError,
    UnverifiedNote,
    Verifier,
    open_note,
    read_signatures,
    sign,
    signature_by,
)

# The vectors of golang.org/x/mod/sumdb/note (note_test.go).
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
NOTE = f"{TEXT}\n{PETER_LINE}{ENOCH_LINE}"


def known(*vkeys: str) -> list[Verifier]:
    return [verifier(vkey) for vkey in vkeys]


def names(note: str | bytes, *vkeys: str) -> tuple[list[str], list[str]]:
    opened = open_note(note, known(*vkeys))
    assert opened.text == TEXT
    return [each.name for each in opened.verified], [each.name for each in opened.others]


def test_the_published_key_signs_the_published_note() -> None:
    key = signer(PETER_PRIVATE)
    assert sign(TEXT, key) == f"{TEXT}\n{PETER_LINE}"
    assert (key.verifier.vkey, key.skey) == (PETER, PETER_PRIVATE)


def test_known_signatures_are_checked_and_unknown_ones_passed_by() -> None:
    assert names(NOTE, PETER) == (["PeterNeumann"], ["EnochRoot"])
    assert names(NOTE.encode(), PETER, ENOCH) == (["PeterNeumann", "EnochRoot"], [])


def test_a_note_of_nobody_known_is_refused() -> None:
    with pytest.raises(UnverifiedNote):
        open_note(NOTE, [])


def test_a_known_keys_false_signature_spoils_the_note() -> None:
    altered = NOTE.replace("answer", "Answer")
    with pytest.raises(InvalidSignature):
        open_note(altered, known(PETER))
    with pytest.raises(InvalidSignature):
        open_note(NOTE.replace("rwz+eBzm", "rwz+eBzn"), known(PETER, ENOCH))


def test_a_signature_with_another_key_id_or_name_is_of_an_unknown_key() -> None:
    for line in (PETER_LINE.replace("x08g", "x08h"), PETER_LINE.replace("PeterNeumann", "CarmenSandiego")):
        with pytest.raises(UnverifiedNote):
            open_note(f"{TEXT}\n{line}", known(PETER))


def test_a_second_signature_of_a_key_is_ignored() -> None:
    assert names(f"{TEXT}\n{PETER_LINE}{PETER_LINE}{ENOCH_LINE}{ENOCH_LINE}", PETER) == (
        ["PeterNeumann"],
        ["EnochRoot"],
    )


def test_a_text_may_hold_blank_lines() -> None:
    key = signer(PETER_PRIVATE)
    assert open_note(sign("one\n\ntwo\n", key), [key.verifier]).text == "one\n\ntwo\n"


def test_sixteen_signatures_are_read_and_a_hundred_and_one_are_not() -> None:
    keys = [Ed25519Signer(f"key{number}", Ed25519PrivateKey.generate()) for number in range(16)]
    assert len(open_note(sign(TEXT, *keys), [key.verifier for key in keys]).verified) == 16
    with pytest.raises(MalformedNote):
        open_note(f"{TEXT}\n{PETER_LINE * 101}", known(PETER))


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        "\n\n",
        TEXT,
        TEXT + "\n",
        f"{TEXT}\n{PETER_LINE[:-1]}",
        f"\x01{TEXT}\n{PETER_LINE}",
        f"{TEXT[:-1]}\r\n\n{PETER_LINE}",
        f"{TEXT}\n{PETER_LINE}Unexpected line.\n",
        f"{TEXT}\n{PETER_LINE}\n",
        f"{TEXT}\n{PETER_LINE.replace('PeterNeumann', 'Bad Name')}",
        f"{TEXT}\n{PETER_LINE.replace('PeterNeumann', 'Bad+Name')}",
        f"{TEXT}\n{PETER_LINE.replace('PeterNeumann', 'Bad　Name')}",
        f"{TEXT}\n{PETER_LINE.replace('PeterNeumann', 'Bad' + chr(9) + 'Name')}",
        f"{TEXT}\n{PETER_LINE.replace('PeterNeumann ', '')}",
        f"{TEXT}\n{PETER_LINE.replace('—', '-')}",
        f"{TEXT}\n— PeterNeumann x08gow==\n",
        f"{TEXT}\n{PETER_LINE.replace('JnAM=', 'JnAN=')}",
        f"{TEXT}\n{PETER_LINE.replace('JnAM=', 'JnAM')}",
        f"{TEXT}\n{PETER_LINE.replace('/', '_')}",
        f"{TEXT}\n{PETER_LINE.replace('AM=', 'AM= ')}",
        f"{TEXT}\ud800\n{PETER_LINE}",
        TEXT * 11_000 + "\n" + PETER_LINE,
    ],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(MalformedNote):
        open_note(note, known(PETER))


def test_bytes_outside_utf8_are_no_note() -> None:
    with pytest.raises(MalformedNote):
        open_note(b"\xff" + NOTE.encode(), known(PETER))


def test_a_text_that_would_not_read_back_is_not_signed() -> None:
    key = signer(PETER_PRIVATE)
    for text in ("abc", "", "a\tb\n", "a\r\n"):
        with pytest.raises(MalformedNote):
            sign(text, key)
    with pytest.raises(MalformedNote):
        sign(TEXT, Ed25519Signer("bad name", key.private))


def test_every_mangling_of_a_key_is_refused() -> None:
    for text, read in ((PETER, verifier), (PETER_PRIVATE, signer)):
        parts = {text[start:end] for start in range(len(text)) for end in range(start, len(text) + 1)} - {text}
        parts |= {text[:at] + chr(ord(text[at]) + 1) + text[at + 1 :] for at in range(len(text))}
        parts.add(text.replace("c74f20a3", "C74F20A3"))
        for part in parts:
            with pytest.raises(ValueError) as refusal:  # noqa: PT011
                read(part)
            assert text[-20:] not in str(refusal.value)


@pytest.mark.parametrize(
    "vkey",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",  # too long, the id fits
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",  # unknown type, the id fits
    ],
)
def test_keys_of_other_lengths_and_types_are_refused(vkey: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        verifier(vkey)


# The example of C2SP tlog-cosignature; its key is not published, so only its shape and time can be read.
COSIGNED = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
"""
W1_LINE = (
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)


def test_the_published_cosignature_says_its_time() -> None:
    (found,) = read_signatures(W1_LINE)
    assert (found.name, found.key_id.hex(), timestamp_s(found)) == (
        "witness.example.com/w1",
        "8d66cf3f",
        1679315147,
    )
    assert found.line() == W1_LINE


def test_a_witness_signs_the_time_and_the_text() -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    key = Cosigner("witness.example.com/w1", private)
    line = signature_by(key.at(1679315147), COSIGNED)
    message = b"cosignature/v1\ntime 1679315147\n" + COSIGNED.encode()
    assert line.signature == bytes.fromhex("00000000641850cb") + private.sign(message)
    read = verifier(key.verifier.vkey)
    assert read == key.verifier
    assert isinstance(read, CosignatureVerifier)
    assert cosigner(key.skey).verifier == key.verifier
    opened = open_note(f"{COSIGNED}\n{line.line()}", [read])
    assert [timestamp_s(each) for each in opened.verified] == [1679315147]


def test_a_cosignature_with_another_time_or_a_broken_one_is_refused() -> None:
    key = Cosigner("w", Ed25519PrivateKey.generate())
    good = signature_by(key.at(1679315147), COSIGNED).signature
    later = (1679315148).to_bytes(8) + good[8:]
    for bad in (later, good[:8], good[:7], good + b"x", b"\xff" * 8 + good[8:]):
        assert not key.verifier.verify(COSIGNED.encode(), bad)


def test_one_key_signs_no_two_kinds_of_statement() -> None:
    private = Ed25519PrivateKey.generate()
    witness, log = Cosigner("n", private), Ed25519Signer("n", private)
    assert witness.verifier.key_id != log.key_id
    with pytest.raises(NoteError):
        open_note(sign(COSIGNED, log), [witness.verifier])
    with pytest.raises(ValueError, match="id"):
        cosigner(log.skey)
