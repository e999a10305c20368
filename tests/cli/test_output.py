import io
import json
import sys

import pytest

from cadenza_cli._output import Output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Both streams are a terminal of 40 columns. Called in the test: pytest swaps them before."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", "40")
    return screen


def test_json_is_one_document_and_no_human_word(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output("json", env={})
    out.line("human")
    out.note("human")
    out.warn("human")
    out.table(["A"], [["human"]])
    out.fields([("a", "human")])
    out.answer({"title": "Dvořák"}, ids=["1"], human=lambda: out.line("human"))
    seen = capsys.readouterr()
    assert json.loads(seen.out) == {"title": "Dvořák"}
    assert "human" not in seen.out + seen.err


def test_quiet_is_ids_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output("quiet", env={})
    out.note("human")
    out.answer({"a": 1}, ids=["one", "two"], human=lambda: out.line("human"))
    seen = capsys.readouterr()
    assert seen.out == "one\ntwo\n"
    assert seen.err == ""


def test_an_answer_for_people_needs_no_words(capsys: pytest.CaptureFixture[str]) -> None:
    Output("human", env={}).answer({"a": 1})
    assert capsys.readouterr().out == ""


def test_warnings_and_errors_go_beside_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output("human", env={})
    out.warn("no sound")
    out.error("bad \x1b[31m", "do this", document={})
    out.error("no way on", None, document={})
    seen = capsys.readouterr()
    assert seen.out == ""
    assert seen.err == (
        "Warning: no sound\nError: bad \ufffd[31m\nNext:  do this\nError: no way on\n"
    )


def test_an_error_in_json_is_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    Output("json", env={}).error("bad", "next", document={"code": "x"})
    seen = capsys.readouterr()
    assert json.loads(seen.out) == {"error": {"code": "x"}}
    assert seen.err == ""


def test_an_error_is_said_even_when_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    Output("quiet", env={}).error("bad", None, document={})
    assert capsys.readouterr().err == "Error: bad\n"


def test_columns_line_up_with_wide_characters(capsys: pytest.CaptureFixture[str]) -> None:
    Output(env={}).table(["NAME", "N"], [["한국", "1"], ["Ada", "2"]])
    assert capsys.readouterr().out == "NAME  N\n한국  1\nAda   2\n"


def test_a_piped_table_is_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    Output(env={}).table(["NOTES"], [["x" * 300]])
    assert "x" * 300 in capsys.readouterr().out


def test_the_last_column_gives_way_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _at_a_terminal(monkeypatch)
    Output(env={"NO_COLOR": "1"}).table(["ID", "NOTES"], [["1234", "한" * 60]])
    lines = screen.getvalue().splitlines()
    assert lines[0] == "ID    NOTES"
    assert lines[1].endswith("…")
    assert len(lines[1]) == 6 + 16 + 1


def test_a_long_title_gives_way_too_and_an_id_never(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _at_a_terminal(monkeypatch)
    out = Output(env={"NO_COLOR": "1"})
    out.table(["ID", "ABOUT", "STATE"], [["i" * 12, "t" * 60, "s" * 60]])
    out.table(["ID", "ABOUT"], [["i" * 50, "t" * 60]])
    lines = screen.getvalue().splitlines()
    assert lines[1] == f"{'i' * 12}  {'t' * 15}…  {'s' * 7}…"
    assert len(lines[1]) == 40
    assert lines[3].startswith("i" * 50 + "  ")


def test_colours_only_where_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    _at_a_terminal(monkeypatch)
    assert Output(env={}).paint("x", "red", "bold") == "\x1b[31;1mx\x1b[0m"
    assert Output(env={"NO_COLOR": "1"}).paint("x", "red") == "x"
    assert Output(env={"NO_COLOR": ""}).paint("x", "red") != "x"
    assert Output(env={"TERM": "dumb"}).paint("x", "red") == "x"
    assert Output(env={}).paint("x", "red", on=io.StringIO()) == "x"


def test_painted_cells_keep_their_column(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _at_a_terminal(monkeypatch)
    Output(env={}).table(["A", "B"], [[("ok", "green"), "z"], [("failed", "red"), "z"]])
    rows = screen.getvalue().splitlines()[1:]
    assert rows == ["\x1b[32mok    \x1b[0m  z", "\x1b[31mfailed\x1b[0m  z"]


def test_progress_is_for_people_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    _at_a_terminal(monkeypatch)
    assert Output("human", env={}).shows_progress
    assert Output("json", env={}).shows_progress
    assert not Output("quiet", env={}).shows_progress
    assert not Output("human", env={"TERM": "dumb"}).shows_progress
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not Output("human", env={}).shows_progress


def test_fields_leave_out_what_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    Output(env={}).fields([("take", "1"), ("submission", None), ("to", "2")])
    assert capsys.readouterr().out == "take:  1\nto:    2\n"


def test_a_terminal_that_cannot_show_a_title_shows_it_approximately(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    Output(env={}).line("Dvořák")
    stream.seek(0)
    assert stream.read() == "Dvo?ák\n".replace("á", "?")
