"""Finding the functions that change something that outlives them, by reading their code.

A function counts when it assigns to or deletes an attribute or an entry, or calls a method that
changes its receiver in place, of anything but a container it made itself. That is wider than the
engine's state on purpose: what is not state has to be said so, one by one.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHANGING_METHODS = frozenset(
    [
        "add",
        "append",
        "appendleft",
        "byteswap",
        "clear",
        "difference_update",
        "discard",
        "extend",
        "extendleft",
        "frombytes",
        "fromlist",
        "insert",
        "intersection_update",
        "pop",
        "popitem",
        "popleft",
        "remove",
        "reverse",
        "rotate",
        "setdefault",
        "sort",
        "symmetric_difference_update",
        "update",
        "__setattr__",
        "__delattr__",
        "__setitem__",
        "__delitem__",
    ]
)
CHANGING_FUNCTIONS = frozenset(
    [
        "setattr",
        "delattr",
        "force_setattr",
        "heappush",
        "heappop",
        "heapreplace",
        "heappushpop",
        "heapify",
        "insort",
        "insort_left",
        "insort_right",
    ]
)
CONTAINERS = frozenset({"list", "dict", "set", "deque", "sorted", "Counter", "defaultdict"})
_DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def mutators_of_packages(root: Path, *paths: str) -> dict[str, list[str]]:
    """Return `module:qualified name` of every mutator in packages or modules, with what it
    changes.
    """
    found: dict[str, list[str]] = {}
    for path in paths:
        whole = root / path
        for file in [whole] if whole.is_file() else sorted(whole.rglob("*.py")):
            module = ".".join(file.relative_to(root).with_suffix("").parts)
            for name, changes in mutators_of_source(file.read_text()).items():
                found[f"{module}:{name}"] = changes
    return found


def mutators_of_source(source: str) -> dict[str, list[str]]:
    """Return the mutators of a module's text by qualified name, with what each changes."""
    found = {}
    for name, function in _functions(ast.parse(source), ""):
        changes = sorted(set(_changes(function)))
        if changes:
            found[name] = changes
    return found


def _functions(
    node: ast.AST, prefix: str
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _FUNCTIONS):
            yield f"{prefix}{child.name}", child
            yield from _functions(child, f"{prefix}{child.name}.<locals>.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        else:
            yield from _functions(child, prefix)


def _changes(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    own = _made_here(function)
    building = "self" if function.name == "__init__" else ""
    for node in _nodes_of(function):
        for target in _targets(node):
            if isinstance(target, ast.Attribute):
                if not _is_name(target.value, {building}):
                    yield ast.unparse(target)
            elif isinstance(target, ast.Subscript) and not _is_name(target.value, own):
                yield ast.unparse(target)
        if isinstance(node, ast.Call) and _is_change(node, own):
            yield ast.unparse(node.func)
        if isinstance(node, ast.Global | ast.Nonlocal):
            yield f"{type(node).__name__.lower()} {', '.join(node.names)}"


def _nodes_of(function: ast.AST) -> Iterator[ast.AST]:
    """Yield what belongs to a function itself, not to functions and classes inside it."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, (*_FUNCTIONS, ast.ClassDef)):
            yield child
            yield from _nodes_of(child)


def _targets(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Assign | ast.Delete):
        given = node.targets
    elif isinstance(
        node, ast.AugAssign | ast.AnnAssign | ast.For | ast.AsyncFor | ast.comprehension
    ):
        given = [node.target]
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        given = [node.optional_vars]
    else:
        given = []
    for target in given:
        yield from _flat(target)


def _flat(target: ast.AST) -> Iterator[ast.AST]:
    if isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            yield from _flat(element)
    else:
        yield target.value if isinstance(target, ast.Starred) else target


def _is_change(call: ast.Call, own: set[str]) -> bool:
    name = call.func
    if isinstance(name, ast.Attribute):
        if name.attr in CHANGING_FUNCTIONS:
            return True
        return name.attr in CHANGING_METHODS and not _is_name(name.value, own)
    return isinstance(name, ast.Name) and name.id in CHANGING_FUNCTIONS


def _is_name(node: ast.AST, names: set[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in names


def _made_here(function: ast.AST) -> set[str]:
    """Return the names that are only ever bound to containers made in this function."""
    made: dict[str, bool] = {}
    for node in _nodes_of(function):
        value = (
            getattr(node, "value", None) if isinstance(node, ast.Assign | ast.AnnAssign) else None
        )
        for target in _targets(node):
            if isinstance(target, ast.Name) and not isinstance(node, ast.AugAssign):
                made[target.id] = made.get(target.id, True) and _is_container(value)
    return {name for name, always in made.items() if always}


def _is_container(value: ast.AST | None) -> bool:
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return value.func.id in CONTAINERS
    return isinstance(value, _DISPLAYS)
