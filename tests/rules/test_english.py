"""The English of docstrings and messages: functions begin with a verb, classes with a noun."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FOLDERS = ("devices", "voicepipe")
QUESTIONS = frozenset(["what", "whether", "how", "who", "why"])
PRONOUNS = frozenset(
    [
        "it",
        "its",
        "this",
        "that",
        "these",
        "those",
        "they",
        "so",
        "nothing",
        "nobody",
        "somebody",
        "anything",
        "anybody",
        "everything",
    ]
)
ARTICLES = frozenset(["a", "an", "the"])
PARTICIPLES = frozenset(["found", "given", "gone", "held", "known", "lost", "shown", "taken", "told"])
# `SimulatedSpeaker.played` and `EndOfTurn.finished` are public, and read as questions.
VERBS_IN_ED = frozenset(
    ["finished", "played", "embed", "exceed", "feed", "need", "proceed", "seed", "succeed"]
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def first_word(text: str) -> str:
    return re.split(r"\W", text.strip(), maxsplit=1)[0].lower()


def is_property(function: Function) -> bool:
    """Return True for a property, and for the setter of one."""
    decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
    return any("property" in each or each == f"{function.name}.setter" for each in decorators)


def forbidden_openings(node: ast.AST) -> frozenset[str]:
    """Return the words with which the docstring of a definition must not open."""
    if isinstance(node, Function) and not is_property(node):
        return QUESTIONS | PRONOUNS | ARTICLES
    return QUESTIONS | PRONOUNS


def is_participle(name: str) -> bool:
    """Return True for a name of one word such as `told` or `ended`, which does not say what is done."""
    word = name.removeprefix("_")
    return word in PARTICIPLES or (re.fullmatch("[a-z]+ed", word) is not None and word not in VERBS_IN_ED)


def attribute_docstrings(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the strings that stand right after an assignment."""
    for before, node in pairwise(body):
        match before, node:
            case (
                ast.Assign() | ast.AnnAssign(),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield text


def faults_in(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and "would be right" in str(node.value):
            yield f"line {node.lineno}: 'would be right'; say what was expected and what to do"
        if isinstance(node, Function) and not is_property(node) and is_participle(node.name):
            yield f"{node.name} is a participle; call the function by a verb"
        if isinstance(node, Function | ast.ClassDef | ast.Module):
            text = ast.get_docstring(node) or ""
            if first_word(text) in forbidden_openings(node):
                yield f"{getattr(node, 'name', 'the module')} opens with {text.splitlines()[0]!r}"
            for text in attribute_docstrings(node.body):
                if first_word(text) in QUESTIONS:
                    yield f"an attribute of {getattr(node, 'name', 'the module')} opens with {text!r}"


def test_docstrings_and_messages_follow_the_rules() -> None:
    wrong = [f"{name_of(path)}: {fault}" for path in FILES for fault in faults_in(path.read_text("utf-8"))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "source",
    [
        '"""What a run needs."""',
        'class Run:\n    """How a run goes."""',
        'class Run:\n    """It runs."""',
        'def name():\n    """The name of the run."""',
        'def name():\n    """Whether it has a name."""',
        'async def name():\n    """Its name."""',
        'class Run:\n    @property\n    def name(self):\n        """What logs call it."""',
        'LIMIT = 3\n"""How long it waits."""',
        'class Run:\n    def __init__(self):\n        self.name = ""\n        """Who asked."""',
        "def ended(task):\n    pass",
        "class Run:\n    def _found(self):\n        pass",
        "def name(value):\n    raise ValueError(f\"{value}: 'x' would be right\")",
    ],
)
def test_a_fault_is_found(source: str) -> None:
    assert len(list(faults_in(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        '"""The parameters of a run."""',
        'class Run:\n    """One run of one pipeline."""',
        'def name():\n    """Return the name of the run."""',
        'class Run:\n    @property\n    def name(self):\n        """The name of the run."""',
        'class Run:\n    @cached_property\n    def name(self):\n        """True if the run has a name."""',
        'LIMIT = 3\n"""The wait in seconds."""',
        "def feed():\n    pass",
        "class Run:\n    @property\n    def queued(self):\n        pass",
        "class Run:\n    @queued.setter\n    def queued(self, value):\n        pass",
    ],
)
def test_plain_english_is_no_fault(source: str) -> None:
    assert list(faults_in(source)) == []
