"""Settings come from the environment; whatever is missing, published or weak is refused, all at once."""

import base64
import ipaddress
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from tollway.kit.crypto import master_key_from_text
from tollway.settings import (
    Settings,
    SettingsRefused,
    default_data_folder,
    new_secret,
    production_advice,
    read_settings,
)

GOOD = {
    "ENVIRONMENT": "production",
    "GATEWAY_URL": "https://api.example.org",
    "TRUSTED_PROXIES": "10.0.0.1",
    "DATABASE_URL": "postgresql://tollway@db/tollway",
    "SMTP_HOST": "mail.example.org",
    "JWT_SECRET": "pQ7vXk2LmN9rT4wZ8yB3cF6hJ1dG5sA0",
    "ENCRYPTION_KEY": "n3Rk8Vt1Qz6Xw4Yb9Lc2Mf7Jh5Gd0SaPe",
}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only what a test sets stands in the environment."""
    for name in list(os.environ):
        if name.lower() in Settings.model_fields or name == "NODE_ENV":
            monkeypatch.delenv(name)
    monkeypatch.setenv("TOLLWAY_DATA", str(tmp_path / "data"))


def set_all(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def faults_of() -> list[str]:
    with pytest.raises(SettingsRefused) as refused:
        read_settings()
    return refused.value.faults


@pytest.mark.parametrize("secret", [None, "", "too short"])
def test_an_address_for_alerts_needs_a_secret(monkeypatch: pytest.MonkeyPatch, secret: str | None) -> None:
    set_all(monkeypatch, {"ALERT_WEBHOOK_URL": "https://example.com/hooks"})
    if secret is not None:
        monkeypatch.setenv("ALERT_WEBHOOK_SECRET", secret)
    [fault] = faults_of()
    assert fault.startswith("ALERT_WEBHOOK_SECRET: ")
    assert "too short" not in fault
    monkeypatch.setenv("ALERT_WEBHOOK_SECRET", new_secret())
    assert read_settings().alert_webhook_url == "https://example.com/hooks"
    monkeypatch.setenv("ALERT_WEBHOOK_URL", "example.com")
    assert faults_of()[0].startswith("ALERT_WEBHOOK_URL: ")


# Names and defaults ---------------------------------------------------------------------------------


@pytest.mark.promise("C10", "C15")
def test_the_defaults_are_those_that_were_promised() -> None:
    settings = read_settings()
    assert settings.port == 6789
    assert settings.max_requests_per_minute == 1000
    assert settings.free_trial_days == 14
    assert settings.environment == "development"
    assert settings.base_url == "http://localhost:6789"
    assert not settings.secure
    assert not settings.production


@pytest.mark.promise("C15")
def test_the_names_of_the_environment_are_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, GOOD | {"PORT": "8080", "MAX_REQUESTS_PER_MINUTE": "7", "LOG_LEVEL": "WARNING"})
    settings = read_settings()
    assert settings.production
    assert settings.secure
    assert (settings.port, settings.max_requests_per_minute, settings.log_level) == (8080, 7, "warning")
    assert settings.base_url == "https://api.example.org"
    assert settings.jwt_secret.get_secret_value() == GOOD["JWT_SECRET"]
    assert settings.encryption_key.get_secret_value() == GOOD["ENCRYPTION_KEY"]
    assert settings.database_url.get_secret_value() == GOOD["DATABASE_URL"]


@pytest.mark.promise("X15", "C15")
@pytest.mark.parametrize("name", ["ENVIRONMENT", "NODE_ENV"])
def test_the_environment_has_two_names(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    set_all(monkeypatch, {key: value for key, value in GOOD.items() if key != "ENVIRONMENT"})
    monkeypatch.setenv(name, "Production")
    assert read_settings().production


def test_our_own_name_wins_over_the_alias(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "test")
    monkeypatch.setenv("NODE_ENV", "production")
    assert read_settings().environment == "test"


@pytest.mark.parametrize(
    "url", ["https://api.example.org/", "https://api.example.org", "https://api.example.org//"]
)
def test_the_address_has_no_slash_at_its_end(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("GATEWAY_URL", url)
    assert read_settings().base_url == "https://api.example.org"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        read_settings().port = 1  # type: ignore[misc]


def test_secrets_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(
        monkeypatch,
        GOOD | {"SMTP_PASSWORD": "hunter2-hunter2", "DATABASE_URL": "postgresql://u:hunter3@db/x"},
    )
    shown = repr(read_settings()) + str(read_settings())
    for secret in (GOOD["JWT_SECRET"], GOOD["ENCRYPTION_KEY"], "hunter2", "hunter3"):
        assert secret not in shown


# What is refused ------------------------------------------------------------------------------------


@pytest.mark.promise("C7", "X16")
def test_production_names_everything_that_is_missing_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    assert faults_of() == [
        "JWT_SECRET is missing. Make one with `tollway keygen`.",
        "ENCRYPTION_KEY is missing. Make one with `tollway keygen`.",
    ]


@pytest.mark.promise("C7", "X16")
@pytest.mark.parametrize("name", ["JWT_SECRET", "ENCRYPTION_KEY"])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "is missing"),
        ("k3y", "has 3 characters"),
        ("pQ7vXk2LmN9rT4wZ8yB3cF6hJ1dG5sA", "has 31 characters"),
        ("your-super-secret-jwt-key-min-32-characters", "sample"),
        ("your-32-character-encryption-key-here", "sample"),
        ("change-me-change-me-change-me-change-me", "sample"),
        ("CHANGEME7vXk2LmN9rT4wZ8yB3cF6hJ1dG5sA0", "sample"),
        ("abcdefghijklmnopqrstuvwxyz012345", "sample"),
        ("12345678901234567890123456789012", "sample"),
        ("a" * 40, "repeats 1"),
        ("abababababababababababababababababab", "repeats 2"),
        ("123123123123123123123123123123123123", "repeats 3"),
        ("012345678" * 5, "repeats 9"),
    ],
)
def test_production_refuses_weak_and_published_secrets(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    set_all(monkeypatch, GOOD | {name: value})
    (fault,) = faults_of()
    assert fault.startswith(name)
    assert reason in fault
    if value:
        assert value not in fault, "a refusal goes to the log"


def test_the_two_secrets_of_production_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever can forge a link could open the sealed keys too."""
    set_all(monkeypatch, GOOD | {"JWT_SECRET": GOOD["ENCRYPTION_KEY"]})
    (fault,) = faults_of()
    assert "JWT_SECRET" in fault
    assert "ENCRYPTION_KEY" in fault


