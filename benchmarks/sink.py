"""A server that receives as fast as the machine can and keeps nothing.

It runs in a process of its own, so that it takes no time from the sender's interpreter, and tells
the kernel to drop what arrives (``MSG_TRUNC``) without copying it to us: the sender, not the sink,
is then what a figure measures. The figure ``upload-limit`` shows that this is so.
"""

import contextlib
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

_BLOCK_BYTES = 1 << 22
_LONGEST_HEAD_BYTES = 1 << 16
_IDLE_SECONDS = 60.0
_ANSWER = b'HTTP/1.1 200 OK\r\nETag: "0"\r\nContent-Length: 0\r\n\r\n'
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_REFUSAL = b"HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)


@contextlib.contextmanager
def sink() -> Iterator[str]:
    """Run the sink until the context ends; gives its address, ``http://127.0.0.1:PORT``."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sink"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            if not port:
                raise RuntimeError("the sink did not start")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.stdin.close()  # the end of its input is its order to stop
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def _serve() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listener,), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    # It ends with whoever started it, even when that one was killed.
    sys.stdin.read()


def _accept(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_receive, args=(connection,), daemon=True).start()


def _receive(connection: socket.socket) -> None:
    scratch = bytearray(_BLOCK_BYTES)
    with connection, contextlib.suppress(OSError):
        connection.settimeout(_IDLE_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pending = b""
        while True:
            while b"\r\n\r\n" not in pending:
                received = connection.recv(1 << 14)
                if not received or len(pending) > _LONGEST_HEAD_BYTES:
                    return
                pending += received
            head, _, body = pending.partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            if length is None:
                connection.sendall(_REFUSAL)
                return
            left = int(length[1])
            if not body and _EXPECT.search(head):
                connection.sendall(_CONTINUE)
            pending, left = body[left:], left - len(body[:left])
            while left:
                dropped = _drop(connection, scratch, left)
                if not dropped:
                    return
                left -= dropped
            connection.sendall(_ANSWER)


def _drop(connection: socket.socket, scratch: bytearray, most: int) -> int:
    """Take up to ``most`` bytes out of the connection and forget them; 0 at its end."""
    count = min(most, len(scratch))
    if sys.platform == "linux":
        return connection.recv_into(scratch, count, socket.MSG_TRUNC)
    return connection.recv_into(scratch, count)


if __name__ == "__main__":
    _serve()
