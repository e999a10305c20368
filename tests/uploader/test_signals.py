"""Stopping: asked for once, noticed at once, and never a deadlock."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from cadenza_uploader._signals import Stop, stop_on_signals

CHECKOUT = Path(__file__).parents[2]


def program(source: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(source)]


def start(source: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        program(source), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT
    )


def line_of(child: "subprocess.Popen[str]") -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


# ── the event ──────────────────────────────────────────────────────────────────────────────────


def test_nothing_was_asked_for_yet() -> None:
    stop = Stop()
    assert (stop.requested, stop.is_set(), stop.reason) == (False, False, "")
    assert not stop.wait(0)
    assert not stop.wait(-1)


def test_the_first_reason_wins_and_listeners_hear_it_once() -> None:
    stop, heard = Stop(), list[str]()
    stop.on_request(lambda: heard.append(stop.reason))
    stop.request("SIGTERM")
    stop.request("SIGINT")
    assert (stop.requested, stop.is_set(), stop.reason) == (True, True, "SIGTERM")
    assert heard == ["SIGTERM"]


def test_a_stop_ends_every_wait_and_every_later_one() -> None:
    stop, ended = Stop(), list[bool]()
    threads = [
        threading.Thread(target=lambda: ended.append(stop.wait(300)), daemon=True) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    stop.request("over")
    for thread in threads:
        thread.join(timeout=10)
    assert ended == [True, True, True]
    assert stop.wait(30)
    assert stop.wait(0)


def test_of_many_who_ask_at_once_one_is_first() -> None:
    for _ in range(50):
        stop, heard, meet = Stop(), list[str](), threading.Barrier(4)
        stop.on_request(partial(heard.append, "asked"))

        def ask(name: str, stop: Stop = stop, meet: threading.Barrier = meet) -> None:
            meet.wait(timeout=30)
            stop.request(name)

        threads = [threading.Thread(target=ask, args=(str(n),)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert heard == ["asked"]
        assert stop.reason in {"0", "1", "2", "3"}


@pytest.mark.parametrize("step", range(8))
def test_a_signal_in_the_middle_of_asking_is_not_heard_twice(step: int) -> None:
    stop, heard, steps = Stop(), list[str](), 0
    stop.on_request(partial(heard.append, "asked"))

    def between(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal steps
        if event == "line" and frame.f_code is Stop.request.__code__:
            if steps == step:
                sys.settrace(None)
                stop.request("second")
            steps += 1
        return between

    before = sys.gettrace()
    sys.settrace(between)
    try:
        stop.request("first")
    finally:
        sys.settrace(before)
    assert heard == ["asked"]
    assert stop.requested


def interrupted_at(step: int, seconds: float) -> tuple[bool, bool, float]:
    """Ask for the stop between two steps of the waiting thread, as a signal handler does."""
    stop, steps, asked = Stop(), 0, False

    def between(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal steps, asked
        if event == "line" and frame.f_code.co_name != "interrupted_at":
            if steps == step:
                asked = True
                sys.settrace(None)
                stop.request("signal")
            steps += 1
        return between

    before, began = sys.gettrace(), time.monotonic()
    sys.settrace(between)
    try:
        ended = stop.wait(seconds)
    finally:
        sys.settrace(before)
    return asked, ended, time.monotonic() - began


def test_a_stop_between_any_two_steps_of_a_wait_is_neither_lost_nor_a_deadlock() -> None:
    # In a process of its own: what this looks for is a process that hangs.
    source = """
        from tests.uploader.test_signals import interrupted_at
        step = 0
        while True:
            asked, ended, seconds = interrupted_at(step, 0.3)
            if not asked:
                break
            assert ended, f"lost at step {step}"
            step += 1
        print(step)
    """
    done = subprocess.run(
        program(source), capture_output=True, text=True, timeout=60, cwd=CHECKOUT, check=True
    )
    assert int(done.stdout) >= 3


# ── signals ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_for_a_stop(number: signal.Signals) -> None:
    with stop_on_signals() as stop:
        os.kill(os.getpid(), number)
        assert stop.wait(30)
        assert stop.reason == number.name


def test_a_second_term_changes_nothing() -> None:
    with stop_on_signals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(30)
        assert stop.reason == "SIGTERM"


@pytest.mark.parametrize("leave", [lambda: None, lambda: 1 / 0])
def test_the_handlers_from_before_come_back(leave: Callable[[], object]) -> None:
    def mine(_signum: int, _frame: FrameType | None) -> None:
        return None

    before = {n: signal.signal(n, mine) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        try:
            with stop_on_signals():
                assert signal.getsignal(signal.SIGINT) is not mine
                leave()
        except ZeroDivisionError:
            pass
        assert signal.getsignal(signal.SIGTERM) is mine
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_signal_ends_a_wait_of_the_main_thread_at_once() -> None:
    child = start(
        """
        import time
        from cadenza_uploader._signals import stop_on_signals
        with stop_on_signals() as stop:
            print("waiting", flush=True)
            began = time.monotonic()
            stop.wait(60)
            print(stop.reason, time.monotonic() - began < 30, flush=True)
        """
    )
    with child:
        assert line_of(child) == "waiting"
        child.send_signal(signal.SIGTERM)
        assert line_of(child) == "SIGTERM True"
        assert child.wait(timeout=30) == 0


def test_only_a_second_interrupt_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)
    with stop_on_signals() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(30)
        assert left == []
        os.kill(os.getpid(), signal.SIGINT)
        while not left:
            time.sleep(0.001)  # Python runs the handler between two of its own steps
    assert left == [130]


def test_a_second_interrupt_leaves_at_once() -> None:
    # P05: a person who presses Ctrl-C twice means it, whatever is going on.
    child = start(
        """
        import time
        from cadenza_uploader._signals import stop_on_signals
        with stop_on_signals() as stop:
            print("ready", flush=True)
            stop.wait(60)
            print(stop.reason, flush=True)
            while True:
                time.sleep(60)
        """
    )
    with child:
        assert line_of(child) == "ready"
        child.send_signal(signal.SIGINT)
        assert line_of(child) == "SIGINT"
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=30) == 130
