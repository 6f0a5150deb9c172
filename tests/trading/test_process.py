"""What a process is made of: the list of libraries and variables is held against the code."""

from __future__ import annotations

import ast
import sys
from importlib.metadata import version

from brahmastra_site.launcher.environment import DETERMINISTIC, REPOSITORY
from trading.process import LIBRARIES, VARIABLES, process_facts, this_process

DECIDING = ("journal/log", "trading")
OWN = {"journal", "trading", "django"}  # django: the rooms beside the deciding packages
ORACLES = {"cvxpy"}  # asked for by name beside the solvers that decide, and by no session
DRAWING = {"matplotlib"}  # makes pictures for people, loaded when one is asked for
TERMINAL = {"click"}  # shows people how far an import is


def test_every_library_the_deciding_packages_import_is_recorded() -> None:
    imported = {"journal/events.py": set[str]()}
    for package in DECIDING:
        for path in (REPOSITORY / package).rglob("*.py"):
            names = set()
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    names |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                    names.add(node.module)
            imported[str(path)] = {name.partition(".")[0] for name in names}
    libraries = set().union(*imported.values()) - sys.stdlib_module_names - OWN
    assert libraries - ORACLES - DRAWING - TERMINAL == set(LIBRARIES)


def test_the_variables_every_process_is_given_are_recorded() -> None:
    assert set(DETERMINISTIC) - {"PYTHONHASHSEED"} <= set(VARIABLES)


def test_the_facts_are_those_of_this_process() -> None:
    facts = process_facts({"OPENBLAS_NUM_THREADS": "1", "TZ": "UTC", "SECRET": "no"})
    assert facts.libraries["numpy"] == version("numpy")
    assert facts.python.endswith(".".join(map(str, sys.version_info[:3])))
    assert facts.variables["TZ"] == "UTC"
    assert facts.variables["OMP_NUM_THREADS"] is None
    assert "SECRET" not in facts.variables
    assert facts.solvers["BLAS"]["threads"] == "1"
    assert facts.cpu_features
    process = this_process()
    assert process is not None
    assert process.identity.pid > 0
