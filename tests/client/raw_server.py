"""A server on loopback that does with each connection exactly what a test says."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

CERTIFICATES = Path(__file__).parent / "certificates"

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def answer(
    status: str, body: bytes = b"", *, headers: str = "", content_type: str = "application/json"
) -> bytes:
    """A whole HTTP answer."""
    kind = f"Content-Type: {content_type}\r\n" if body else ""
    head = f"HTTP/1.1 {status}\r\n{kind}Content-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def s3_error(status: str, code: str, message: str = "no", *, headers: str = "") -> bytes:
    """What S3 says when it refuses."""
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message>"
        "<RequestId>RID1</RequestId></Error>"
    )
    return answer(status, document.encode(), content_type="application/xml", headers=headers)


STORED = answer("200 OK", headers='ETag: "0123456789abcdef0123456789abcdef"\r\n')


@dataclass
class Head:
    """A request as it arrived, without its body."""

    method: str
    target: str
    headers: dict[str, str]
    raw: bytes


class HungUpError(Exception):
    """The client closed the connection."""


@dataclass
class Connection:
    """One accepted connection, and what the script did with it."""

    sock: socket.socket
    received_body_bytes: int = 0
    _buffer: bytes = b""

    def head(self) -> Head:
        """The next request's head."""
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += self._recv()
        raw, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        return Head(method, target, headers, raw)

    def body(self, count: int) -> bytes:
        """Exactly so many bytes of the body."""
        while len(self._buffer) < count:
            self._buffer += self._recv()
        found, self._buffer = self._buffer[:count], self._buffer[count:]
        self.received_body_bytes += count
        return found

    def request(self) -> tuple[Head, bytes]:
        """A whole request, asking for its body if the client wants to be asked."""
        head = self.head()
        if head.headers.get("expect") == "100-continue":
            self.send(CONTINUE)
        return head, self.body(int(head.headers.get("content-length", "0")))

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.sock.sendall(data)

    def drain(self) -> int:
        """Read until the client closes; how many bytes that were."""
        count = len(self._buffer)
        self._buffer = b""
        try:
            while True:
                count += len(self._recv())
        except (HungUpError, OSError):
            return count

    def reset(self) -> None:
        """Close with a RST instead of a FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def _recv(self) -> bytes:
        data = self.sock.recv(1 << 20)
        if not data:
            raise HungUpError
        return data


Script = Callable[[Connection], None]


@dataclass
class RawServer:
    """Runs one script for each connection, each in its own thread; the last one again and again.

    Attributes:
        connections: what has been accepted so far.
        faults: what scripts raised, apart from the client's going away.
    """

    scripts: list[Script]
    certificate: str | None = None
    receive_buffer_bytes: int | None = None
    connections: list[Connection] = field(default_factory=list)
    faults: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.socket()
        if self.receive_buffer_bytes is not None:
            self._listener.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer_bytes
            )
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(16)
        self.port: int = self._listener.getsockname()[1]
        self._tls: ssl.SSLContext | None = None
        if self.certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(CERTIFICATES / self.certificate)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            script = self.scripts[min(len(self.connections), len(self.scripts) - 1)]
            connection = Connection(sock)
            self.connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection, script), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: Connection, script: Script) -> None:
        connection.sock.settimeout(20)
        try:
            if self._tls is not None:
                connection.sock = self._tls.wrap_socket(connection.sock, server_side=True)
            script(connection)
        except (HungUpError, OSError):
            pass
        except BaseException as fault:  # noqa: BLE001 - the fixture raises it
            self.faults.append(fault)
        finally:
            connection.sock.close()

    def finish(self) -> None:
        """Wait for the scripts to end by themselves."""
        for thread in self._threads[1:]:
            thread.join(10)

    def stop(self) -> None:
        """Close the port and every connection, and wait for the scripts."""
        if self._listener.fileno() >= 0:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        for connection in self.connections:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)


def always(data: bytes) -> Script:
    """Answer every request on the connection with the same bytes."""

    def script(connection: Connection) -> None:
        while True:
            connection.request()
            connection.send(data)

    return script
