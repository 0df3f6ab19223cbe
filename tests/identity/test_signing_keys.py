from __future__ import annotations

import stat
import subprocess
import sys
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.services.identity.signing_keys import SigningKeys, add_key

START = "from pathlib import Path; import sys; from app.services.identity.signing_keys import SigningKeys;\
 print(SigningKeys.load_or_create(Path(sys.argv[1])).current_kid)"


def test_the_key_and_its_folder_are_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "keys"
    keys = SigningKeys.load_or_create(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / f"{keys.current_kid}.pem").stat().st_mode) == 0o600


def test_a_second_start_signs_with_the_same_key(tmp_path: Path) -> None:
    assert SigningKeys.load_or_create(tmp_path).current_kid == SigningKeys.load_or_create(tmp_path).current_kid


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    started = [
        subprocess.Popen([sys.executable, "-c", START, str(folder)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert len({process.communicate(timeout=60)[0] for process in started}) == 1
    assert all(process.returncode == 0 for process in started)
    assert len(list(folder.glob("*.pem"))) == 1


def test_the_newest_key_signs(tmp_path: Path) -> None:
    SigningKeys.load_or_create(tmp_path)
    newest = [add_key(tmp_path) for _ in range(3)][-1]
    assert SigningKeys.load_or_create(tmp_path).current_kid == newest


def test_the_key_set_holds_public_keys_and_nothing_else(tmp_path: Path) -> None:
    keys = SigningKeys.load_or_create(tmp_path)
    (shown,) = keys.jwks()["keys"]
    raw = urlsafe_b64decode(shown.pop("x") + "=")
    assert shown == {"kty": "OKP", "crv": "Ed25519", "kid": keys.current_kid, "use": "sig", "alg": "EdDSA"}
    expected = keys.current[1].public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    assert Ed25519PublicKey.from_public_bytes(raw).public_bytes_raw() == expected


def test_a_removed_key_no_longer_verifies_after_a_restart(tmp_path: Path) -> None:
    old = SigningKeys.load_or_create(tmp_path).current_kid
    add_key(tmp_path)
    (tmp_path / f"{old}.pem").unlink()
    assert SigningKeys.load_or_create(tmp_path).public(old) is None


def test_a_key_of_another_kind_is_no_signing_key(tmp_path: Path) -> None:
    kid = add_key(tmp_path)
    pem = Ed448PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / f"{kid}.pem").write_bytes(pem)
    with pytest.raises(TypeError, match="not an Ed25519 key"):
        SigningKeys.load_or_create(tmp_path)


def test_the_key_that_signs_is_the_one_that_is_named(tmp_path: Path) -> None:
    """A look at the folder in between must not let one key sign under the other's name."""
    instant = 0.0
    keys = SigningKeys(_with_a_key(tmp_path), timer=lambda: instant)
    kid, key = keys.current
    newer = add_key(tmp_path)
    instant = 6.0
    named, signing = keys.current
    assert (named, kid) == (newer, keys.kids()[1])
    assert keys.public(named) == signing.public_key()
    assert keys.public(kid) == key.public_key()


def _with_a_key(folder: Path) -> Path:
    add_key(folder)
    return folder
