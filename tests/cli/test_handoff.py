import http.client
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from urllib.parse import urlsplit

from cadenza_cli._handoff import hand_to_browser

SECRET = "http://127.0.0.1:9/storage/key?X-Amz-Signature=secret"


def _get(address: str, path: str | None = None) -> http.client.HTTPResponse:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    connection.request("GET", path or parts.path)
    return connection.getresponse()


def _raw_get(address: str, path: bytes) -> int:
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5) as sock:
        sock.sendall(b"GET " + path + b" HTTP/1.0\r\n\r\n")
        return int(sock.makefile("rb").readline().split()[1])


def test_the_browser_is_redirected_and_its_argument_holds_no_secret() -> None:
    given: list[str] = []
    visits: list[Future[http.client.HTTPResponse]] = []

    with ThreadPoolExecutor() as elsewhere:

        def browser(address: str) -> bool:
            given.append(address)
            visits.append(elsewhere.submit(_get, address))
            return True

        assert hand_to_browser(SECRET, browser, timeout_seconds=10)
        assert "secret" not in given[0]
        # The hand-over ends once it has answered, which may be before the browser has read.
        answer = visits[0].result(timeout=10)
    assert (answer.status, answer.headers["Location"]) == (302, SECRET)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"


def test_another_path_and_a_second_visit_get_nothing() -> None:
    statuses: list[int] = []

    def browser(address: str) -> bool:
        statuses.append(_get(address, "/").status)
        statuses.append(_raw_get(address, b"/\xc3\xa9"))
        statuses.append(_get(address).status)
        statuses.append(_get(address).status)
        return True

    assert hand_to_browser(SECRET, browser, timeout_seconds=10)
    assert statuses == [404, 404, 302, 404]


def test_no_browser_is_said_at_once() -> None:
    assert not hand_to_browser(SECRET, lambda _address: False)


def test_a_browser_that_never_comes_is_not_waited_for_long() -> None:
    assert not hand_to_browser(SECRET, lambda _address: True, timeout_seconds=0.05)
