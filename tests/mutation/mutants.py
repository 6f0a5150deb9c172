"""Small changes to a module, one at a time: what a suite of tests has to notice.

Comparisons, arithmetic, whole numbers by one, conditions turned round, results withheld, statements
left out. Annotations, docstrings, decorators and what only type checkers read are left alone.
"""

from __future__ import annotations

import ast
import copy
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MODULE_LEVEL = "<module>"
Node = TypeVar("Node", bound=ast.AST)

_COMPARED: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_CALCULATED: Mapping[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
}
# What is read by type checkers, or says how a class is made rather than what it does.
_LEFT_ALONE = {"annotation", "returns", "decorator_list", "bases", "keywords", "type_params"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the file, relative to the repository, the function it is in, the line, the source
    before and after, and its number among the changes of its file.
    """

    path: str
    function: str
    line: int
    before: str
    after: str
    number: int

    @property
    def name(self) -> str:
        """What it is called in docs/mutation.md: it stays the same when lines move."""
        return f"{self.path} {self.function}: `{self.before}` → `{self.after}`"


@dataclass(frozen=True, slots=True)
class _Change:
    """A node of a tree, where it hangs, and what may take its place."""

    parent: ast.AST
    field: str
    index: int | None
    old: ast.AST
    new: ast.AST
    function: str


def mutants_of(root: Path, path: str) -> list[Mutant]:
    """Return every mutant of a file, in the order of its source."""
    tree = ast.parse((root / path).read_text())
    return [
        Mutant(
            path,
            change.function,
            change.old.lineno,  # type: ignore[attr-defined]
            _shown(change.old),
            _shown(change.new),
            number,
        )
        for number, change in enumerate(_changes(tree, MODULE_LEVEL))
    ]


def source_of(root: Path, mutant: Mutant) -> str:
    """Return the source of a file with a mutant's change made."""
    tree = ast.parse((root / mutant.path).read_text())
    change = list(_changes(tree, MODULE_LEVEL))[mutant.number]
    if change.index is None:
        setattr(change.parent, change.field, change.new)
    else:
        getattr(change.parent, change.field)[change.index] = change.new
    return ast.unparse(ast.fix_missing_locations(tree))


def selected(mutants: list[Mutant], *, count: int, seed: int) -> list[Mutant]:
    """Return so many of the mutants, chosen by a seed, in their order."""
    chosen = random.Random(seed).sample(range(len(mutants)), min(count, len(mutants)))
    return [mutants[number] for number in sorted(chosen)]


def _changes(node: ast.AST, function: str) -> Iterator[_Change]:
    for field, value in ast.iter_fields(node):
        if field in _LEFT_ALONE and not isinstance(node, ast.Call):
            continue
        children = value if isinstance(value, list) else [value]
        for index, child in enumerate(children):
            if not isinstance(child, ast.AST) or _is_for_readers(child):
                continue
            where = index if isinstance(value, list) else None
            for new in _replacements(child):
                yield _Change(node, field, where, child, new, function)
            yield from _changes(child, _within(child, function))


def _within(node: ast.AST, function: str) -> str:
    """The outermost function, by its class, that a node's inside belongs to."""
    if isinstance(node, ast.ClassDef) and function == MODULE_LEVEL:
        return f"{node.name}.{MODULE_LEVEL}"
    if isinstance(node, ast.FunctionDef) and function.endswith(MODULE_LEVEL):
        return function.removesuffix(MODULE_LEVEL) + node.name
    return function


def _is_for_readers(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return docstring or isinstance(node, ast.Assert | ast.Import | ast.ImportFrom)


def _replacements(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare():
            yield from _compared(node)
        case ast.BinOp(op=op) if type(op) in _CALCULATED and not _joins_text(node):
            yield _with(node, op=_CALCULATED[type(op)]())
        case ast.AugAssign(op=op) if type(op) in _CALCULATED:
            yield _with(node, op=_CALCULATED[type(op)]())
            yield ast.Pass()
        case ast.BoolOp(op=op):
            yield _with(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not()):
            yield copy.deepcopy(node.operand)
        case ast.Constant(value=bool() as flag):
            yield _with(node, value=not flag)
        case ast.Constant(value=int() as figure):
            yield _with(node, value=figure + 1)
            yield _with(node, value=figure - 1)
        case ast.If() | ast.IfExp():
            yield _with(node, test=ast.UnaryOp(ast.Not(), copy.deepcopy(node.test)))
        case ast.Return(value=ast.AST() as value) if not _is_none(value):
            yield _with(node, value=ast.Constant(None))
        case ast.Expr() | ast.Raise() | ast.Delete(targets=[ast.Subscript()]):
            yield ast.Pass()


def _compared(node: ast.Compare) -> Iterator[ast.Compare]:
    for index, op in enumerate(node.ops):
        ops = list(node.ops)
        ops[index] = _COMPARED[type(op)]()
        yield _with(node, ops=ops)


def _with(node: Node, **fields: object) -> Node:
    made = copy.deepcopy(node)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def _is_none(value: ast.AST) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _joins_text(node: ast.BinOp) -> bool:
    return any(
        isinstance(side, ast.JoinedStr)
        or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in (node.left, node.right)
    )


def _shown(node: ast.AST) -> str:
    """The first line of a node's source."""
    return ast.unparse(node).partition("\n")[0]
