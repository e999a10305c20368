"""The queue: getting a take into it, and getting 200 takes out of it and to the server."""

import itertools
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from benchmarks.api import ApiServer, api_server
from benchmarks.clips import full_take, short_take, variant
from benchmarks.figure import Pairs, Run, in_turn, seconds
from benchmarks.peers import program
from benchmarks.s3server import free_ports
from cadenza_client import CadenzaClient
from cadenza_uploader import Daemon, Home, Settings, Stop, TakeQueue, enqueue
from cadenza_uploader.take import Account, Take, TakeContext

_TAKES = 200
_BLOCK_BYTES = 1 << 20
_SHELL_SECONDS = 120


# ── into the queue ─────────────────────────────────────────────────────────────────────────────


def enqueue_against_copy(run: Run, *, synced: bool) -> Pairs:
    """Milliseconds of `enqueue` and of `sha256sum` and `cp`, with or without `sync` of the copy.

    Ours also looks into the video, makes a thumbnail, and has everything on the disk before it
    returns. Before each turn the disk is quiet, so that nobody pays for the other's writes.
    """
    for name in ("sha256sum", "cp", "sync"):
        program(name, package="coreutils")
    clip = full_take(run)
    numbers = itertools.count()
    script = 'sha256sum "$1" && cp "$1" "$2"' + (' && sync "$2"' if synced else "")

    def ours() -> float:
        home = Home(run.folder / f"home-{next(numbers)}")
        settings = Settings(home=home.path)
        account = Account("http://127.0.0.1:9", 1)
        context = TakeContext(piece_id=str(uuid.uuid4()))
        with TakeQueue.open(home) as queue:
            os.sync()
            took = seconds(
                lambda: enqueue(queue, clip, context, account=account, settings=settings)
            )
        shutil.rmtree(home.path)
        return took

    def peer() -> float:
        copy = run.folder / "copy.mp4"
        command = ["sh", "-c", script, "sh", str(clip), str(copy)]
        os.sync()
        took = seconds(
            lambda: subprocess.run(command, check=True, capture_output=True, timeout=_SHELL_SECONDS)
        )
        copy.unlink()
        return took

    return in_turn(ours, peer, pairs=run.pairs, warm_up=2).scaled(ours=1000, peer=1000)


# ── out of the queue ───────────────────────────────────────────────────────────────────────────


def drain(run: Run) -> Pairs:
    """Takes a second from the queue to their receipts, and the same calls by a bare script.

    Each turn has a new server with an empty database. The script has the answers in a variable
    and forgets them; the daemon writes every step down durably and deletes its copy at the end.
    """
    count = run.size(_TAKES)
    template = Home(run.folder / "template")
    # A take belongs to an account of one server: every new one has the address of the first.
    (port,) = free_ports(1)
    takes = _filled(run, template, count, port)
    numbers = itertools.count()

    def turn(work: Callable[[ApiServer, Path], float]) -> float:
        number = next(numbers)
        home = run.folder / f"home-{number}"
        _copy_of(template.path, home)
        with api_server("cadenza", run.folder / f"server-{number}", port=port) as server:
            took = work(server, home)
        shutil.rmtree(home)
        shutil.rmtree(run.folder / f"server-{number}")
        return took

    pairs = in_turn(
        lambda: turn(partial(_drain, count=count)),
        lambda: turn(partial(_bare_script, takes=takes)),
        pairs=min(run.pairs, 5),
    )
    return pairs.rate(count)


def _filled(run: Run, home: Home, count: int, port: int) -> list[Take]:
    """A queue with so many different takes of 1 MB in it, all pending."""
    settings = Settings(home=home.path)
    clip = short_take(run)
    # The ids of the demo student and her piece are the same on every new server.
    with api_server("cadenza", run.folder / "asked", port=port) as server:
        account = Account(server.url, server.user_id)
        context = TakeContext(piece_id=server.piece_id)
    with TakeQueue.open(home) as queue:
        return [
            enqueue(
                queue,
                variant(clip, run.folder / "clip.mp4", number),
                context,
                account=account,
                settings=settings,
            ).take
            for number in range(count)
        ]


def _copy_of(template: Path, home: Path) -> None:
    """The same queue once more. Its videos are links: nothing is to be written back meanwhile."""

    def copy(source: str, destination: str) -> None:
        if source.endswith((".mp4", ".jpg")):
            os.link(source, destination)
        else:
            shutil.copy2(source, destination)

    shutil.copytree(template, home, copy_function=copy)
    os.sync()


def _drain(server: ApiServer, home: Path, *, count: int) -> float:
    settings = Settings(home=home, url=server.url, token=SecretStr(server.token))

    def connect() -> CadenzaClient:
        return CadenzaClient(server.url, token=server.token)

    with TakeQueue.open(Home(home)) as queue:
        daemon = Daemon(queue, connect=connect, settings=settings)
        took = seconds(lambda: daemon.drain(Stop()))
        left = queue.counts().unsent
    if left:
        raise RuntimeError(f"{left} of {count} takes were not sent")
    return took


def _bare_script(server: ApiServer, home: Path, *, takes: list[Take]) -> float:
    """Create, put the thumbnail, put the video, confirm; no queue, no check, no second try."""
    headers = {"Authorization": f"Bearer {server.token}"}

    def send(api: httpx.Client, storage: httpx.Client, take: Take) -> None:
        announced = api.post("/video-submissions", json=_announcement(take))
        ticket = announced.raise_for_status().json()
        submission_id = ticket["submission"]["id"]
        if take.thumbnail is not None:
            _put(storage, home, take.thumbnail.name, ticket, "thumbnail_upload")
        _put(storage, home, take.video.name, ticket, "upload")
        body = {
            "size_bytes": take.video.size_bytes,
            "sha256": take.video.sha256,
            "thumbnail": take.thumbnail is not None,
        }
        api.post(f"/video-submissions/{submission_id}/confirm", json=body).raise_for_status()

    with (
        httpx.Client(base_url=server.url, headers=headers, trust_env=False) as api,
        httpx.Client(trust_env=False) as storage,
    ):

        def send_all() -> None:
            for take in takes:
                send(api, storage, take)

        return seconds(send_all)


def _announcement(take: Take) -> dict[str, Any]:
    return {
        "id": take.id,
        "piece_id": take.context.piece_id,
        "duration_seconds": take.duration_seconds,
        "size_bytes": take.video.size_bytes,
        "sha256": take.video.sha256,
        "width": take.width,
        "height": take.height,
        "captured_at": take.captured_at.isoformat(),
        "thumbnail_size_bytes": take.thumbnail.size_bytes if take.thumbnail else None,
    }


def _put(
    storage: httpx.Client, home: Path, name: object, ticket: dict[str, Any], prefix: str
) -> None:
    path = Home(home).spool / str(name)
    headers = {**ticket[f"{prefix}_headers"], "Content-Length": str(path.stat().st_size)}
    with path.open("rb") as file:
        blocks = iter(partial(file.read, _BLOCK_BYTES), b"")
        storage.put(ticket[f"{prefix}_url"], content=blocks, headers=headers).raise_for_status()
