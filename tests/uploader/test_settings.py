"""Where settings come from, which wins, and that a bad one is named without its value."""

import re
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cadenza_uploader._policy import Window
from cadenza_uploader._settings import Settings, SettingsError, Timings
from cadenza_uploader.errors import UploaderError


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "cadenza"


def config(place: Path, text: str | bytes) -> None:
    place.mkdir(exist_ok=True)
    data = text.encode() if isinstance(text, str) else text
    (place / "config.toml").write_bytes(data)


def test_without_anything_there_are_the_documented_defaults(place: Path) -> None:
    settings = Settings.load({}, home=place)
    assert settings.url == "http://127.0.0.1:8000"
    assert (settings.max_seconds, settings.max_upload_bytes) == (180, 250_000_000)
    assert (settings.max_attempts, settings.concurrency, settings.rate_limit) == (8, 1, None)
    assert (settings.fit, settings.timings, settings.storage_hosts) == ("off", "real", ())
    assert settings.token is None
    assert settings.policy.refusal(metered=True, now=Window.parse("0:00-0:00").start) is None


def test_the_home_is_where_the_platform_keeps_data() -> None:
    assert Settings.load({}).home == platformdirs.user_data_path("cadenza")


def test_a_home_of_the_environment_may_begin_with_a_tilde(clean_environ: Path) -> None:
    assert Settings.load({"CADENZA_HOME": "~/q"}).home == clean_environ / "q"
    assert Settings.load({"CADENZA_HOME": "/x"}, home="~/y").home == clean_environ / "y"


def test_keyword_over_environment_over_file_over_default(place: Path) -> None:
    config(place, 'max_seconds = 60\nmax_attempts = 3\nfit = "auto"\n')
    env = {"CADENZA_MAX_SECONDS": "90", "CADENZA_MAX_ATTEMPTS": "4"}
    settings = Settings.load(env, home=place, max_seconds=120)
    assert (settings.max_seconds, settings.max_attempts, settings.fit) == (120, 4, "auto")


def test_what_is_not_given_or_empty_decides_nothing(place: Path) -> None:
    config(place, "max_seconds = 60\n")
    settings = Settings.load({"CADENZA_MAX_SECONDS": ""}, home=place, max_seconds=None)
    assert settings.max_seconds == 60


