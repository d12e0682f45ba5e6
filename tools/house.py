"""What the source looks like in figures, with a limit for some: `python tools/house.py [--list FIGURE]`.

The product is `src/uscdr` without the emulator (`uscdr.sandbox`), which has a column of its own. Exit 1 where a limit
is exceeded. An import inside a function counts as one at the top of its module; one below `if TYPE_CHECKING` is looked
at apart. A module that is named in a string (`import_module("uscdr.a")`, a table of `"uscdr.a:Name"`) is imported by
the module that holds the string.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src"
PACKAGE, SANDBOX, COMMANDS = "uscdr", "uscdr.sandbox", "uscdr.cli"
LONGEST_MODULE, LONGEST_FUNCTION = 500, 40


@dataclass(frozen=True)
class Limit:
    """The most that is allowed now, and in the end. `everywhere`: in the sandbox, too."""

    now: float
    goal: float
    everywhere: bool = False


LIMITS = {
    # 442 before times of runs and uploads under way; 400 before doctor, help, saved plans, schemas and keys; 300 before
    # incidents
    "modules": Limit(445, 445),
    "names": Limit(20, 20),
    "doubles": Limit(0, 0),
    "circles": Limit(0, 0, everywhere=True),
    "type-circles": Limit(0, 0, everywhere=True),
    "chain": Limit(18, 18),
    "long-modules": Limit(0, 0, everywhere=True),
    "long-functions": Limit(0, 0, everywhere=True),
}

Graph = Mapping[str, Collection[str]]
"""What each module imports, by name."""


@dataclass(frozen=True)
class Module:
    """One file of the package that is not empty."""

    name: str
    path: Path
    lines: int
    tree: ast.Module

    @property
    def in_sandbox(self) -> bool:
        """Whether it belongs to the emulator."""
        return self.name == SANDBOX or self.name.startswith(f"{SANDBOX}.")

    def public(self) -> list[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
        """The functions and classes at its top that others may use."""
        return [each for each in _definitions(self.tree.body) if not each.name.startswith("_")]

    def long_functions(self) -> list[tuple[str, int]]:
        """The functions with more lines than allowed, as name and lines."""
        found = [each for each in ast.walk(self.tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
        sizes = [(each.name, (each.end_lineno or each.lineno) - each.lineno + 1) for each in found]
        return [(name, size) for name, size in sizes if size > LONGEST_FUNCTION]


def _definitions(body: Iterable[ast.stmt]) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    for each in body:
        if isinstance(each, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield each
        elif isinstance(each, ast.If | ast.Try):
            yield from _definitions([*each.body, *each.orelse])


@dataclass(frozen=True)
class Imports:
    """What one module imports: by a statement, by a name that it gives as text, and only for type annotations."""

    by_statement: set[str] = field(default_factory=set)
    by_name: set[str] = field(default_factory=set)
    for_types: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class House:
    """All modules of one package below `source`, by name."""

    modules: dict[str, Module]
    files: int = 0
    """With the empty ones."""

    @cached_property
    def imports(self) -> Graph:
        """What is imported when the program runs."""
        return {name: each.by_statement | each.by_name for name, each in self._imports.items()}

    @cached_property
    def stated(self) -> Graph:
        """What is imported by statements: what is loaded by name on first use begins a chain of its own."""
        return {name: each.by_statement for name, each in self._imports.items()}

    @cached_property
    def named(self) -> set[str]:
        """What is loaded by name on first use."""
        return {name for each in self._imports.values() for name in each.by_name}

    @cached_property
    def imports_for_types(self) -> Graph:
        """The same, and what is imported below `if TYPE_CHECKING`."""
        return {name: {*self.imports[name], *each.for_types} for name, each in self._imports.items()}

    @cached_property
    def _imports(self) -> dict[str, Imports]:
        return {name: imports_of(self.modules, module) for name, module in self.modules.items()}

    @cached_property
    def circles(self) -> list[tuple[str, ...]]:
        """The circles of what is imported when the program runs."""
        return circles(self.imports)


def read(source: Path) -> House:
    """Read every file of the package below a folder of sources.

    Raises:
        SyntaxError: a file is no Python.
    """
    modules, files = {}, 0
    for path in sorted((source / PACKAGE).rglob("*.py")):
        files += 1
        text = path.read_text("utf-8")
        if text.strip():
            parts = path.relative_to(source).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            modules[name] = Module(name, path, text.count("\n"), ast.parse(text, str(path)))
    return House(modules, files)


# ---- who imports whom


def imports_of(modules: Collection[str], module: Module) -> Imports:
    """The package's own modules that one of them imports."""
    found = Imports()
    for name, typing in _by_statement(modules, module, module.tree, typing=False):
        (found.for_types if typing else found.by_statement).add(name)
    found.by_name.update(_by_string(module.tree))
    each = (found.by_statement, found.by_name, found.for_types)
    return Imports(*({name for name in names if name in modules} - {module.name} for names in each))


