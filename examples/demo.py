"""The whole loop on this machine: offline take, killed uploader, teacher's review, proof.

Run it with `python dev.py demo`. It uses the public packages only, and every line it prints was
checked first: a step that does not hold ends the demo with exit code 1.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import av

from cadenza_client import CadenzaClient
from cadenza_server import ServerSettings, admin, create_app
from cadenza_server.demo_studio import DemoClip, fill_studio
from cadenza_server.serving import RunningServer, run_in_thread
from cadenza_uploader import (
    Credential,
    CredentialStore,
    Daemon,
    Home,
    Settings,
    Stop,
    TakeQueue,
    connect,
    current_account,
    enqueue,
    record_take,
)
from cadenza_uploader.take import Stage, Status, Take, TakeContext

ROOT = Path(__file__).resolve().parents[1]
TONE_HZ = 440.0
# So short a take is sent this slowly once, and the uploader is killed in the middle.
SLOW_UPLOAD_SECONDS, KILL_AFTER_SECONDS = 4.0, 1.5


def main() -> int:
    """Run the demo; 0 when every step held."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the take")
    parser.add_argument("--keep", action="store_true", help="leave the server running at the end")
    parser.add_argument("--into", type=Path, metavar="DIR", help="an empty directory (.demo)")
    options = parser.parse_args()

    # The demo is about its own directory: no setting of yours may lead it elsewhere.
    for name in [name for name in os.environ if name.startswith("CADENZA_")]:
        del os.environ[name]
    os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    folder = options.into or ROOT / ".demo"
    if options.into is None:
        shutil.rmtree(folder, ignore_errors=True)  # the last demo's, and nobody else's
    folder.mkdir(exist_ok=True)
    if any(folder.iterdir()):
        parser.error(f"{folder} is not empty")

    started = time.monotonic()
    say(bold("Cadenza: a take on its way to the teacher"))
    try:
        server = loop(folder, options.seconds)
    except NotTrueError as error:
        say(f"\nThis did not hold: {error}")
        return 1
    seconds = time.monotonic() - started
    say(f"\n{bold('Done')} in {seconds:.0f} s. Nothing was sent beyond this machine.")
    if options.keep:
        people(folder, options.seconds)
        stay(server, folder)
    server.stop()
    return 0


