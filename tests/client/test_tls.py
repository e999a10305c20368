"""The same over TLS: certificates are always checked, and the early answer is still heard."""

from __future__ import annotations

import ssl
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cadenza_client import (
    CadenzaClient,
    CertificateError,
    ConfigError,
    ConnectFailedError,
    RequestTimeoutError,
    Timeouts,
    UploadTarget,
    UploadUrlExpiredError,
)
from cadenza_client._wire._transport import tls_context
from tests.client.raw_server import (
    CONTINUE,
    STORED,
    Connection,
    RawServer,
    always,
    answer,
    s3_error,
)

Open = Callable[..., Any]
Serve = Callable[..., RawServer]
EXPIRED = s3_error("403 Forbidden", "AccessDenied", "Request has expired")
ME = answer("200 OK", b'{"id": 7, "email": "sam@example.org"}')


def _target(server: RawServer) -> UploadTarget:
    return UploadTarget(
        url=f"{server.url}/k?sig=canary", headers={"x-amz-checksum-sha256": "eA=="}, expires_in=900
    )


def _put(client: Any, server: RawServer, source: Path, **arguments: Any) -> Any:
    return client.upload_media(
        _target(server), source, content_type="video/mp4", sha256=None, **arguments
    )


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.mp4"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    return path


def test_api_and_upload_work(
    open_client: Open, serve: Serve, tls_env: dict[str, str], video: Path
) -> None:
    bodies = []

    def script(connection: Connection) -> None:
        while True:
            head, body = connection.request()
            bodies.append(body)
            connection.send(STORED if head.method == "PUT" else ME)

    server = serve(script, certificate="localhost.pem")
    client = open_client(server.url, token="t0ken", env=tls_env)
    assert client.auth.me().id == 7
    assert _put(client, server, video).etag
    assert bodies[-1] == video.read_bytes()


@pytest.mark.parametrize(
    ("certificate", "trusts", "reason"),
    [
        ("expired.pem", True, "expired"),
        ("elsewhere.pem", True, "not valid for '127.0.0.1'"),
        ("localhost.pem", False, "unable to get local issuer|self-signed|self signed"),
    ],
)
def test_a_bad_certificate_stops_everything_before_a_byte_is_sent(
    open_client: Open,
    serve: Serve,
    tls_env: dict[str, str],
    video: Path,
    certificate: str,
    trusts: bool,
    reason: str,
) -> None:
    seen: list[bytes] = []

    def script(connection: Connection) -> None:
        seen.append(connection.head().raw)

    server = serve(script, certificate=certificate)
    client = open_client(server.url, token="t0ken", env=tls_env if trusts else {})
    with pytest.raises(CertificateError, match=reason):
        client.auth.me()
    with pytest.raises(CertificateError, match=reason):
        _put(client, server, video)
    assert seen == []


def test_a_server_that_speaks_no_tls_is_a_tls_failure(open_client: Open, serve: Serve) -> None:
    server = serve(lambda connection: connection.send(b"HTTP/1.1 400 Bad\r\n\r\n"))
    url = server.url.replace("http:", "https:")
    with pytest.raises(ConnectFailedError) as caught:
        open_client(url).auth.me()
    assert caught.value.kind == "tls"
    assert not isinstance(caught.value, CertificateError)


def test_an_old_protocol_is_not_spoken(
    open_client: Open, serve: Serve, tls_env: dict[str, str]
) -> None:
    server = serve(always(ME), certificate="localhost.pem")
    assert server._tls is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the point
        server._tls.minimum_version = ssl.TLSVersion.TLSv1
        server._tls.maximum_version = ssl.TLSVersion.TLSv1_1
    server._tls.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.raises(ConnectFailedError) as caught:
        open_client(server.url, env=tls_env).auth.me()
    assert caught.value.kind == "tls"
    assert tls_context({}).minimum_version == ssl.TLSVersion.TLSv1_2


def test_nothing_in_the_environment_switches_the_checks_off(tls_env: dict[str, str]) -> None:
    for env in ({}, tls_env, {"SSL_CERT_DIR": "/nonexistent"}, {"PYTHONHTTPSVERIFY": "0"}):
        context = tls_context(env)
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname


def test_an_expired_url_costs_no_body(
    open_client: Open, serve: Serve, tls_env: dict[str, str], large: Path
) -> None:
    counts: list[int] = []

    def script(connection: Connection) -> None:
        connection.head()
        connection.send(EXPIRED)
        counts.append(connection.drain())

    server = serve(script, certificate="localhost.pem")
    with pytest.raises(UploadUrlExpiredError):
        _put(open_client(server.url, env=tls_env), server, large)
    server.finish()
    assert counts == [0]


