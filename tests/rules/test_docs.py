"""The pages tell the truth: their code runs, their links lead somewhere, and their sentences are short."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

import voicepipe
from support.bare import bare

ROOT = Path(__file__).parents[2]
README, CONTRIBUTING, LLMS = ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs" / "llms.txt"
DOCS = sorted((ROOT / "docs").glob("*.md"))
RASPBERRY_PI = ROOT / "devices" / "raspberry-pi" / "README.md"
PAGES = [README, CONTRIBUTING, LLMS, RASPBERRY_PI, *DOCS]
LONG = ("commands", "conversation", "guide", "speech", "testing")
"""Pages with code that takes seconds."""
LANGUAGES = ("python", "sh", "text", "toml")
MOST_WORDS, MOST_WORDS_IN_A_SENTENCE = 900, 25

_BLOCK = re.compile(r"(?:^<!-- (.*?) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PATH = re.compile(r"(?<![\w./<{-])(?:tests|examples|docs|devices|scripts|voicepipe)/[\w./-]*\w")
_CALL = re.compile(r"(?:^(?:\w+=\S+ )*|bin/|\$\()voicepipe (?P<command>[a-z]+)\b(?P<rest>.*)")
_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_NAME = re.compile(r"(?<![\w/.-])voicepipe(?:_devices)?(?:\.\w+)+")
ENTRY_POINTS = {"voicepipe.backends", "voicepipe.engines", "voicepipe.commands"}
FLAGS_OF_OTHERS = {
    "--all",
    "--busy",
    "--only",
    "--pipecat",
    "--plot",
    "--onefile",
    "--bootloader-ignore-signals",
}
"""Flags of the scripts in `tests` and `scripts`, and of PyInstaller."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of code, and the comment before it."""

    page: Path
    line: int
    mark: str
    language: str
    code: str

    @property
    def kind(self) -> str:
        """The word before the mark's colon: file, save, command, not run."""
        return self.mark.partition(":")[0]

    @property
    def argument(self) -> str:
        """The text behind the mark's colon."""
        return self.mark.partition(":")[2].strip()

    @property
    def runs(self) -> bool:
        """Whether the page's own test runs it."""
        return self.kind not in ("not run", "file", "save", "command")

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@cache
def blocks(page: Path) -> tuple[Block, ...]:
    """Return the blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return tuple(
        Block(page, text.count("\n", 0, found.start(2)) + 1, found[1] or "", found[2], found[3])
        for found in _BLOCK.finditer(text)
    )


@cache
def prose(page: Path) -> str:
    """Return a page without its blocks and comments."""
    return re.sub(r"<!--.*?-->", "", _BLOCK.sub("", page.read_text(encoding="utf-8")), flags=re.DOTALL)


def quotes(page: Path) -> Iterator[str]:
    """Return each piece of code in a page: what stands in backticks, and each line of its shell blocks."""
    yield from re.findall(r"`([^`\n]+)`", prose(page))
    for block in blocks(page):
        if block.language == "sh":
            yield from block.code.splitlines()


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


every_page = pytest.mark.parametrize("page", PAGES, ids=name)


# -- code ----------------------------------------------------------------------------


@every_page
def test_a_block_runs_or_says_why_it_does_not(page: Path) -> None:
    fences = re.findall(r"^\s*(?:```|~~~)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(fences) == 2 * len(blocks(page)), "a fence was not read as a block"
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{block}: a block is one of {LANGUAGES}"
        if block.mark:
            assert block.kind in ("file", "save", "command", "not run"), f"{block}: unknown mark"
            assert block.argument, f"{block}: the mark says nothing behind its colon"


@pytest.mark.parametrize(
    "block", [b for page in PAGES for b in blocks(page) if b.kind == "file"], ids=lambda block: str(block)
)
def test_a_block_is_the_code_of_its_file(block: Block) -> None:
    assert block.code.strip() in (ROOT / block.argument).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.heavy] if page.stem in LONG else []) for page in DOCS],
    ids=map(name, DOCS),
)
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    save_files(page, folder)
    make_commands(tmp_path / "bin")
    shell = "\n".join(block.code for block in blocks(page) if block.language == "sh" and block.runs)
    if shell:
        done = run_in(folder, "bash", "-exc", shell)
        assert done.returncode == 0, done.stdout + done.stderr
    sources = [(b.line, b.code) for b in blocks(page) if b.language == "python" and b.runs]
    if sources:
        program = (
            f"names = {{'__name__': '__main__'}}\nfor line, source in {sources!r}:\n"
            f"    exec(compile('\\n' * line + source, {name(page)!r}, 'exec'), names)\n"
        )
        (tmp_path / "page.py").write_text(program, encoding="utf-8")
        done = run_in(folder, sys.executable, "-W", "error", str(tmp_path / "page.py"))
        assert done.returncode == 0, done.stderr


@every_page
def test_settings_of_a_page_are_settings(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        if block.language == "toml" and not any(map(is_table, tomllib.loads(block.code).values())):
            (tmp_path / "config.toml").write_text(block.code, encoding="utf-8")
            done = run_in(
                tmp_path, sys.executable, "-m", "voicepipe", "config", VOICEPIPE_CONFIG="config.toml"
            )
            assert done.returncode == 0, f"{block}: {done.stderr}"


def test_the_minimal_program_for_machines_is_the_parrot() -> None:
    (block,) = blocks(LLMS)
    assert block.code.strip() in (ROOT / "examples" / "parrot.py").read_text(encoding="utf-8")


def test_the_page_for_machines_has_the_form_of_llmstxt() -> None:
    lines = [line for line in LLMS.read_text(encoding="utf-8").splitlines() if line]
    assert lines[0].startswith("# ")
    assert lines[1].startswith("> ")
    listed = prose(LLMS).partition("\n## ")[2].splitlines()
    assert all(re.fullmatch(r"(## )?\w+|- \[[\w ]+\]\(\S+\): .+|", line) for line in listed)


# -- names ---------------------------------------------------------------------------


@every_page
def test_a_link_leads_somewhere(page: Path) -> None:
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "code", prose(page))):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            wrong.append(target)
    assert not wrong


@every_page
def test_a_path_in_a_page_exists(page: Path) -> None:
    paths = {path for quote in quotes(page) for path in _PATH.findall(quote)}
    assert not [path for path in sorted(paths) if not (ROOT / path).exists()]


@every_page
@pytest.mark.heavy
def test_a_flag_in_a_page_is_one_of_its_command(page: Path) -> None:
    wrong = []
    for quote in quotes(page):
        found = _CALL.search(quote.partition("#")[0])
        if found is None:
            continue
        rest = found["rest"].partition(" -- ")[0]
        wrong += [
            f"voicepipe {found['command']} {flag}"
            for flag in _FLAG.findall(rest)
            if flag != "--help" and flag not in flags_of(found["command"])
        ]
    assert not wrong


@pytest.mark.heavy
@pytest.mark.parametrize("page", [README, *DOCS], ids=name)
def test_a_flag_by_itself_is_one_of_some_command(page: Path) -> None:
    alone = {
        flag for quote in quotes(page) if quote.startswith("--") for flag in _FLAG.findall(quote)
    } - FLAGS_OF_OTHERS
    commands = {
        found["command"] for page in PAGES for quote in quotes(page) if (found := _CALL.search(quote))
    }
    if alone:
        known = {flag for command in sorted(commands) for flag in flags_of(command)}
        assert not alone - known


@every_page
def test_a_dotted_name_in_a_page_exists(page: Path) -> None:
    names = {found for quote in quotes(page) for found in _NAME.findall(quote)}
    wrong = [found for found in sorted(names - ENTRY_POINTS) if not resolves(found)]
    assert not wrong


@pytest.mark.parametrize("page", DOCS, ids=name)
def test_a_page_is_in_both_tables_of_the_docs(page: Path) -> None:
    assert f"(docs/{page.name})" in README.read_text(encoding="utf-8")
    assert f"({page.name})" in LLMS.read_text(encoding="utf-8")


@pytest.mark.heavy
def test_the_api_reference_has_every_public_name(tmp_path: Path) -> None:
    if find_spec("pdoc") is None:
        pytest.skip("allowed skip: pdoc is not installed, the extra docs")
    (command,) = [line for line in quotes(CONTRIBUTING) if line.startswith("pdoc -d")]
    done = run_in(tmp_path, sys.executable, "-m", *command.split())
    assert done.returncode == 0, done.stderr
    public_names: list[str] = vars(voicepipe)["__all__"]
    page = (tmp_path / "build" / "api" / "voicepipe.html").read_text(encoding="utf-8")
    assert not [public for public in public_names if f'id="{public}"' not in page]


def test_every_folder_is_in_the_picture_of_the_architecture() -> None:
    picture = (ROOT / "docs" / "pictures" / "architecture.svg").read_text(encoding="utf-8")
    folders = [init.parent.name for init in (ROOT / "voicepipe").glob("[a-z]*/__init__.py")]
    assert not [folder for folder in folders if f">{folder}</text>" not in picture]


# -- words ---------------------------------------------------------------------------


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").split()) <= MOST_WORDS


@every_page
def test_a_sentence_has_at_most_25_words(page: Path) -> None:
    long = [text for text in sentences(prose(page)) if count_words(text) > MOST_WORDS_IN_A_SENTENCE]
    assert not long


def test_long_sentences_are_seen() -> None:
    word = "word "
    assert [count_words(text) for text in sentences("# A page\n\n" + word * 26 + "\n")] == [2, 26]
    assert [count_words(text) for text in sentences(f"* {word * 3}\n* {word * 4}\n")] == [3, 4]
    assert [count_words(text) for text in sentences(f"| {word * 2}| `a b c` d |\n")] == [2, 2]
    assert [count_words(text) for text in sentences("One two. [Three four](five six) seven?\n")] == [2, 3]


# -- how -----------------------------------------------------------------------------


def save_files(page: Path, folder: Path) -> None:
    """Write the files that the page has its reader save."""
    for block in blocks(page):
        if block.kind == "save":
            file, _, how = block.argument.partition(", ")
            with (folder / file).open("a" if how == "appended" else "w", encoding="utf-8") as out:
                out.write(("\n\n" if how == "appended" else "") + block.code)


def make_commands(folder: Path) -> None:
    """Make the commands that a reader has on the path: this interpreter, and voicepipe."""
    folder.mkdir()
    for command, arguments in (("python", ""), ("voicepipe", "-m voicepipe ")):
        (folder / command).write_text(
            f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n', encoding="utf-8"
        )
        (folder / command).chmod(0o755)


def run_in(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a reader without a sound card would, in that folder."""
    environment = bare(VOICEPIPE_BACKEND="fake", HOME=str(folder), **variables)
    environment["PATH"] = f"{folder.parent / 'bin'}:{environment['PATH']}"
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def is_table(value: object) -> bool:
    return isinstance(value, dict)


@cache
def flags_of(command: str) -> frozenset[str]:
    """Return the flags that `voicepipe COMMAND --help` lists."""
    done = subprocess.run(
        [sys.executable, "-m", "voicepipe", command, "--help"],
        env=bare(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return frozenset(_FLAG.findall(done.stdout))


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


def resolves(dotted: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def sentences(text: str) -> Iterator[str]:
    """Split prose into its sentences; a heading, an item of a list and a cell of a table end one."""
    text = re.sub(r"`[^`\n]*`", "code", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    for paragraph in re.split(r"\n\s*\n|\n(?=[#|]|\s*(?:[*-]|\d+\.) )|(?<=\|)\n", text):
        for part in re.split(r"\|", paragraph):
            for sentence in re.split(r"(?<=[.!?])\s+", re.sub(r"^\s*(?:[*-]|\d+\.) ", "", part)):
                if count_words(sentence):
                    yield " ".join(sentence.split())


def count_words(sentence: str) -> int:
    return sum(any(character.isalnum() for character in word) for word in sentence.split())