def loop(folder: Path, seconds: float) -> RunningServer:
    """The five steps. Returns the server, still running."""
    server_settings = ServerSettings(env="dev", data_dir=folder / "server")
    accounts = admin.seed_demo(server_settings)

    step("server")
    server = run_in_thread(create_app(server_settings))
    port = int(server.url.rpartition(":")[2])
    tell("address", f"{server.url}  (SQLite and the built-in store, in {short(folder / 'server')})")
    settings = Settings.load({}, home=folder / "student", url=server.url)
    home = Home(settings.home).prepare()
    store = CredentialStore(home)
    with CadenzaClient(server.url, env={}) as anonymous:
        student = anonymous.auth.login(accounts.student_email, accounts.password)
        teacher = anonymous.auth.login(accounts.teacher_email, accounts.password)
    store.save(
        Credential(
            server_url=server.url,
            user_id=student.user.id,
            email=student.user.email,
            full_name=student.user.full_name or "",
            user_type=student.user.user_type,
            token=student.access_token,
        )
    )
    tell("people", f"{student.user.full_name} (student), {teacher.user.full_name} (teacher)")

    step("record, with no server in reach")
    server.stop()
    recording = folder / "take.mp4"
    facts = record_take(recording, seconds=seconds, tone_hz=TONE_HZ)
    tell(
        "take",
        f"{short(recording)}: {facts.duration_ms / 1000:.1f} s, {facts.width} × {facts.height}, "
        f"{facts.video_codec} and {facts.audio_codec}, {size(facts.size_bytes)}",
    )
    with TakeQueue.open(home) as queue:
        before = time.monotonic()
        take = enqueue(
            queue,
            recording,
            TakeContext(piece_id=str(accounts.piece_id), measure_number=17, notes="the shift"),
            account=current_account(settings, store),
            settings=settings,
        ).take
        tell(
            "queued",
            f"{take.short_id} in {time.monotonic() - before:.1f} s: {take.status.value}, copied to "
            f"{short(home.spool)}, synced to disk, thumbnail made",
        )
        daemon = Daemon(
            queue, connect=lambda: connect(settings, store), settings=settings, store=store
        )
        report = daemon.drain(Stop())
        take = queue.get(take.id)
        must(take.status is Status.PENDING, "an offline take stays pending")
        must(take.attempts == 0, "being offline costs no attempt")
        tell("offline", f"still {take.status.value} ({report.held or 'no'} hold), 0 attempts spent")

    step("back online, and the uploader is killed while it sends")
    server = run_in_thread(create_app(server_settings), port=port)
    slow = int(take.video.size_bytes / SLOW_UPLOAD_SECONDS)
    with uploader(folder, settings, rate=slow) as process:
        take = wait_for(home, take.id, lambda it: it.stage is Stage.REGISTERED)
        time.sleep(KILL_AFTER_SECONDS)
        process.send_signal(signal.SIGKILL)
    with TakeQueue.open(home) as queue:
        take = queue.get(take.id)
    must(take.status is Status.UPLOADING, "the uploader was killed while it was sending")
    must(recording.exists() and (home.path / "spool").exists(), "nothing was deleted")
    tell("kill -9", f"the take is {take.status.value}, {take.stage.word}; every byte is still here")
    before = time.monotonic()
    with uploader(folder, settings):
        take = wait_for(home, take.id, lambda it: it.stage is Stage.CLEANED)
    tell("again", f"{take.status.value} and {take.stage.word} in {time.monotonic() - before:.1f} s")
    receipt = take.receipt or {}
    must(receipt.get("sha256") == take.video.sha256, "the receipt names the recorded bytes")
    must(not (home.spool / take.id).exists(), "the queue's copies are gone")
    tell(
        "receipt",
        f"{size(receipt['size_bytes'])} and {receipt['verified']} verified by the server; "
        "only now the queue's copy was deleted",
    )

    step("the teacher")
    with CadenzaClient(server.url, token=teacher.access_token, env={}) as client:
        waiting = list(client.review.queue())
        must(len(waiting) == 1, "exactly one submission arrived, though the upload was cut")
        item = waiting[0]
        tell("inbox", f"1 take from {item.student_name}: bar 17, “{item.submission.notes}”")
        watched = folder / "watched.mp4"
        client.download(client.submissions.playback(item.submission.id), watched)
        must(watched.read_bytes() == recording.read_bytes(), "what is played is what was recorded")
        tell("playback", f"{short(watched)}: {size(watched.stat().st_size)}, the same bytes")
        picture, tone_hz = decode(watched)
        must(abs(tone_hz - TONE_HZ) < 0.02 * TONE_HZ, f"the tone is {TONE_HZ:.0f} Hz")
        tell("decoded", f"a picture of {picture}, and a tone of {tone_hz:.0f} Hz")
        reviewed = client.submissions.mark_reviewed(item.submission.id)
        must(not list(client.review.queue()), "what is reviewed leaves the inbox")
    with CadenzaClient(server.url, token=student.access_token, env={}) as client:
        seen = client.submissions.get(reviewed.id)
        must(seen.reviewed_at is not None, "the student sees that it was reviewed")
        events = [event.event for event in client.submissions.events(reviewed.id)]
        tell("reviewed", f"{student.user.full_name} sees it, at {seen.reviewed_at:%H:%M:%S} UTC")

    step("what is where")
    tell("your file", f"{short(recording)}, untouched")
    tell("queue", f"{short(home.database)}: the take, its attempts, its receipt")
    tell("store", short(next((folder / "server").rglob(f"{take.id}.mp4"))))
    tell("trail", ", ".join(events))
    return server


