import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cadenza_client import CadenzaClient, Submission
from cadenza_server import ServerSettings, admin, create_app
from cadenza_server.serving import run_in_thread
from cadenza_uploader import Home, TakeQueue
from cadenza_uploader.take import Stage, Status
from tests.sweeps.takes import PIECE, recording, take_id_of

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Studio:
    """A running server with one student."""

    url: str
    user_id: int
    piece_id: str
    objects: Path

    def client(self) -> CadenzaClient:
        return CadenzaClient(self.url, token=f"dev_token_user_{self.user_id}")

    def submission(self, take_id: str) -> Submission | None:
        with self.client() as client:
            found = [s for s in client.submissions.list() if str(s.id) == take_id]
        assert len(found) <= 1, "I3: submitted twice"
        return found[0] if found else None

    def stored(self, take_id: str) -> bytes | None:
        found = list(self.objects.rglob(f"{take_id}.mp4"))
        return found[0].read_bytes() if found else None

    def command(self, home: Path, *verbs: str) -> list[str]:
        if not (home / "piece-id").exists():
            PIECE.leave(home, self.piece_id)
        return [sys.executable, "-m", "tests.sweeps.cycle", str(home), self.url, str(self.user_id),
                *verbs]  # fmt: skip

    def run(self, home: Path, *verbs: str, before: tuple[str, ...] = ()) -> int:
        done = subprocess.run(
            [*before, *self.command(home, *verbs)], cwd=ROOT, capture_output=True, timeout=120
        )
        if done.returncode not in (0, -9, 137):
            sys.stderr.write(done.stderr.decode(errors="replace")[-3000:])
        return done.returncode

    def nothing_is_lost(self, home: Path, seed: int) -> None:
        """I1, I3, I12: the bytes are here or confirmed there; at most one submission."""
        take_id = take_id_of(seed)
        local = home / "spool" / take_id / "video.mp4"
        submission = self.submission(take_id)
        if local.exists():
            assert local.read_bytes() == recording(seed)
        else:
            # Not published yet is no loss: the recording it was made from is untouched.
            published = (home / "spool" / take_id).exists()
            known = submission is not None
            if known or published:
                assert submission is not None
                assert submission.media_state in ("uploaded", "ready")
                assert self.stored(take_id) == recording(seed)

    def recovers(self, home: Path, seed: int) -> None:
        """The next start ends where it always ends: uploaded once, the spool empty."""
        assert (
            self.run(home, f"add:{seed}" if not self.known(home, seed) else "drain", "drain") == 0
        )
        with TakeQueue.open(Home(home)) as queue:
            take = queue.get(take_id_of(seed))
            assert (take.status, take.stage) == (Status.UPLOADED, Stage.CLEANED)
        submission = self.submission(take.id)
        assert submission is not None
        assert self.stored(take.id) == recording(seed)
        assert [p.name for p in (home / "spool").iterdir() if not p.name.startswith(".")] == []

    def known(self, home: Path, seed: int) -> bool:
        """Whether the take is in the queue or published in the spool."""
        return (home / "spool" / take_id_of(seed)).exists() or self.in_queue(home, seed)

    def in_queue(self, home: Path, seed: int) -> bool:
        with TakeQueue.open(Home(home)) as queue:
            return any(take.id == take_id_of(seed) for take in queue.list(limit=None))


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("studio")
    settings = ServerSettings(env="dev", data_dir=folder)
    accounts = admin.seed_demo(settings)
    server = run_in_thread(create_app(settings))
    try:
        yield Studio(server.url, accounts.student_id, str(accounts.piece_id), folder / "objects")
    finally:
        server.stop()
