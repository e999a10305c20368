"""A child process that queues and sends, to be killed, starved and cut off by the sweeps.

Usage: python -m tests.sweeps.cycle HOME URL USER_ID VERB…, each verb one of

    add:SEED      queue the take of that seed, and say `added ID` once it is durable
    drain         send what can be sent, and say `drained N`
    forever       queue takes one after another until killed
    run           be the daemon until SIGTERM
"""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

from cadenza_uploader import (
    Credential,
    CredentialStore,
    Daemon,
    Home,
    Settings,
    TakeQueue,
    connect,
    stop_on_signals,
)
from cadenza_uploader.take import Account
from tests.sweeps.takes import queue_take


def main(home_path: str, url: str, user_id: str, *verbs: str) -> None:
    home = Home(Path(home_path)).prepare()
    # Of the environment only the rate limit counts here: the sweeps slow an upload down with it.
    rate_limit = os.environ.get("CADENZA_RATE_LIMIT")
    settings = Settings.load({}, rate_limit=rate_limit, home=home.path, url=url, timings="fast")
    store = CredentialStore(home)
    token = f"dev_token_user_{user_id}"
    if store.load(url) is None:
        store.save(Credential(url, int(user_id), "s@example.org", "Sam", "student", token))
    account = Account(url, int(user_id))
    with stop_on_signals() as stop, TakeQueue.open(home) as queue:
        daemon = Daemon(
            queue, connect=lambda: connect(settings, store), settings=settings, store=store
        )
        for verb in verbs:
            name, _, argument = verb.partition(":")
            if name == "add":
                say(f"added {queue_take(queue, int(argument), account)}")
            elif name == "forever":
                for seed in itertools.count(1):
                    say(f"added {queue_take(queue, seed, account)}")
            elif name == "drain":
                say(f"drained {len(daemon.drain(stop, wait_seconds=20).uploaded)}")
            else:
                say("running")
                daemon.run(stop)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
