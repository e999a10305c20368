"""`/v/{submission}` and `/record`: who gets which page, and what it carries."""

from __future__ import annotations

import json
import re

import pytest

from tests.server.world import World


def data_of(text: str) -> dict[str, object]:
    """The submission the page carries for its scripts."""
    match = re.search(r'data-part="submission">(.*?)</script>', text, re.DOTALL)
    assert match
    return dict(json.loads(match[1]))


@pytest.mark.parametrize(
    ("who", "role"), [("student", "student"), ("teacher", "teacher"), ("admin", "observer")]
)
def test_everybody_gets_the_tools_of_their_role(world: World, who: str, role: str) -> None:
    take = world.uploaded(page_number=3, measure_number=17, notes="</script><b>slow</b>")
    answer = world.ask(who, "GET", f"/v/{take}")
    assert answer.status_code == 200
    text = answer.text
    assert f'data-role="{role}"' in text
    assert ('data-part="review"' in text) == (role == "teacher")
    assert ('data-part="composer"' in text) == (role != "observer")
    assert ('data-part="reply"' in text) == (role != "observer")
    assert "p. 3, bar 17" in text
    assert data_of(text)["id"] == take
    assert "<b>slow" not in text  # what a student writes never becomes markup


@pytest.mark.parametrize("who", ["other_teacher", "second_student", "other_student"])
def test_strangers_are_refused_in_a_page(world: World, who: str) -> None:
    take = world.uploaded()
    for path in (f"/v/{take}", f"/v/{take}/download"):
        answer = world.ask(who, "GET", path)
        assert answer.status_code == 403
        assert "This is not yours to see" in answer.text


def test_a_deleted_take_and_a_wrong_address_say_so(world: World) -> None:
    take = world.uploaded()
    world.ask("student", "DELETE", f"/video-submissions/{take}")
    assert world.ask("student", "GET", f"/v/{take}").status_code == 410
    assert world.ask("student", "GET", "/v/not-an-id").status_code == 404


def test_the_download_leads_to_the_file_with_a_name(world: World) -> None:
    take = world.uploaded()
    answer = world.ask("teacher", "GET", f"/v/{take}/download")
    assert answer.status_code == 303
    assert answer.headers["cache-control"] == "no-store"
    video = world.http.get(answer.headers["location"])
    assert video.status_code == 200
    assert "Bourr" in video.headers["content-disposition"]
    on_the_way = world.create()["submission"]["id"]
    assert world.ask("student", "GET", f"/v/{on_the_way}/download").status_code == 409


def test_a_take_is_of_what_the_student_practises(world: World) -> None:
    page = world.ask("student", "GET", "/record").text
    assert f'value="piece_id:{world.piece_id}"' in page
    assert f'value="exercise_id:{world.exercise_id}"' in page
    assert str(world.foreign_piece_id) not in page


def test_without_pieces_the_recorder_says_what_is_missing(world: World) -> None:
    page = world.ask("second_student", "GET", "/record").text
    assert "Nothing to play yet" in page
    assert 'data-part="recorder"' not in page