@contextmanager
def uploader(
    folder: Path, settings: Settings, *, rate: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The real daemon in a process of its own: `cadenza daemon run`."""
    env = {**os.environ, "CADENZA_HOME": str(settings.home), "CADENZA_URL": settings.url}
    if rate is not None:
        env["CADENZA_RATE_LIMIT"] = str(rate)
    with (folder / "daemon.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cadenza_cli", "daemon", "run"],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


def wait_for(home: Home, take_id: str, reached: Callable[[Take], bool]) -> Take:
    """Watch the queue until the take has come so far."""
    deadline = time.monotonic() + 60
    with TakeQueue.open(home) as queue:
        while time.monotonic() < deadline:
            take = queue.get(take_id)
            if reached(take):
                return take
            time.sleep(0.05)
    raise NotTrueError(f"after a minute the take is {take.status.value}, {take.stage.word}")


@dataclass(frozen=True)
class Picture:
    """What one decoded frame shows: its size in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width} × {self.height}"


def decode(path: Path) -> tuple[Picture, float]:
    """Decode a frame and the sound of a video; returns the picture's size and the tone in Hz."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        picture = Picture(frame.width, frame.height)
    samples = array("f")
    with av.open(str(path)) as container:
        rate = container.streams.audio[0].rate
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        for decoded in container.decode(audio=0):
            for frame_of_sound in resampler.resample(decoded):
                count = frame_of_sound.samples * 4
                samples.frombytes(bytes(frame_of_sound.planes[0])[:count])
    rising = [at for at, (a, b) in enumerate(pairwise(samples)) if a < 0 <= b]
    # The median period: a click on each beat disturbs a few periods, not most of them.
    return picture, rate / median(b - a for a, b in pairwise(rising))


def people(folder: Path, seconds: float) -> None:
    """Fill the studio with a week of takes, markers and messages, all of the recorded video."""
    settings = ServerSettings(env="dev", data_dir=folder / "server")
    thumbnail = next((folder / "server").rglob("*_thumb.jpg"), None)
    video = (folder / "take.mp4").read_bytes()
    picture = thumbnail.read_bytes() if thumbnail else None
    takes = fill_studio(settings, DemoClip(video, round(seconds), picture))
    say(f"\n{takes} more takes of four students are in the studio, with what was said about them.")


def stay(server: RunningServer, folder: Path) -> None:
    """Leave the server running until Ctrl-C, and say how to look around."""
    say(f"\nThe server stays at {server.url} until Ctrl-C. In another terminal:")
    say(f"  export CADENZA_URL={server.url} CADENZA_HOME={folder / 'student'}")
    say(f"  {Path(sys.executable).with_name('cadenza')} queue ls")
    say(f"Or sign in there with a browser: teacher@demo.example, {admin.DEMO_PASSWORD}")
    try:
        signal.pause()
    except KeyboardInterrupt:
        say("")


class NotTrueError(Exception):
    """Something the demo is about to claim does not hold."""


def must(holds: bool, claim: str) -> None:
    """Refuse to go on when a claim does not hold."""
    if not holds:
        raise NotTrueError(claim)


def step(title: str) -> None:
    """Begin a step."""
    say(f"\n{bold(title)}")


def tell(name: str, what: str) -> None:
    """One fact of a step."""
    say(f"  {name:<9} {what}")


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    print(line, flush=True)


def bold(text: str) -> str:
    """Bold where somebody looks."""
    plain = not sys.stdout.isatty() or "NO_COLOR" in os.environ
    return text if plain else f"\x1b[1m{text}\x1b[0m"


def size(count: int) -> str:
    """Bytes as people say them."""
    return f"{count / 1_000_000:.2f} MB"


def short(path: Path) -> str:
    """A path from the project's root, where it is inside."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


if __name__ == "__main__":
    sys.exit(main())
