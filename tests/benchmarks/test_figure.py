"""What is printed about a measurement is what was measured."""

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.figure import Aim, Benchmark, Pairs, Run, SkippedError, in_turn
from benchmarks.suite import BENCHMARKS

RUN = Run(folder=Path(), cache=Path())


def benchmark(
    pairs: Pairs | Exception,
    *,
    name: str = "thing",
    aim: Aim | None = None,
    difference: bool = False,
    absolute: bool = False,
) -> Benchmark:
    def measure(run: Run) -> Pairs:
        if isinstance(pairs, Exception):
            raise pairs
        return pairs

    return Benchmark(
        name,
        "cadenza",
        "cp",
        "MB/s",
        aim or Aim("≥", 1.0),
        measure,
        difference=difference,
        absolute=absolute,
    )


def test_both_sides_are_called_in_turn_and_the_warm_up_is_left_out() -> None:
    calls: list[str] = []
    values = iter([9.0, 9.0, 1.0, 2.0, 3.0, 4.0])

    def side(name: str) -> float:
        calls.append(name)
        return next(values)

    pairs = in_turn(lambda: side("A"), lambda: side("B"), pairs=2)
    assert "".join(calls) == "ABABAB"
    assert pairs.values == ((1.0, 2.0), (3.0, 4.0))


def test_the_ratio_is_the_median_within_pairs_not_of_the_medians() -> None:
    # The machine was four times slower during the second pair.
    pairs = Pairs(((1.0, 2.0), (4.0, 8.0), (1.0, 2.0)))
    assert (pairs.ours, pairs.peer, pairs.ratio, pairs.spread) == (1.0, 2.0, 0.5, (0.5, 0.5))


def test_a_rate_turns_the_ratio_around() -> None:
    rates = Pairs(((2.0, 1.0),)).rate(100)
    assert (rates.ours, rates.peer, rates.ratio) == (50.0, 100.0, 0.5)


@pytest.mark.parametrize(
    ("aim", "value", "holds"),
    [
        (Aim("≥", 1.1), 1.1, True),
        (Aim("≥", 1.1), 1.09, False),
        (Aim("≤", 8, "MiB"), 8.0, True),
        (Aim("≤", 8, "MiB"), 8.1, False),
    ],
)
def test_the_bound_itself_holds(aim: Aim, value: float, holds: bool) -> None:
    assert aim.holds(value) is holds


def test_an_aim_reads_as_people_write_it() -> None:
    assert [str(Aim("≥", 1.1)), str(Aim("≤", 8, "MiB"))] == ["≥ 1.1×", "≤ 8 MiB"]


def test_a_difference_is_judged_instead_of_the_ratio() -> None:
    figure = benchmark(Pairs(((40.0, 35.0),)), aim=Aim("≤", 4, "MiB"), difference=True)
    measured = command.measure(figure, RUN)
    assert measured.holds is False
    assert "difference 5.0" in measured.note


@pytest.mark.parametrize(("ours", "holds"), [(2.0, True), (2.1, False)])
def test_what_a_person_waits_for_is_judged_without_the_peer(ours: float, holds: bool) -> None:
    figure = benchmark(Pairs(((ours, 0.1),)), aim=Aim("≤", 2, "s"), absolute=True)
    assert command.measure(figure, RUN).holds is holds


def test_a_missing_peer_is_neither_a_pass_nor_a_miss() -> None:
    figure = command.measure(benchmark(SkippedError("curl is not installed")), RUN)
    assert figure.holds is None
    assert figure.note == "skipped: curl is not installed"


def test_a_broken_measurement_is_a_miss_and_says_what_broke() -> None:
    figure = command.measure(benchmark(ValueError("no such clip")), RUN)
    assert figure.holds is False
    assert figure.note == "broken: ValueError: no such clip"


def test_a_missed_aim_fails_the_command_and_is_in_the_json(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = [
        benchmark(Pairs(((1.0, 2.0),)), name="missed"),
        benchmark(SkippedError("no peer"), name="skipped"),
        benchmark(Pairs(((2.0, 2.0),)), name="held"),
    ]
    monkeypatch.setattr(command, "BENCHMARKS", figures)
    monkeypatch.setattr(command, "CACHE", tmp_path / "cache")
    monkeypatch.setattr("signal.signal", lambda *_: None)
    report = tmp_path / "figures.json"

    assert command.main(["--json", str(report)]) == 1
    kept = json.loads(report.read_text())["figures"]
    assert [(each["name"], each["holds"], each["ratio"]) for each in kept] == [
        ("missed", False, 0.5),
        ("skipped", None, None),
        ("held", True, 1.0),
    ]
    printed = capsys.readouterr().out
    assert "1 hold, 1 do not, 1 skipped" in printed
    assert all(line.count("|") == 9 for line in printed.splitlines() if line.startswith("|"))

    assert command.main(["--only", "held", "skipped"]) == 0


def test_only_takes_a_name_or_the_start_of_several(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        command.main(["--only", "no-such-figure"])
    assert stop.value.code == 2
    assert "no figure has such a name" in capsys.readouterr().err


def test_the_page_says_what_every_figure_means() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
    meanings, _, _ = page.read_text("utf-8").partition("## Latest figures")
    explained = [line.split("`")[1] for line in meanings.splitlines() if line.startswith("| `")]
    assert explained == [each.name for each in BENCHMARKS]


@pytest.mark.parametrize(
    ("quick", "load", "said"),
    [(False, 1e6, "Other work was running"), (False, 0.0, ""), (True, 0.0, "A quick run only")],
)
def test_the_summary_says_what_the_figures_are_worth(quick: bool, load: float, said: str) -> None:
    summary = command.summary([], quick=quick, load=load)
    _, _, rest = summary.partition("skipped.")
    assert rest.strip().startswith(said)
    assert bool(rest) is bool(said)
