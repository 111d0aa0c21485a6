"""Recommendations against what was held out, on a part of a real data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import recommendations


@pytest.mark.long
def test_recommendations_are_as_good_as_those_of_alike_artists(
    shared_dir: Path, tmp_path: Path
) -> None:
    folder = shared_dir / "datasets" / "hetrec2011-lastfm-2k"
    print("400 listeners, seed 2")
    data = recommendations.split(folder, 0.2, 400, 2)
    ours = recommendations.judge(recommendations.ours(data, tmp_path), data)
    peer = recommendations.judge(recommendations.item_cosine(data), data)
    print(f"ours {ours}, item-item cosine {peer}")
    # Of a part of the listeners the figures scatter by a hundredth.
    assert ours[0] > peer[0] - 0.01 and ours[1] > peer[1] - 0.01
    # The control: what is popular alone does not come near.
    popular = recommendations.judge(recommendations.popular(data), data)
    assert popular[0] < peer[0] - 0.05 and popular[1] < peer[1] - 0.05


def test_judging_is_by_hand() -> None:
    data = recommendations.Split({"ann": {"x": 1}}, {"ann": {"a", "b"}}, {})
    assert recommendations.judge({"ann": ["a", "b"]}, data) == (1, 1)
    recall, gain = recommendations.judge({"ann": ["c", "a"]}, data)
    # One of two; 1/log2(3) of 1 + 1/log2(3).
    assert recall == 0.5 and gain == pytest.approx(0.63093 / 1.63093, 1e-4)
    assert recommendations.judge({}, data) == (0, 0)
