"""What this process is made of, as far as it can change a decision's bytes."""

from __future__ import annotations

import functools
import os
import platform
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

from journal.log.manifest import Process, ProcessFacts
from journal.processes import own_identity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from journal.log.manifest import Setting

# Every library the deciding packages import; a test walks their imports.
LIBRARIES = ("clarabel", "duckdb", "highspy", "msgspec", "numpy", "orjson", "rfc8785", "scipy")
# Threads of linear algebra, time zone, and what makes a library choose other instructions.
VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "NPY_DISABLE_CPU_FEATURES",
    "GLIBC_TUNABLES",
    "LD_PRELOAD",
    "PYTHONOPTIMIZE",
    "TZ",
)


def this_process() -> Process | None:
    """Return this process; None where it cannot be told from others."""
    identity = own_identity()
    return None if identity is None else Process(identity, process_facts(os.environ))


def process_facts(environment: Mapping[str, str]) -> ProcessFacts:
    """Return the facts of this interpreter under some environment variables."""
    blas, features = _numpy_build()
    threads = environment.get("OPENBLAS_NUM_THREADS") or environment.get("OMP_NUM_THREADS")
    return ProcessFacts(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        # The environment may have been given a seed after the interpreter had taken its own.
        hash_seed="any" if sys.flags.hash_randomization else "0",
        libraries={name: version(name) for name in LIBRARIES},
        libc=" ".join(platform.libc_ver()).strip(),
        machine=platform.machine(),
        cpu_features=features,
        variables={name: environment.get(name) for name in VARIABLES},
        solvers={"BLAS": blas | {"threads": threads}},
    )


@functools.cache
def _numpy_build() -> tuple[dict[str, Setting], tuple[str, ...]]:
    """Return the linear algebra numpy was built with, and the instruction sets it uses here."""
    import numpy as np  # takes a moment, and most commands start no session

    build = cast("dict[str, Any]", np.show_config(mode="dicts"))
    blas = build.get("Build Dependencies", {}).get("blas", {})
    used = build.get("SIMD Extensions", {})
    features = (*used.get("baseline", ()), *used.get("found", ()))
    return {"name": blas.get("name"), "version": blas.get("version")}, features
