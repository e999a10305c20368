from __future__ import annotations

import stat
from pathlib import Path
from uuid import UUID

import pytest

from cadenza_cli._pieces import PieceNames, UnknownPieceError
from cadenza_client.models import Piece

URL = "http://127.0.0.1:8000"
BACH, BACH_TOO, KOL = (str(UUID(int=number)) for number in (1, 2, 3))


def _piece(one: str, title: str) -> Piece:
    return Piece(id=UUID(one), title=title)


@pytest.fixture
def names(tmp_path: Path) -> PieceNames:
    PieceNames.remember(
        tmp_path,
        URL,
        [
            _piece(BACH, "Bach: Menuett"),
            _piece(BACH_TOO, "Bach"),
            _piece(KOL, "Kol Nidrei, Dvořák"),
        ],
    )
    return PieceNames.load(tmp_path, URL)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (KOL, KOL),
        (KOL.upper(), KOL),
        ("kol", KOL),
        ("DVOŘÁK", KOL),
        ("bach", BACH_TOO),
        ("menu", BACH),
    ],
)
def test_a_piece_is_found_by_id_whole_title_or_part(
    names: PieceNames, words: str, found: str
) -> None:
    assert names.find(words) == found


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("ach", "'ach' may mean several pieces: Bach; Bach: Menuett."),
        ("elgar", "'elgar' is no piece this device knows; `cadenza pieces ls` lists them."),
    ],
)
def test_what_is_not_one_piece_is_said(names: PieceNames, words: str, sentence: str) -> None:
    with pytest.raises(UnknownPieceError) as caught:
        names.find(words)
    assert str(caught.value) == sentence


def test_adding_keeps_and_replacing_forgets(names: PieceNames, tmp_path: Path) -> None:
    PieceNames.remember(tmp_path, URL, [_piece(KOL, "Kol")], add=True)
    assert len(PieceNames.load(tmp_path, URL).titles) == 3
    PieceNames.remember(tmp_path, URL, [_piece(KOL, "Kol")])
    assert PieceNames.load(tmp_path, URL).titles == {KOL: "Kol"}


def test_servers_are_kept_apart(names: PieceNames, tmp_path: Path) -> None:
    assert PieceNames.load(tmp_path, "http://127.0.0.1:1").titles == {}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 1}', '{"a": {"b": [1]}}'])
def test_a_damaged_file_is_only_a_lost_convenience(tmp_path: Path, content: str) -> None:
    (tmp_path / "pieces.json").write_text(content)
    assert PieceNames.load(tmp_path, URL).titles == {}
    PieceNames.remember(tmp_path, URL, [_piece(KOL, "Kol")])
    assert PieceNames.load(tmp_path, URL).titles == {KOL: "Kol"}


def test_titles_are_for_their_owner_only(names: PieceNames, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "pieces.json").stat().st_mode) == 0o600


def test_a_home_that_cannot_be_made_fails_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    PieceNames.remember(tmp_path / "file" / "home", URL, [_piece(KOL, "Kol")])
