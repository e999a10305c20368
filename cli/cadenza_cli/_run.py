"""One run of the command: what was asked for, and the doors to everything outside.

Doors open on first use, so `cadenza --help` opens none and `cadenza queue ls` no network.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cadenza_cli._errors import CommandError, ExitCode
from cadenza_cli._output import Output

if TYPE_CHECKING:
    from cadenza_cli._pieces import PieceNames
    from cadenza_client import CadenzaClient
    from cadenza_uploader import CredentialStore, Home, Settings, TakeQueue
    from cadenza_uploader.take import Account

__all__ = ["Common", "Run", "World"]


@dataclass(frozen=True, slots=True)
class Common:
    """The options every command has."""

    url: str | None = None
    home: Path | None = None
    json: bool = False
    quiet: bool = False
    debug: bool = False

    def over(self, before: Common) -> Common:
        """These, with what was given before the command's name where they say nothing."""
        return Common(
            url=self.url or before.url,
            home=self.home or before.home,
            json=self.json or before.json,
            quiet=self.quiet or before.quiet,
            debug=self.debug or before.debug,
        )


def _open_browser(address: str) -> bool:
    import webbrowser

    return webbrowser.open(address)


def _run_program(words: Sequence[str]) -> int:
    import subprocess

    try:
        return subprocess.run(words, check=False).returncode  # noqa: S603 - our own words, no shell
    except OSError:
        return 127


@dataclass(slots=True)
class World:
    """What a test replaces: clocks, sleeping, environment, platform, browser, other programs.

    Attributes:
        common: options given before the command's name.
    """

    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    env: Mapping[str, str] = field(default_factory=lambda: os.environ)
    platform: str = sys.platform
    open_browser: Callable[[str], bool] = _open_browser
    run_program: Callable[[Sequence[str]], int] = _run_program
    common: Common = field(default_factory=Common)


class Run:
    """What a command works with.

    Attributes:
        world: the outside.
        common: the options every command has.
        out: where answers, notes and errors go.
    """

    def __init__(self, world: World, common: Common) -> None:
        self.world = world
        self.common = common
        self.out = Output(
            "json" if common.json else "quiet" if common.quiet else "human", env=world.env
        )

    @cached_property
    def settings(self) -> Settings:
        """Options over `CADENZA_*` over `config.toml` over defaults."""
        from cadenza_uploader import Settings

        return Settings.load(self.world.env, url=self.common.url, home=self.common.home)

    @cached_property
    def home(self) -> Home:
        """Where the queue lives."""
        from cadenza_uploader import Home

        return Home(self.settings.home)

    @cached_property
    def credentials(self) -> CredentialStore:
        """The sign-ins of this device."""
        from cadenza_uploader import credential_store

        return credential_store(self.home)

    @property
    def account(self) -> Account:
        """Whose takes are queued now."""
        from cadenza_uploader import current_account

        return current_account(self.settings, self.credentials)

    @property
    def signed_in(self) -> bool:
        """Whether there is a token for the server; it is not asked whether it is still good."""
        return (
            self.settings.token is not None or self.credentials.load(self.settings.url) is not None
        )

    @cached_property
    def piece_names(self) -> PieceNames:
        """The pieces this device has heard of."""
        from cadenza_cli._pieces import PieceNames

        return PieceNames.load(self.settings.home, self.settings.url)

    def now(self) -> datetime:
        """The present moment, aware and in UTC."""
        return datetime.fromtimestamp(self.world.clock(), UTC)

    @contextmanager
    def queue(self) -> Generator[TakeQueue]:
        """The queue of this device, closed afterwards."""
        from cadenza_uploader import TakeQueue

        with TakeQueue.open(self.home, clock=self.world.clock) as queue:
            yield queue

    def connect(self) -> CadenzaClient:
        """A client with whatever token there is; nothing is sent yet."""
        from cadenza_uploader import connect

        return connect(self.settings, self.credentials)

    @contextmanager
    def client(self) -> Generator[CadenzaClient]:
        """A signed-in client, closed afterwards.

        Raises:
            CommandError: nobody is signed in for this server (exit 3).
        """
        if not self.signed_in:
            raise sign_in_needed(self.settings.url)
        with self.connect() as client:
            yield client

    def start_logging(self) -> None:
        """Send Cadenza's own log to standard error, at the level of CADENZA_LOG or --debug.

        Only Cadenza's loggers: httpx writes whole addresses at INFO, and a signed address is
        a secret (SEC-01).
        """
        level = "DEBUG" if self.common.debug else self.world.env.get("CADENZA_LOG", "")
        if not level:
            return
        import logging

        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        for name in ("cadenza_client", "cadenza_uploader", "cadenza_cli"):
            logger = logging.getLogger(name)
            try:
                logger.setLevel(level.upper())
            except ValueError:
                raise CommandError(
                    f"CADENZA_LOG is {level!r}, which is no log level.",
                    code="invalid_settings",
                    exit_code=ExitCode.USAGE,
                    next_step="Use DEBUG, INFO, WARNING or ERROR.",
                ) from None
            logger.handlers = [handler]


def sign_in_needed(url: str) -> CommandError:
    """Nobody is signed in for this server."""
    return CommandError(
        f"You are not signed in to {url}.",
        code="signin_required",
        exit_code=ExitCode.SIGN_IN,
        next_step="Sign in with `cadenza login`.",
    )