@pytest.mark.parametrize(
    ("name", "value", "advised"),
    [
        ("GATEWAY_URL", "", True),
        ("GATEWAY_URL", "http://api.example.org", True),
        ("GATEWAY_URL", "https://api.example.org", False),
        ("TRUSTED_PROXIES", "", True),
        ("SMTP_HOST", "", True),
        ("DATABASE_URL", "", True),
    ],
)
def test_what_strangers_need_besides_secrets_is_advised(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, advised: bool
) -> None:
    set_all(monkeypatch, GOOD | {name: value})
    advice = production_advice(read_settings())
    assert [one.split()[0] for one in advice] == [name] * advised


@pytest.mark.promise("X16")
def test_what_keygen_prints_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(200):
        first, second = new_secret(), new_secret()
        assert len(base64.b64decode(first)) == 32
        assert master_key_from_text(first) == base64.b64decode(first)
        set_all(monkeypatch, GOOD | {"JWT_SECRET": first, "ENCRYPTION_KEY": second})
        assert read_settings().production


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("ENVIRONMENT", "staging"),
        ("LOG_LEVEL", "loud"),
        ("MAX_REQUESTS_PER_MINUTE", "0"),
        ("FREE_TRIAL_DAYS", "-1"),
        ("WORKER_PROCESSES", "many"),
        ("SERVER_PROCESSES", "0"),
        ("SMTP_SECURITY", "ssl"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, nonsense"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named_with_what_came(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    # A network is tried as both versions, and each says why it is not one.
    for fault in faults_of():
        assert fault.startswith(f"{name}: ")
        assert value.rsplit(", ", maxsplit=1)[-1].lower() in fault.lower()


def test_an_address_that_is_none_of_redis_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "http://:hunter2@cache")
    (fault,) = faults_of()
    assert fault.startswith("REDIS_URL: ")
    assert "redis://" in fault
    assert "hunter2" not in fault
    monkeypatch.setenv("REDIS_URL", "rediss://:hunter2@cache")
    assert "hunter2" not in repr(read_settings())


def test_several_settings_that_cannot_be_read_are_named_together(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {"PORT": "http", "LOG_LEVEL": "loud", "SMTP_PORT": "-1"})
    assert {fault.split(":")[0] for fault in faults_of()} == {"PORT", "LOG_LEVEL", "SMTP_PORT"}