def _by_statement(
    modules: Collection[str], module: Module, node: ast.AST, *, typing: bool
) -> Iterator[tuple[str, bool]]:
    """Each name imported below a node, and whether it stands below `if TYPE_CHECKING`."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, typing) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _absolute(module, node)
        yield from ((within if (within := f"{base}.{each.name}") in modules else base, typing) for each in node.names)
    elif isinstance(node, ast.If) and _is_for_types(node.test):
        yield from (found for child in node.body for found in _by_statement(modules, module, child, typing=True))
        yield from (found for child in node.orelse for found in _by_statement(modules, module, child, typing=typing))
    elif not isinstance(node, ast.expr):
        for child in ast.iter_child_nodes(node):
            yield from _by_statement(modules, module, child, typing=typing)


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    kept = len(parts) - node.level + (module.path.name == "__init__.py")
    return ".".join([*parts[:kept], *([node.module] if node.module else [])])


def _is_for_types(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def _by_string(tree: ast.Module) -> Iterator[str]:
    """Names given to `import_module`, whole or with one part left open, and those in texts like `uscdr.a:Name`."""
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    yield from (text.partition(":")[0] for text in texts if re.fullmatch(r"[\w.]+:\w+", text))
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and call.args and ast.unparse(call.func).endswith("import_module"):
            yield from _given(call.args[0], texts)


def _given(argument: ast.expr, texts: Collection[str]) -> Iterator[str]:
    if isinstance(argument, ast.Constant):
        yield str(argument.value)
    elif isinstance(argument, ast.JoinedStr):
        parts = [str(part.value) if isinstance(part, ast.Constant) else "{}" for part in argument.values]
        yield from ("".join(parts).replace("{}", text) for text in texts)


# ---- circles and chains


def reached(graph: Graph, begin: str) -> set[str]:
    """What a module imports, and what these import, and so on; itself only where it stands in a circle."""
    found: set[str] = set()
    waiting = [*graph[begin]]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(graph[name])
    return found


def circles(graph: Graph) -> list[tuple[str, ...]]:
    """The sets of two or more modules that all import each other, by whatever way (strongly connected components)."""
    beyond = {name: reached(graph, name) for name in graph}
    found = {tuple(sorted(other for other in beyond[name] if name in beyond[other])) for name in graph}
    return sorted(circle for circle in found if circle)


def longest_chain(graph: Graph, begins: Iterable[str]) -> list[str]:
    """The longest way from import to import; a circle on it counts with all its modules."""
    together = {name: circle for circle in circles(graph) for name in circle}

    @cache
    def way(members: tuple[str, ...]) -> list[str]:
        following = {together.get(name, (name,)) for member in members for name in graph[member]} - {members}
        return [*members, *_longest(way(each) for each in sorted(following))]

    return _longest(way(together.get(name, (name,))) for name in begins)


def _longest(ways: Iterable[list[str]]) -> list[str]:
    return max(ways, key=len, default=[])


# ---- the figures


@dataclass(frozen=True)
class Figure:
    """One line of the table: a value for the product, one for the sandbox (None: has none), and what makes them up."""

    name: str
    means: str
    product: float
    sandbox: float | None = None
    details: Sequence[str] = ()

    @property
    def limit(self) -> Limit | None:
        """What it may be."""
        return LIMITS.get(self.name)

    @property
    def exceeded(self) -> bool:
        """Whether it is more than allowed now."""
        limit = self.limit
        if limit is None:
            return False
        return self.product > limit.now or (limit.everywhere and (self.sandbox or 0) > limit.now)


@dataclass(frozen=True)
class Sides:
    """The modules of the product and those of the sandbox."""

    house: House
    product: list[Module] = field(default_factory=list)
    sandbox: list[Module] = field(default_factory=list)

    @classmethod
    def of(cls, house: House) -> Sides:
        """Part them."""
        modules = house.modules.values()
        return cls(
            house, [each for each in modules if not each.in_sandbox], [each for each in modules if each.in_sandbox]
        )

    def figure(self, name: str, means: str, found: Callable[[list[Module]], list[str]]) -> Figure:
        """A figure that is a number of things found."""
        product, sandbox = found(self.product), found(self.sandbox)
        return Figure(name, means, len(product), len(sandbox), [*product, *sandbox])


def measure(house: House) -> list[Figure]:
    """All figures, in the order in which they are printed."""
    sides = Sides.of(house)
    return [
        sides.figure("modules", f"modules ({house.files} files with the empty ones)", _by_size),
        Figure("lines", "lines", _lines(sides.product), _lines(sides.sandbox), _by_size([*house.modules.values()])),
        _names(sides),
        sides.figure("doubles", "public class names with two meanings", _doubles),
        _circles("circles", "import circles", house, house.circles),
        _type_circles(house),
        _chain(house),
        sides.figure("one-importer", "modules with exactly one importer", lambda side: _with_one_importer(house, side)),
        sides.figure("long-modules", f"modules over {LONGEST_MODULE} lines", _long_modules),
        sides.figure("long-functions", f"functions over {LONGEST_FUNCTION} lines", _long_functions),
    ]


def _lines(side: Iterable[Module]) -> int:
    return sum(each.lines for each in side)


def _by_size(side: list[Module]) -> list[str]:
    return [f"{each.lines:5} {each.name}" for each in sorted(side, key=lambda each: (-each.lines, each.name))]


def _names(sides: Sides) -> Figure:
    counted = {each.name: len(each.public()) for each in [*sides.product, *sides.sandbox]}

    def rate(side: list[Module]) -> float:
        return round(1000 * sum(counted[each.name] for each in side) / max(_lines(side), 1), 1)

    details = [f"{count:3} {name}" for name, count in sorted(counted.items(), key=lambda each: (-each[1], each[0]))]
    return Figure("names", "public top-level names per 1,000 lines", rate(sides.product), rate(sides.sandbox), details)


def _doubles(side: list[Module]) -> list[str]:
    places = defaultdict(list)
    for module in side:
        for each in module.public():
            if isinstance(each, ast.ClassDef):
                places[each.name].append(module.name)
    return [f"{name}: {', '.join(where)}" for name, where in sorted(places.items()) if len(where) > 1]


def _circles(name: str, means: str, house: House, found: list[tuple[str, ...]]) -> Figure:
    inside = [circle for circle in found if all(house.modules[each].in_sandbox for each in circle)]
    return Figure(name, means, len(found) - len(inside), len(inside), [" <-> ".join(circle) for circle in found])


def _type_circles(house: House) -> Figure:
    plain = {name for circle in house.circles for name in circle}
    found = [circle for circle in circles(house.imports_for_types) if not plain.issuperset(circle)]
    return _circles("type-circles", "further circles by imports for types", house, found)


def _chain(house: House) -> Figure:
    commands = {name for name in house.modules if name == COMMANDS or name.startswith(f"{COMMANDS}.")}
    chain = longest_chain(house.stated, sorted(commands | house.named))
    return Figure(
        "chain", f"longest chain of imports from {COMMANDS} and what is loaded by name", len(chain), details=chain
    )


def _with_one_importer(house: House, side: list[Module]) -> list[str]:
    importers = defaultdict(set)
    for name, imported in house.imports_for_types.items():
        for each in imported:
            importers[each].add(name)
    return [f"{each.name} <- {', '.join(importers[each.name])}" for each in side if len(importers[each.name]) == 1]


def _long_modules(side: list[Module]) -> list[str]:
    return _by_size([each for each in side if each.lines > LONGEST_MODULE])


def _long_functions(side: list[Module]) -> list[str]:
    return [f"{size:5} {each.name}.{name}" for each in side for name, size in each.long_functions()]


# ---- the table


def table(figures: Sequence[Figure]) -> str:
    """All figures, one a line, with a sign at those that exceed their limit."""
    rows = [("figure", "product", "sandbox", "limit", "goal", "")]
    for each in figures:
        limit = each.limit
        bounds = (_number(limit.now), _number(limit.goal)) if limit else ("", "")
        what = f"{each.name}: {each.means}"
        rows.append((what, _number(each.product), _number(each.sandbox), *bounds, "EXCEEDED" if each.exceeded else ""))
    return "\n".join(f"{a:66} {b:>8} {c:>8} {d:>7} {e:>7}  {f}".rstrip() for a, b, c, d, e, f in rows)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,}"


def main(arguments: Sequence[str] | None = None, source: Path = SOURCE) -> int:
    """Print the table, or what one figure is made of; the exit code."""
    figures = {each.name: each for each in measure(read(source))}
    parser = argparse.ArgumentParser(description="The source in figures; exit 1 where one exceeds its limit.")
    parser.add_argument("--list", metavar="FIGURE", choices=figures, help=f"what it is made of: {', '.join(figures)}")
    given = parser.parse_args(arguments)
    sys.stdout.write("\n".join(figures[given.list].details if given.list else [table([*figures.values()])]) + "\n")
    return 1 if any(each.exceeded for each in figures.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
