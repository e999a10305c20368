"""A process that uploads one file, hashing while it sends, and prints its peak memory in KiB."""

import resource
import sys
from pathlib import Path

from benchmarks.uploads import storage_client
from cadenza_client.models import UploadTarget


def main(url: str, path: Path) -> None:
    """Upload the file to the sink at this address and print the peak."""
    target = UploadTarget(
        url=f"{url}/take.mp4", headers={"Content-Type": "video/mp4"}, expires_in=3600
    )
    with storage_client(url) as client:
        stored = client.upload_media(
            target, path, content_type="video/mp4", sha256=None, hash_while_sending=True
        )
    assert stored.size_bytes == path.stat().st_size
    print(_peak_kibibytes())


def _peak_kibibytes() -> int:
    # `ru_maxrss` of a child starts at what its parent had when it forked; VmHWM starts at exec.
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
