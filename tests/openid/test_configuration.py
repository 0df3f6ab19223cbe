"""The file of providers: what the operator is told when it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.openid import NotConfigured, load_providers

GOOD = """
[[provider]]
id = "zwfw"
name_zh = "政务服务"
name_en = "Government services"
issuer = "https://login.example.gov.cn/realm"
client_id = "us"
client_secret_file = "zwfw.secret"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "zwfw.secret").write_text("s3cret\n")
    return tmp_path / "providers.toml"


def test_a_provider_is_read_with_its_secret_from_beside_the_file(file: Path) -> None:
    file.write_text(GOOD + 'hosts = ["keys.example.gov.cn:8443"]\n')
    (only,) = load_providers(file)
    assert (only.id, only.secret, only.name("zh"), only.name("en")) == (
        "zwfw",
        "s3cret",
        "政务服务",
        "Government services",
    )
    assert only.allowed_hosts == {"login.example.gov.cn", "keys.example.gov.cn:8443"}
    assert only.algorithms == ("RS256", "PS256", "ES256", "EdDSA")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("not toml at all", "not TOML"),
        ("x = 1", "[[provider]] tables and nothing else"),
        (GOOD.replace("https://", "http://"), "https address"),
        (GOOD.replace("https://", "https://user:pw@"), "https address"),
        (GOOD.replace('id = "zwfw"', 'id = "政务"'), "id"),
        (GOOD + 'algorithms = ["HS256"]\n', "algorithms"),
        (GOOD + 'algorithms = ["none"]\n', "algorithms"),
        (GOOD + "algorithms = []\n", "algorithms must have one"),
        (GOOD + 'scopes = ["profile"]\n', "scopes must have openid"),
        (GOOD + 'isuer = "https://x"\n', "isuer"),
        (GOOD + 'private_key_file = "key.pem"\n', "one of them"),
        (GOOD.replace('client_secret_file = "zwfw.secret"', ""), "one of them"),
        (GOOD.replace("zwfw.secret", "missing.secret"), "missing.secret: cannot be read"),
        (GOOD.replace('client_secret_file = "zwfw.secret"', 'private_key_file = "zwfw.secret"'), "no private key"),
        (GOOD + GOOD, "given more than once: zwfw"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(file: Path, text: str, told: str) -> None:
    file.write_text(text)
    with pytest.raises(NotConfigured) as refused:
        load_providers(file)
    assert told in str(refused.value)
    assert "s3cret" not in str(refused.value)
