"""Settings: arguments over environment over nothing; what cannot be used is refused."""

from typing import Any

import pytest

from cadenza_client import AsyncCadenzaClient, CadenzaClient, ConfigError
from cadenza_client._auth import Bearer
from cadenza_client._config import (
    ClientConfig,
    FixedToken,
    TokenSource,
    proxy_credentials,
    proxy_for,
    resolve_config,
)
from cadenza_client._urls import Origin

ENV = {"CADENZA_URL": "https://env.example.com", "CADENZA_TOKEN": "env-token"}


def _config(base_url: str | None = None, **given: Any) -> ClientConfig:
    arguments: dict[str, Any] = {
        "token": None,
        "timeout": None,
        "retry": None,
        "storage_hosts": (),
        "user_agent": "test",
        "env": {},
    }
    return resolve_config(base_url, **{**arguments, **given})


def test_arguments_win_over_the_environment() -> None:
    config = _config("https://a.example.com", token="mine", env=ENV)
    assert config.api.url("") == "https://a.example.com"
    assert config.tokens.token() == "mine"


def test_the_environment_fills_in_what_is_left_out() -> None:
    config = _config(env=ENV)
    assert config.api.url("") == "https://env.example.com"
    assert config.tokens.token() == "env-token"


def test_no_address_at_all_is_said_so() -> None:
    with pytest.raises(ConfigError, match="CADENZA_URL"):
        _config()
    with pytest.raises(ConfigError, match="CADENZA_URL"):
        _config("  ")


def test_no_token_is_no_fault() -> None:
    assert _config("https://a.example.com").tokens.token() is None
    assert _config("https://a.example.com", env={"CADENZA_TOKEN": ""}).tokens.token() is None
    assert not FixedToken(None).refresh()


@pytest.mark.parametrize("token", ["", "a b", "tab\t", "line\n", "ünicode", "\x00"])
def test_a_token_that_cannot_be_a_header_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _config("https://a.example.com", token=token)
    assert not token or token not in str(caught.value)


def test_one_storage_host_must_still_be_a_list() -> None:
    with pytest.raises(ConfigError, match="collection"):
        _config("https://a.example.com", storage_hosts="bucket.example.com")


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CADENZA_URL", "https://env.example.com")
    with CadenzaClient() as client:
        assert client.base_url == "https://env.example.com"
        assert repr(client) == "CadenzaClient('https://env.example.com')"
    other = AsyncCadenzaClient()
    assert other.base_url == "https://env.example.com"
    assert repr(other) == "AsyncCadenzaClient('https://env.example.com')"


def test_a_config_shows_neither_token_nor_environment() -> None:
    config = _config("https://a.example.com", token="canary", env={"SECRET": "canary"})
    assert "canary" not in repr(config)


# ── tokens that change ─────────────────────────────────────────────────────────────────────────


class Source:
    def __init__(self, *tokens: str | None) -> None:
        self.tokens = list(tokens)
        self.refreshed = 0

    def token(self) -> str | None:
        return self.tokens[0]

    def refresh(self) -> bool:
        self.refreshed += 1
        self.tokens.pop(0)
        return bool(self.tokens[0])


def test_a_refresh_that_somebody_else_has_done_is_not_done_again() -> None:
    source = Source("old", "new", None)
    assert isinstance(source, TokenSource)
    bearer = Bearer(source)
    assert bearer.current() == "old"
    assert bearer.renewed_since("old")
    assert bearer.renewed_since("old")  # the second of two requests that met a 401 together
    assert source.refreshed == 1
    assert bearer.current() == "new"


def test_a_source_that_gives_nonsense_is_refused() -> None:
    with pytest.raises(ConfigError):
        Bearer(Source("a\nb")).current()


# ── proxies ────────────────────────────────────────────────────────────────────────────────────

API = Origin("https", "api.example.com", 443)


@pytest.mark.parametrize(
    ("origin", "env", "proxy"),
    [
        (API, {}, None),
        (API, {"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        (API, {"https_proxy": "p:3128"}, "http://p:3128"),
        (API, {"ALL_PROXY": "http://p:3128"}, "http://p:3128"),
        (API, {"HTTPS_PROXY": "http://p", "NO_PROXY": "example.com"}, None),
        (API, {"HTTPS_PROXY": "http://p", "NO_PROXY": ".example.com"}, None),
        (API, {"HTTPS_PROXY": "http://p", "NO_PROXY": "*.example.com"}, None),
        (API, {"HTTPS_PROXY": "http://p", "NO_PROXY": "x.org, *"}, None),
        (API, {"HTTPS_PROXY": "http://p", "NO_PROXY": "api.example.com:443"}, None),
        (API, {"HTTPS_PROXY": "http://p", "NO_PROXY": "api.example.com:444"}, "http://p"),
        (API, {"HTTPS_PROXY": "http://p", "NO_PROXY": "ample.com"}, "http://p"),
        (API, {"HTTPS_PROXY": "http://p", "NO_PROXY": ","}, "http://p"),
        (API, {"HTTP_PROXY": "http://p"}, None),
        (Origin("http", "127.0.0.1", 8000), {"ALL_PROXY": "http://p"}, None),
        (Origin("https", "localhost", 443), {"ALL_PROXY": "http://p"}, None),
    ],
)
def test_only_https_beyond_this_machine_goes_through_a_proxy(
    origin: Origin, env: dict[str, str], proxy: str | None
) -> None:
    assert proxy_for(origin, env) == proxy


@pytest.mark.parametrize(
    "address", ["https://p:3128", "socks5://p:1080", "http://", "http://[", "http://p:0"]
)
def test_a_proxy_we_cannot_use_is_said_so(address: str) -> None:
    with pytest.raises(ConfigError, match="HTTPS_PROXY"):
        proxy_for(API, {"HTTPS_PROXY": address})


def test_proxy_credentials_are_unquoted() -> None:
    assert proxy_credentials("http://p:3128") is None
    assert proxy_credentials("http://u:p%40w@p:3128") == (b"u", b"p@w")
    assert proxy_credentials("http://u@p:3128") == (b"u", b"")
