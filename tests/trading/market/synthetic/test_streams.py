"""Random numbers: the same everywhere, in any order."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from trading.market.synthetic.streams import Stream, normals, uniforms

DAY, NEXT = date(2026, 2, 26), date(2026, 2, 27)


def test_streams_do_not_move_one_another() -> None:
    long, short = uniforms(3, "a", DAY, 100), uniforms(3, "a", DAY, 10)
    assert np.array_equal(long[:10], short)
    drawn = {
        tuple(uniforms(s, n, d, 3).tolist()) for s in (3, 4) for n in "ab" for d in (DAY, NEXT)
    }
    assert len(drawn) == 8
    assert ((long > 0) & (long < 1)).all()


def test_a_stream_goes_on_where_it_was() -> None:
    stream = Stream(3, "a", DAY)
    parts = np.concatenate([stream.uniforms(7), stream.uniforms(93)])
    assert np.array_equal(parts, uniforms(3, "a", DAY, 100))


def test_normals_are_normal() -> None:
    values = normals(3, "a", DAY, 20_000)
    assert values.mean() == pytest.approx(0, abs=0.03)
    assert values.std() == pytest.approx(1, abs=0.02)
    assert (np.abs(values) > 1.959964).mean() == pytest.approx(0.05, abs=0.006)


def test_the_stream_of_a_seed_never_changes() -> None:
    # What these give is part of the meaning of a seed: a change needs a new GENERATOR_VERSION.
    assert uniforms(1, "gap", DAY, 2).tolist() == [0.424980957555326, 0.30883635156405514]
