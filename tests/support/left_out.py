"""Leaves out what is heavy where pytest is called without paths, and says so in the last lines.

Heavy are the tests in some folders, and those marked `@pytest.mark.heavy`; of a test that is marked
`@pytest.mark.heavy(after=3)`, all cases but the first three. `--all` runs them too; so does a
path: `pytest tests/soundcard` runs the tests of that folder.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

__all__ = ["HEAVY_FOLDERS", "LeftOut", "add_options"]

HEAVY_FOLDERS = {
    "soundcard": "sound card",
    "process": "processes",
    "children": "child processes",
    "properties/simulation": "simulation",
    "long": "long runs and mutants",
    "benchmarks": "benchmarks",
    "arm": "ARM",
}
"""Folders of `tests` whose tests are heavy, and how the last lines name them."""
MARKED = "slow tests elsewhere"
HEAVY_LIMIT_S = 300
"""The limit of a heavy test that has none of its own."""
_OUTPUT = "voicepipe_left_out"


def add_options(parser: pytest.Parser) -> None:
    """Add `--all` and `--left-out`."""
    group = parser.getgroup("voicepipe's own tests")
    group.addoption("--all", action="store_true", dest="all_tests", help="run the heavy tests too")
    group.addoption(
        "--left-out", action="store_true", help="run only the tests that a call without paths leaves out"
    )


class LeftOut:
    """The choice of a session's tests, as a plugin; where workers run them, the controller adds up."""

    def __init__(self, config: pytest.Config) -> None:
        self._folder = config.rootpath / "tests"
        self._only_heavy = bool(config.getoption("left_out"))
        self._everything = bool(config.getoption("all_tests")) or self._names_a_path(config)
        self._counts = Counter[str]()
        self._cases = Counter[str]()
        self._files = dict[Path, str | None]()

    def _names_a_path(self, config: pytest.Config) -> bool:
        whole = (config.rootpath, self._folder)
        paths = [config.invocation_params.dir / argument.partition("::")[0] for argument in config.args]
        return any(path.resolve() not in whole for path in paths)

    def _kind(self, item: pytest.Item) -> str | None:
        """Return the kind of a heavy test; None where it is none."""
        kind = self._kind_of_file(item.path)
        if kind is not None:
            return kind
        mark = item.get_closest_marker("heavy")
        return MARKED if mark and self._case_of(item) > mark.kwargs.get("after", 0) else None

    def _kind_of_file(self, path: Path) -> str | None:
        """Return the kind of all tests of a file, of which thousands ask; None where each has its own."""
        if path not in self._files:
            self._files[path] = next(
                (
                    kind
                    for folder, kind in HEAVY_FOLDERS.items()
                    if path.is_relative_to(self._folder / folder)
                ),
                None,
            )
        return self._files[path]

    def _case_of(self, item: pytest.Item) -> int:
        """Return the number of this case of its test, from 1, in the order of collection."""
        test = item.nodeid.partition("[")[0]
        self._cases[test] += 1
        return self._cases[test]

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what is heavy, or what is not."""
        chosen: list[pytest.Item] = []
        left_out: list[pytest.Item] = []
        for item in items:
            kind = self._kind(item)
            if kind and not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(HEAVY_LIMIT_S))
            if self._only_heavy:
                (chosen if kind else left_out).append(item)
            elif kind and not self._everything:
                left_out.append(item)
                self._counts[kind] += 1
            else:
                chosen.append(item)
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = chosen

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell the controller, if this is a worker."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_OUTPUT] = dict(self._counts)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Take what a worker left out; every worker has the same tests to choose from."""
        self._counts |= Counter(getattr(node, "workeroutput", {}).get(_OUTPUT, {}))

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the reasons of skips, each once, and what was left out."""
        skips = Counter(
            str(report.longrepr[2]).removeprefix("Skipped: ")
            for report in terminalreporter.stats.get("skipped", ())
            if isinstance(report.longrepr, tuple)
        )
        for reason, count in sorted(skips.items()):
            terminalreporter.line(f"skipped {count}: {reason}")
        if self._counts:
            kinds = ", ".join(f"{kind} {count}" for kind, count in self._counts.most_common())
            terminalreporter.line(f"left out: {kinds}; to run all: scripts/test --all")
