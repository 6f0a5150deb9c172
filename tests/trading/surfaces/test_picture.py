"""The picture of the command: a PNG that shows what it should, the same each time."""

from __future__ import annotations

import time
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from tests.market_rows import chain_rows, store_rows
from tests.trading.conftest import NOON
from trading.surfaces.picture import surface_png
from trading.surfaces.selectors import SurfaceWish
from trading.surfaces.services import FittedSurface, surface_fit

if TYPE_CHECKING:
    from pathlib import Path


def fitted(var: Path, expiries: int = 2) -> FittedSurface:
    wish = SurfaceWish("NIFTY", NOON, profile="fast", expiries=expiries)
    return surface_fit(var_dir=var, wish=wish, version="1", clock=time.perf_counter)


def test_a_row_an_expiry_the_same_bytes_each_time(synthetic_var: Path) -> None:
    two, one = fitted(synthetic_var), fitted(synthetic_var, expiries=1)
    drawn = surface_png(two)
    assert drawn == surface_png(two)
    with Image.open(BytesIO(drawn)) as tall, Image.open(BytesIO(surface_png(one))) as short:
        assert tall.width == short.width == 1320
        assert tall.height - short.height == 352  # a row of 3.2 inches
        shades = np.asarray(tall.convert("L"))
    assert 0.005 < float((shades < 128).mean()) < 0.2  # lines on white, not a blank and not a blot


def test_a_refused_fit_has_no_picture(tmp_path: Path) -> None:
    store_rows(tmp_path / "market", "chain_snapshots", chain_rows(NOON, strikes_each_side=3))
    with pytest.raises(ValueError, match="no surface to draw: NO_EXPIRY"):
        surface_png(fitted(tmp_path))


def test_the_command_writes_it(synthetic_var: Path, tmp_path: Path, settings: object) -> None:
    settings.VAR_DIR = synthetic_var  # type: ignore[attr-defined]
    path = tmp_path / "nifty.png"
    words = ("surface", "--at=2026-02-26T12:00", "--underlying=NIFTY", "--expiries=1")
    call_command(*words, f"--png={path}")
    assert path.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(CommandError, match=r"no/such/folder.*: No such file or directory"):
        call_command(*words, f"--png={tmp_path}/no/such/folder/nifty.png")
    with pytest.raises(CommandError, match="--png draws one surface: expected --at, not --day"):
        call_command("surface", "--day=2026-02-26", "--underlying=NIFTY", f"--png={path}")
