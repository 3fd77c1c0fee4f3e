"""Settings are checked once, all at once, and never shown."""

import pytest

from disputes.errors import ConfigurationError
from disputes.settings import Settings

MERCHANT = {
    "DISPUTES_GATEWAY_URL": "https://test.gateway.example/",
    "DISPUTES_GATEWAY_ENTITY_ID": "8a8294174b7ecb28014b9699220015ca",
    "DISPUTES_GATEWAY_TOKEN": "T0PS3CRET",
}


def _refusal(env: dict[str, str], *, needs_gateway: bool = False) -> str:
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_env(env, needs_gateway=needs_gateway)
    return str(refused.value)


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    settings = Settings.from_env({"HOME": "/root", "TEMPORAL_ADDRESS": "elsewhere:7233"})
    assert settings.task_queue == "disputes"
    assert settings.database_url.startswith("sqlite:///")
    assert settings.gateway_timeout_s == 30
    assert settings.gateway_query_interval_s == 30
    assert settings.gateway_settle_window_s == 120
    assert settings.gateway_url is None
    assert settings.policy_file is None


def test_one_merchant_is_named_by_three_settings() -> None:
    settings = Settings.from_env({**MERCHANT, "DISPUTES_GATEWAY_TEST_MODE": "EXTERNAL"})
    assert settings.gateway_url == "https://test.gateway.example"
    assert settings.gateway_token is not None
    assert settings.gateway_token.get_secret_value() == "T0PS3CRET"
    assert settings.gateway_test_mode == "EXTERNAL"


def test_secrets_are_not_shown() -> None:
    database = "postgresql://engine:hunter2@db.example/disputes"
    shown = repr(Settings.from_env({**MERCHANT, "DISPUTES_DATABASE_URL": database}))
    assert "T0PS3CRET" not in shown
    assert "hunter2" not in shown


def test_every_bad_setting_is_named_at_once_without_its_value() -> None:
    message = _refusal(
        {
            **MERCHANT,
            "DISPUTES_GATEWAY_TOKEN": "",
            "DISPUTES_GATEWAY_URL": "ftp://sn34ky.example",
            "DISPUTES_GATEWAY_TEST_MODE": "SOMETIMES",
            "DISPUTES_GATEWAY_TIMEOUT_S": "soon",
            "DISPUTES_DATABASE_URL": "mysql://root:hunter2@db",
            "DISPUTES_TASK_QUEUE": "",
            "DISPUTES_NONSENSE": "x",
        }
    )
    named = {line.split(":")[0].strip() for line in message.splitlines()[1:]}
    assert named == {
        "DISPUTES_GATEWAY_TOKEN",
        "DISPUTES_GATEWAY_URL",
        "DISPUTES_GATEWAY_TEST_MODE",
        "DISPUTES_GATEWAY_TIMEOUT_S",
        "DISPUTES_DATABASE_URL",
        "DISPUTES_TASK_QUEUE",
        "DISPUTES_NONSENSE",
    }
    for value in ("sn34ky", "SOMETIMES", "soon", "hunter2"):
        assert value not in message


def test_a_misspelt_setting_is_refused_with_the_name_that_was_meant() -> None:
    message = _refusal({"DISPUTES_GATEWAY_TIME_OUT_S": "5"})
    assert "DISPUTES_GATEWAY_TIME_OUT_S: no such setting" in message
    assert "DISPUTES_GATEWAY_TIMEOUT_S" in message.removeprefix("DISPUTES_GATEWAY_TIME_OUT_S")


@pytest.mark.parametrize("left_out", list(MERCHANT))
def test_half_a_merchant_is_refused_naming_what_is_missing(left_out: str) -> None:
    env = {name: value for name, value in MERCHANT.items() if name != left_out}
    assert f"{left_out}: missing" in _refusal(env)


def test_a_merchant_together_with_an_entities_file_is_refused() -> None:
    message = _refusal({**MERCHANT, "DISPUTES_ENTITIES_FILE": "entities.toml"})
    assert "not together with DISPUTES_ENTITIES_FILE" in message


