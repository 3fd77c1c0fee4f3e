from pathlib import Path

import pytest

from disputes.errors import ConfigurationError, NotFound
from disputes.gateway.entities import load_entities, one_entity

TEST_HOST = "https://eu-test.oppwa.com"
GOOD = f"""
[merchants.M-1]
entity_id = "8a8294174b7ecb28014b9699220015ca"
url = "{TEST_HOST}/"
token_env = "TOKEN_M1"
acquirer = "elavon"
test_mode = "EXTERNAL"
query_version = 3
queries_per_minute = 60

[merchants.M-2]
entity_id = "8a8294174b7ecb28014b9699220015cb"
url = "{TEST_HOST}"
token = "token-of-m2"

[merchants."M.3"]
entity_id = "8a8294174b7ecb28014b9699220015cb"
url = "{TEST_HOST}"
token = "token-of-m2"
"""


def _file(folder: Path, text: str) -> Path:
    path = folder / "entities.toml"
    path.write_text(text, "utf-8")
    return path


def test_each_merchant_has_its_entity_and_shared_ones_are_asked_once(tmp_path: Path) -> None:
    entities = load_entities(_file(tmp_path, GOOD), {"TOKEN_M1": "token-of-m1"})
    first = entities.of("M-1")
    assert first.token.get_secret_value() == "token-of-m1"
    assert (first.base_url, first.acquirer, first.test_mode) == (TEST_HOST, "elavon", "EXTERNAL")
    assert (first.query_version, first.queries_per_minute) == (3, 60)
    assert entities.of("M.3") == entities.of("M-2")
    second = entities.of("M-2")
    assert (second.acquirer, second.query_version, second.queries_per_minute) == (
        "default",
        1,
        None,
    )
    assert [entity.id[-2:] for entity in entities.all] == ["ca", "cb"]
    with pytest.raises(NotFound):
        entities.of("M-4")


def test_one_merchants_settings_serve_every_merchant() -> None:
    entities = one_entity("http://127.0.0.1:8080", "sandbox", "sandbox", "INTERNAL")
    assert entities.of("anyone") is entities.of("M-1")
    assert entities.all == (entities.of("M-1"),)


@pytest.mark.parametrize(
    ("line", "replaced", "named"),
    [
        ('entity_id = "8a8294174b7ecb28014b9699220015ca"', "", "merchants.M-1.entity_id"),
        ('acquirer = "elavon"', 'aquirer = "elavon"', "merchants.M-1.aquirer"),
        ('test_mode = "EXTERNAL"', 'test_mode = "external"', "merchants.M-1.test_mode"),
        ("query_version = 3", "query_version = 2", "merchants.M-1.query_version"),
        ("queries_per_minute = 60", "queries_per_minute = 0", "merchants.M-1.queries_per_minute"),
        (f'url = "{TEST_HOST}/"', 'url = "http://eu-test.oppwa.com"', "merchants.M-1.url"),
        (f'url = "{TEST_HOST}/"', 'url = "https://u:p@eu-test.oppwa.com"', "merchants.M-1.url"),
        (f'url = "{TEST_HOST}/"', 'url = "https://eu-prod.oppwa.com"', "live host"),
        ('token_env = "TOKEN_M1"', "", "either token or token_env"),
        ('token_env = "TOKEN_M1"', 'token_env = "ABSENT"', "merchants.M-1.token_env"),
        ('token_env = "TOKEN_M1"', 'token = "hush\\nhush"', "merchants.M-1.token"),
        ("[merchants.M-1]", '[merchants."M 1"]', "not a merchant id"),
        ("[merchants.M-1]", "[merchant.M-1]", "tables only"),
        ("[merchants.M-2]", "[merchants.M-1]", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_name_and_without_its_secrets(
    tmp_path: Path, line: str, replaced: str, named: str
) -> None:
    path = _file(tmp_path, GOOD.replace(line, replaced, 1))
    with pytest.raises(ConfigurationError) as refused:
        load_entities(path, {"TOKEN_M1": "token-of-m1"})
    assert named in str(refused.value)
    assert not any(secret in str(refused.value) for secret in ("token-of", "hush", "u:p"))


def test_every_problem_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("elavon", "two words").replace('token = "token-of-m2"', "", 1)
    with pytest.raises(ConfigurationError, match=r"M-1\.acquirer: .*M-2: needs") as refused:
        load_entities(_file(tmp_path, text), {"TOKEN_M1": "token-of-m1"})
    assert "two words" not in str(refused.value)


def test_a_missing_file_is_named_by_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="DISPUTES_ENTITIES_FILE"):
        load_entities(tmp_path / "absent.toml", {})


def test_wrong_settings_of_the_one_merchant_are_named() -> None:
    with pytest.raises(ConfigurationError, match="DISPUTES_GATEWAY_URL") as refused:
        one_entity("ftp://gateway", "sandbox", "top secret")
    assert "DISPUTES_GATEWAY_TOKEN" in str(refused.value)
    assert "top secret" not in str(refused.value)