def test_the_process_environment_is_read_only_when_none_is_given(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CADENZA_URL", "https://studio.example")
    assert Settings.load(home=place).url == "https://studio.example"
    assert Settings.load({}, home=place).url == "http://127.0.0.1:8000"
    # … and never at any other time: the library behind it would read it at construction.
    assert Settings(home=place).url == "http://127.0.0.1:8000"


def test_the_file_cannot_say_where_it_lies(place: Path) -> None:
    config(place, 'home = "/elsewhere"\n')
    assert Settings.load({}, home=place).home == place


def test_strangers_in_the_file_are_ignored(place: Path) -> None:
    config(place, "from_a_newer_version = true\n")
    assert Settings.load({}, home=place).max_seconds == 180


@pytest.mark.parametrize(
    ("given_", "hosts"),
    [
        ("a.example", ("a.example",)),
        (" a.example , b.example:9000 ,", ("a.example", "b.example:9000")),
        (("a.example",), ("a.example",)),
    ],
)
def test_storage_hosts_are_a_list_or_text_with_commas(
    place: Path, given_: object, hosts: tuple[str, ...]
) -> None:
    assert Settings.load({}, home=place, storage_hosts=given_).storage_hosts == hosts


def test_storage_hosts_come_from_a_file_as_a_list(place: Path) -> None:
    config(place, 'storage_hosts = ["a.example", "b.example"]\n')
    assert Settings.load({}, home=place).storage_hosts == ("a.example", "b.example")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("MAX_SECONDS", "181", "less than or equal to 180"),  # F000-20
        ("MAX_SECONDS", "0", "greater than or equal to 1"),
        ("MAX_SECONDS", "soon", "valid integer"),
        ("MAX_UPLOAD_BYTES", "0", "greater than or equal to 1"),
        ("MAX_ATTEMPTS", "0", "greater than or equal to 1"),
        ("CONCURRENCY", "3", "less than or equal to 2"),
        ("RATE_LIMIT", "-1", "greater than or equal to 1"),
        ("FIT", "always", "'off' or 'auto'"),
        ("TIMINGS", "slow", "'real' or 'fast'"),
        ("HOURS", "22-6", "hours are given as 22:00-06:30"),
        ("HOURS", "25:00-26:00", "hour must be in 0..23"),
        ("URL", "studio.example", "an address looks like https://studio.example"),
        ("URL", "localhost:8000", "an address looks like"),
        ("URL", "ftp://studio.example", "an address looks like"),
        ("URL", "https://", "an address looks like"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_used_is_named(
    place: Path, name: str, value: str, reason: str
) -> None:
    with pytest.raises(SettingsError, match=re.escape(reason)) as caught:
        Settings.load({f"CADENZA_{name}": value}, home=place)
    assert str(caught.value).startswith(f"The setting {name.lower()} cannot be used: ")
    assert "Value error" not in str(caught.value)  # the library's words are not the user's
    assert isinstance(caught.value, UploaderError)
    assert caught.value.__cause__ is None


@given(st.text(min_size=1))
def test_no_text_for_a_setting_is_more_than_an_error(text: str) -> None:
    for name in ("MAX_SECONDS", "FIT", "HOURS", "URL", "RATE_LIMIT", "ALLOW_METERED"):
        with suppress(SettingsError):
            Settings.load({f"CADENZA_{name}": text}, home="/nowhere")


@pytest.mark.parametrize("content", ["max_seconds = \n", "= 3", b"\xff\xfe\x00"])
def test_a_file_that_is_not_toml_is_named(place: Path, content: str | bytes) -> None:
    config(place, content)
    with pytest.raises(SettingsError, match=r"config\.toml is not valid TOML"):
        Settings.load({}, home=place)


def test_a_file_that_cannot_be_read_is_named(place: Path) -> None:
    (place / "config.toml").mkdir(parents=True)
    with pytest.raises(SettingsError, match=r"config\.toml cannot be read: Is a directory"):
        Settings.load({}, home=place)


def test_the_token_is_in_no_text_of_the_settings(place: Path) -> None:
    settings = Settings.load({"CADENZA_TOKEN": "canary-token"}, home=place)
    assert settings.token is not None
    assert settings.token.get_secret_value() == "canary-token"
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert "canary" not in text


def test_settings_do_not_change(place: Path) -> None:
    settings = Settings.load({}, home=place)
    with pytest.raises(ValidationError):
        setattr(settings, "max_seconds", 1)  # noqa: B010 - the type checkers refuse it too


def test_the_policy_is_what_the_user_set(place: Path) -> None:
    settings = Settings.load(
        {"CADENZA_HOURS": "22:00-06:30", "CADENZA_ALLOW_METERED": "false"}, home=place
    )
    policy = settings.policy
    assert policy.allow_metered is False
    assert str(policy.window) == "22:00-06:30"


def test_fast_timings_are_the_real_ones_in_small(place: Path) -> None:
    real = Settings.load({}, home=place).durations
    fast = Settings.load({}, home=place, timings="fast").durations
    assert (real, fast) == (Timings.real(), Timings.fast())
    for field in fields(Timings):
        if field.name == "backoff":
            continue
        relation = fast_ratio(field.name, fast, real)
        # The grace of a stop is no waiting but a limit, and the same for both.
        assert relation == 1 if field.name == "stop_grace_seconds" else relation < 1


def fast_ratio(name: str, fast: Timings, real: Timings) -> float:
    value: float = getattr(fast, name) / getattr(real, name)
    return value
