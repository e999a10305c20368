"""Nothing is deleted unless every condition holds: all combinations of evidence are tried."""

import itertools
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza_uploader._delete_gate import Evidence, refusal
from cadenza_uploader.take import Asset, Stage

OURS, OTHER = "a" * 64, "b" * 64
VIDEO = Asset("video", PurePosixPath("id/video.mp4"), 4000, OURS, "video/mp4", 1, 2)
#: A v2 server compared the hash and signed.
SIGNED: dict[str, Any] = {
    "size_bytes": 4000,
    "sha256": OURS,
    "verified": "sha256",
    "key_id": "k1",
    "signature": "s",
}
#: A v1 server cannot: we looked at the stored object ourselves.
LOOKED: dict[str, Any] = {
    "size_bytes": 4000,
    "sha256": None,
    "verified": "size",
    "key_id": None,
    "signature": None,
}


def evidence(receipt: dict[str, Any] | None, **changes: Any) -> Evidence:
    given_: dict[str, Any] = {
        "stage": Stage.CONFIRMED,
        "receipt": receipt,
        "video": VIDEO,
        "unchanged": True,
        "owned": True,
        **changes,
    }
    return Evidence(**given_)


#: What may be wrong, each with what makes it wrong and what it is called.
FLAWS: dict[str, dict[str, Any]] = {
    "not confirmed": {"stage": Stage.STORED},
    "no receipt": {"receipt": None},
    "other size": {"size_bytes": 3999},
    "other bytes": {"sha256": OTHER},
    "size only": {"verified": "size"},
    "changed here": {"unchanged": False},
    "not ours": {"owned": False},
}


def combinations() -> list[tuple[str, ...]]:
    names = list(FLAWS)
    return [c for n in range(len(names) + 1) for c in itertools.combinations(names, n)]


@pytest.mark.parametrize("receipt", [SIGNED, LOOKED | {"verified": "md5"}], ids=["v2", "v1"])
def test_of_all_combinations_only_the_flawless_one_passes(receipt: dict[str, Any]) -> None:
    passed = []
    for flaws in combinations():
        facts: dict[str, Any] = {"receipt": dict(receipt), "stage": Stage.CONFIRMED}
        for flaw in flaws:
            for name, value in FLAWS[flaw].items():
                if name in ("size_bytes", "sha256", "verified"):
                    if facts["receipt"] is not None:
                        facts["receipt"] = {**facts["receipt"], name: value}
                else:
                    facts[name] = value
        if refusal(evidence(facts.pop("receipt"), **facts)) is None:
            passed.append(flaws)
    # For a v1 server our own look at the size is all the proof there can be.
    assert passed == ([()] if receipt is SIGNED else [(), ("size only",)])


def test_there_are_as_many_combinations_as_there_should_be() -> None:
    assert len(combinations()) == 2 ** len(FLAWS)


@pytest.mark.parametrize(
    ("flaw", "sentence"),
    [
        ({"stage": Stage.STORED}, "the server has not confirmed it"),
        ({"receipt": None}, "there is no receipt"),
        ({"receipt": {**SIGNED, "size_bytes": 1}}, "the receipt tells another size"),
        ({"receipt": {**SIGNED, "sha256": OTHER}}, "the receipt tells other bytes"),
        ({"receipt": {**SIGNED, "sha256": None}}, "the receipt tells other bytes"),
        ({"receipt": {**LOOKED, "sha256": OTHER}}, "the receipt tells other bytes"),
        (
            {"receipt": {**SIGNED, "verified": "size", "sha256": None}},
            "the server did not verify the bytes",
        ),
        ({"receipt": {**SIGNED, "verified": "size"}}, "the server did not verify the bytes"),
        (
            {"receipt": {"size_bytes": 4000}},
            "the receipt does not tell what was verified",
        ),
        (
            {"receipt": {**SIGNED, "verified": "crc32"}},
            "the receipt does not tell what was verified",
        ),
        ({"unchanged": False}, "the local file is not the one that was sent"),
        ({"owned": False}, "the file is not ours"),
    ],
)
def test_a_refusal_says_why(flaw: dict[str, Any], sentence: str) -> None:
    assert refusal(replace(evidence(SIGNED), **flaw)) == sentence


@pytest.mark.parametrize("receipt", [SIGNED, LOOKED, LOOKED | {"verified": "md5"}])
def test_a_file_that_is_gone_already_needs_no_licence(receipt: dict[str, Any]) -> None:
    assert refusal(evidence(receipt, unchanged=None)) is None


def test_what_is_not_ours_goes_only_when_the_user_asked() -> None:
    assert refusal(evidence(SIGNED, owned=False, asked=True)) is None
    assert refusal(evidence(SIGNED, owned=False, asked=False)) == "the file is not ours"


def test_a_cleaned_take_may_be_cleaned_again_after_a_power_cut() -> None:
    assert refusal(evidence(SIGNED, stage=Stage.CLEANED)) is None  # C14


@given(
    st.dictionaries(
        st.sampled_from(["size_bytes", "sha256", "verified", "signature", "key_id"]),
        st.sampled_from([None, 4000, 3999, OURS, OTHER, "sha256", "size", "md5", "", True, []]),
    )
)
def test_no_odd_receipt_passes_that_does_not_speak_of_these_bytes(receipt: dict[str, Any]) -> None:
    if refusal(evidence(receipt)) is not None:
        return
    assert receipt["size_bytes"] == 4000
    assert receipt.get("sha256") in (None, OURS)
    if receipt.get("signature") is not None:
        assert (receipt["verified"], receipt["sha256"]) == ("sha256", OURS)