@pytest.mark.parametrize("name", ["JWT_SECRET", "ENCRYPTION_KEY"])
def test_a_secret_that_is_too_short_is_refused_in_development_too(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "short")
    (fault,) = faults_of()
    assert name in fault
    assert "shorter than 32" in fault


# Lists ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ()),
        ("10.0.0.0/8", ("10.0.0.0/8",)),
        ("10.0.0.0/8, 192.0.2.7 ,fd00::/8", ("10.0.0.0/8", "192.0.2.7/32", "fd00::/8")),
        (" , ", ()),
    ],
)
def test_trusted_proxies_are_networks(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: tuple[str, ...]
) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", value)
    assert read_settings().trusted_proxies == tuple(ipaddress.ip_network(one) for one in expected)


def test_origins_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "https://a.example, https://b.example")
    assert read_settings().cors_origins == ("https://a.example", "https://b.example")


# Development secrets --------------------------------------------------------------------------------


@pytest.mark.promise("X16")
def test_development_secrets_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    first = read_settings()
    file = tmp_path / "data" / "development-secrets.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_settings() == first
    assert len(first.jwt_secret.get_secret_value()) >= 32
    assert first.jwt_secret != first.encryption_key
    assert list(file.parent.iterdir()) == [file], "no draft is left behind"


def test_a_secret_that_is_set_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", GOOD["JWT_SECRET"])
    settings = read_settings()
    assert settings.jwt_secret.get_secret_value() == GOOD["JWT_SECRET"]
    assert len(settings.encryption_key.get_secret_value()) == 44


def test_processes_that_start_at_once_agree_on_the_secrets(tmp_path: Path) -> None:
    program = (
        "from tollway.settings import read_settings; s = read_settings(); "
        "print(s.jwt_secret.get_secret_value(), s.encryption_key.get_secret_value())"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(6)
    ]
    told = {child.communicate(timeout=60)[0] for child in children}
    assert [child.returncode for child in children] == [0] * 6
    assert len(told) == 1
    assert len(list((tmp_path / "data").iterdir())) == 1


def test_a_draft_left_by_a_crash_does_not_stop_the_next_start(tmp_path: Path) -> None:
    """In a container the next process often has the number of the one that crashed."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / f"development-secrets.{os.getpid()}").write_text("{")
    assert read_settings().jwt_secret.get_secret_value()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", json.dumps({"jwt_secret": "x"})])
def test_a_damaged_file_of_secrets_gives_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "development-secrets.json").write_text(content)
    (fault,) = faults_of()
    assert "development-secrets.json is damaged" in fault


def test_a_data_folder_that_cannot_be_one_gives_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TOLLWAY_DATA", str(tmp_path / "file" / "data"))
    (fault,) = faults_of()
    assert "cannot be used" in fault
    assert "TOLLWAY_DATA" in fault


def test_the_data_folder_needs_no_parent_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        assert default_data_folder() == Path("/var/lib/tollway")
    else:
        monkeypatch.setenv("XDG_DATA_HOME", "/somewhere")
        assert default_data_folder() == Path("/somewhere/tollway")


@pytest.mark.parametrize(
    "address", ["scheduler:8786", "http://scheduler:8786", "tcp://scheduler", "tcp://:8786", "tcp://a b:1"]
)
def test_an_address_that_is_none_of_a_dask_scheduler_is_refused(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("DASK_SCHEDULER", address)
    with pytest.raises(SettingsRefused) as refused:
        read_settings()
    (fault,) = refused.value.faults
    assert fault.startswith("DASK_SCHEDULER")
    assert "tcp://host:8786" in fault


@pytest.mark.parametrize(
    "address", ["tcp://10.0.0.5:8786", "tls://dask.example.org:8786", "tcp://[::1]:8786"]
)
def test_a_dask_scheduler_has_an_address(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DASK_SCHEDULER", address)
    assert Settings().dask_scheduler == address


def test_without_the_package_for_dask_its_address_is_refused_with_what_to_install(tmp_path: Path) -> None:
    # As Python finds it where it was never installed.
    script = (
        "import sys; sys.modules['distributed'] = None\n"
        "from tollway.settings import SettingsRefused, read_settings\n"
        "try:\n    read_settings()\nexcept SettingsRefused as refused:\n    print(refused)\n"
    )
    environment = os.environ | {"DASK_SCHEDULER": "tcp://10.0.0.5:8786", "TOLLWAY_DATA": str(tmp_path)}
    finished = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert 'pip install "tollway[dask]"' in finished.stdout