def test_a_worker_without_a_gateway_is_refused_and_a_reader_is_not() -> None:
    assert Settings.from_env({}).gateway_url is None
    assert "DISPUTES_ENTITIES_FILE: missing" in _refusal({}, needs_gateway=True)
    assert Settings.from_env(MERCHANT, needs_gateway=True).gateway_url
    by_file = Settings.from_env({"DISPUTES_ENTITIES_FILE": "entities.toml"}, needs_gateway=True)
    assert by_file.entities_file == "entities.toml"


@pytest.mark.parametrize(
    "url",
    [
        "http://gateway.example",
        "https://",
        "gateway.example",
        "https://user:pass@gateway.example",
        "https://gateway.example/?entityId=1",
        "https://gateway.example:port",
        "http://127.0.0.1.evil.example",
    ],
)
def test_a_token_is_never_sent_to_a_careless_address(url: str) -> None:
    assert "DISPUTES_GATEWAY_URL" in _refusal({**MERCHANT, "DISPUTES_GATEWAY_URL": url})


@pytest.mark.parametrize("url", ["http://127.0.0.1:8600", "http://[::1]:1", "http://localhost:9"])
def test_plain_http_is_for_this_machine(url: str) -> None:
    assert Settings.from_env({**MERCHANT, "DISPUTES_GATEWAY_URL": url}).gateway_url == url


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "1e9", ""])
def test_seconds_are_positive_and_finite(seconds: str) -> None:
    message = _refusal({"DISPUTES_GATEWAY_QUERY_INTERVAL_S": seconds})
    assert "DISPUTES_GATEWAY_QUERY_INTERVAL_S" in message


@pytest.mark.parametrize(
    ("name", "value"),
    [("QUERY_VERSION", "2"), ("QUERIES_PER_MINUTE", "0"), ("QUERIES_PER_MINUTE", "2.5")],
)
def test_how_often_and_how_to_ask_is_checked(name: str, value: str) -> None:
    assert f"DISPUTES_GATEWAY_{name}" in _refusal({f"DISPUTES_GATEWAY_{name}": value})


def test_what_is_said_of_each_account_in_a_file_is_said_nowhere_else() -> None:
    """A setting that nobody reads would leave its default in force."""
    account = {
        "DISPUTES_GATEWAY_TEST_MODE": "EXTERNAL",
        "DISPUTES_GATEWAY_QUERY_VERSION": "3",
        "DISPUTES_GATEWAY_QUERIES_PER_MINUTE": "60",
    }
    assert Settings.from_env({**MERCHANT, **account}).gateway_queries_per_minute == 60
    message = _refusal({**account, "DISPUTES_ENTITIES_FILE": "entities.toml"})
    assert all(name in message for name in account)


def test_a_settle_window_that_a_request_can_outlive_is_refused() -> None:
    """A request may leave until half the window and then still run for its whole timeout."""
    env = {"DISPUTES_GATEWAY_TIMEOUT_S": "10", "DISPUTES_GATEWAY_SETTLE_WINDOW_S": "19.9"}
    assert "DISPUTES_GATEWAY_SETTLE_WINDOW_S" in _refusal(env)
    env["DISPUTES_GATEWAY_SETTLE_WINDOW_S"] = "20"
    assert Settings.from_env(env).gateway_settle_window_s == 20


def test_webhook_keys_are_several_and_never_shown() -> None:
    one, two = "0A" * 32, "ff" * 32
    settings = Settings.from_env({"DISPUTES_WEBHOOK_KEYS": f"{one}, {two}"})
    assert [key.get_secret_value() for key in settings.webhook_keys] == [one, two]
    assert one not in repr(settings)
    assert Settings.from_env({}).webhook_keys == ()


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ("", "key 1 must be 64 hex digits"),
        ("0a" * 32 + ",", "key 2 must be 64 hex digits"),
        ("0a" * 31, "key 1 must be 64 hex digits"),
        ("0a" * 32 + ",0A" * 1 + "0A" * 31, "holds one key twice"),
    ],
)
def test_a_webhook_key_that_is_none_is_told_by_its_place(keys: str, reason: str) -> None:
    message = _refusal({"DISPUTES_WEBHOOK_KEYS": keys})
    assert f"DISPUTES_WEBHOOK_KEYS: {reason}" in message
    assert "0a0a" not in message
