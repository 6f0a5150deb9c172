"""The environment every process of the house runs in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# One BLAS thread and one hash seed: the same inputs must give the same bytes on every run.
DETERMINISTIC = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
}
REPOSITORY = Path(__file__).resolve().parents[2]


def var_directory(environment: Mapping[str, str] | None = None) -> Path:
    """Return the absolute `VAR_DIR`: of `environment` (default: of this process), else `var/` in
    the repository.
    """
    environment = os.environ if environment is None else environment
    return Path(environment.get("VAR_DIR") or REPOSITORY / "var").resolve()


def child_environment(*parts: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment overlaid by the deterministic part, then `parts`."""
    merged = {**os.environ, **DETERMINISTIC, "PYTHONUNBUFFERED": "1"}
    for part in parts:
        merged.update(part)
    return merged