@pytest.mark.parametrize("drain", [True, False])
def test_a_refusal_in_the_middle_of_the_body_is_read(
    open_client: Open, serve: Serve, tls_env: dict[str, str], large: Path, drain: bool
) -> None:
    def script(connection: Connection) -> None:
        connection.head()
        connection.send(CONTINUE)
        connection.body(100_000)
        connection.send(EXPIRED)
        if drain:
            connection.drain()

    server = serve(script, certificate="localhost.pem")
    with pytest.raises(UploadUrlExpiredError):
        _put(open_client(server.url, env=tls_env), server, large)


def test_session_tickets_are_not_taken_for_an_answer(
    open_client: Open, serve: Serve, tls_env: dict[str, str], video: Path
) -> None:
    """TLS 1.3 sends them after the handshake: the socket is readable, and there is nothing."""

    def script(connection: Connection) -> None:
        head = connection.head()
        connection.body(int(head.headers["content-length"]))
        connection.send(STORED)

    server = serve(script, certificate="localhost.pem")
    assert server._tls is not None
    server._tls.num_tickets = 8
    quick = Timeouts(continue_seconds=0.1)
    assert _put(open_client(server.url, env=tls_env, timeout=quick), server, video).etag


def test_a_dead_link_is_given_up(
    open_client: Open, serve: Serve, tls_env: dict[str, str], large: Path
) -> None:
    done = threading.Event()

    def script(connection: Connection) -> None:
        connection.head()
        connection.send(CONTINUE)
        done.wait(10)

    server = serve(script, certificate="localhost.pem", receive_buffer_bytes=65536)
    limits = Timeouts(idle_seconds=0.4)
    with pytest.raises(RequestTimeoutError) as caught:
        _put(open_client(server.url, env=tls_env, timeout=limits), server, large)
    assert caught.value.sent == "partial"
    done.set()


# ── through a proxy ────────────────────────────────────────────────────────────────────────────


def _proxy(to: RawServer, seen: list[str]) -> Callable[[Connection], None]:
    """A CONNECT proxy that ignores the name it is given and tunnels to a server on loopback."""
    import socket

    def script(connection: Connection) -> None:
        head = connection.head()
        seen.append(f"{head.method} {head.target} {head.headers.get('proxy-authorization', '')}")
        seen.append(head.headers.get("authorization", "no token"))
        with socket.create_connection(("127.0.0.1", to.port)) as onward:
            connection.send(b"HTTP/1.1 200 Connected\r\n\r\n")

            def back() -> None:
                try:
                    while data := onward.recv(65536):
                        connection.send(data)
                except OSError:
                    pass

            thread = threading.Thread(target=back, daemon=True)
            thread.start()
            try:
                while data := connection.sock.recv(65536):
                    onward.sendall(data)
            finally:
                onward.shutdown(socket.SHUT_RDWR)
                thread.join(5)

    return script


def test_https_goes_through_a_proxy_as_a_tunnel(
    open_client: Open, serve: Serve, tls_env: dict[str, str], video: Path
) -> None:
    def script(connection: Connection) -> None:
        while True:
            head, _ = connection.request()
            connection.send(STORED if head.method == "PUT" else ME)

    server = serve(script, certificate="elsewhere.pem")
    seen: list[str] = []
    proxy = serve(_proxy(server, seen))
    env = {**tls_env, "HTTPS_PROXY": f"http://u:p@127.0.0.1:{proxy.port}"}
    client = open_client("https://elsewhere.invalid", token="t0ken", env=env)
    assert client.auth.me().id == 7
    target = UploadTarget(url="https://elsewhere.invalid/k?sig=canary", expires_in=900)
    stored = client.upload_media(target, video, content_type="video/mp4", sha256=None)
    assert stored.etag
    assert "CONNECT elsewhere.invalid:443 Basic dTpw" in seen
    assert set(seen[1::2]) == {"no token"}


def test_a_proxy_that_refuses_is_a_failed_connection(
    open_client: Open, serve: Serve, tls_env: dict[str, str]
) -> None:
    proxy = serve(always(answer("407 Proxy Authentication Required")))
    env = {**tls_env, "HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
    with pytest.raises(ConnectFailedError):
        open_client("https://elsewhere.invalid", env=env).auth.me()


def test_a_proxy_we_cannot_use_is_a_matter_of_configuration(tls_env: dict[str, str]) -> None:
    env = {**tls_env, "HTTPS_PROXY": "socks5://127.0.0.1:1080"}
    with (
        CadenzaClient("https://elsewhere.invalid", env=env) as client,
        pytest.raises(ConfigError),
    ):
        client.auth.me()
