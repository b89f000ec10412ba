"""The pytest plugin, in runs of pytest of their own: what it sees, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from voicepipe.testing import plugin

pytest_plugins = ["pytester"]

LEAKS = """
import asyncio, atexit, os, signal, subprocess, sys, threading
import pytest
from voicepipe.devices.port import StreamRequest

pytestmark = pytest.mark.usefixtures("nothing_left")
kept = []


def sleeping_child():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    atexit.register(lambda: (child.kill(), child.wait(), child.stdin.close()))
    return child


def forgotten_thread():
    thread = threading.Thread(target=threading.Event().wait, name="forgotten thread", daemon=True)
    thread.start()
    return thread


def handler(*_): ...


def test_clean(): ...


def test_thread():
    kept.append(forgotten_thread())


def test_child():
    kept.append(sleeping_child())


def test_descriptor(tmp_path):
    kept.append(os.open(tmp_path / "recording.wav", os.O_CREAT))


def test_signal():
    kept.append(signal.signal(signal.SIGUSR1, handler))


@ASYNC
async def test_clean_async():
    await asyncio.create_task(asyncio.sleep(0.01))


@ASYNC
async def test_task():
    kept.append(asyncio.create_task(asyncio.sleep(60), name="forgotten task"))


@ASYNC
async def test_task_that_nobody_holds():
    asyncio.get_running_loop().call_soon(lambda: kept.append(asyncio.ensure_future(asyncio.sleep(60))))
    await asyncio.sleep(0)


@ASYNC
async def test_timer():
    asyncio.get_running_loop().call_later(60, handler)


@ASYNC
async def test_async_generator():
    async def count():
        yield 1
        yield 2

    kept.append(count())
    await anext(kept[-1])


@ASYNC
async def test_stream(simulated_card):
    kept.append(await simulated_card.backend().open_input(StreamRequest(), handler))


@ASYNC
async def test_thread_async():
    kept.append(forgotten_thread())


class TestInAClass:
    @ASYNC
    async def test_task_in_a_class(self):
        kept.append(asyncio.create_task(asyncio.sleep(60), name="forgotten task"))
"""
LEFT = {
    "test_thread": ("error", "threads: forgotten thread (Event.wait)"),
    "test_child": ("error", "children: "),
    "test_descriptor": ("error", "recording.wav"),
    "test_signal": ("error", "signals: SIGUSR1 -> handler"),
    "test_task": ("failure", "tasks: forgotten task (sleep)"),
    "test_task_that_nobody_holds": ("failure", "(sleep)"),
    "test_timer": ("failure", "timers: handler"),
    "test_async_generator": ("failure", "async generators: test_async_generator"),
    "test_stream": ("error", "streams: input stream of simulated microphone, made"),
    "test_thread_async": ("error", "threads: forgotten thread"),
    "test_task_in_a_class": ("failure", "tasks: forgotten task (sleep)"),
}


Outcome = tuple[str, str]


def outcomes(
    pytester: pytest.Pytester, source: str, *options: str, conftest: str = ""
) -> dict[str, tuple[str, str]]:
    """Runs a test file in a process of its own; how each test ended, and what was said."""
    pytester.makepyfile(test_it=source)
    if conftest:
        pytester.makeconftest(conftest)
    common = (
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-p",
        "no:hypothesispytest",
        "-W",
        "error",
        "--strict-markers",
    )
    ran = pytester.runpytest_subprocess(*common, "--junitxml=report.xml", *options, timeout=120)
    print(ran.stdout.str(), ran.stderr.str())
    ended: dict[str, Outcome] = {}
    for case in ET.parse(pytester.path / "report.xml").iter("testcase"):
        bad = [(child.tag, child.get("message", "") + (child.text or "")) for child in case]
        ended[str(case.get("name"))] = bad[0] if bad else ("passed", "")
    return ended


SCOPE = "asyncio_default_fixture_loop_scope=function"
AUTO = ("-o", "asyncio_mode=auto", "-o", SCOPE)
STRICT = ("-o", "asyncio_mode=strict", "-o", SCOPE)
WITHOUT = ("-p", "no:asyncio")


@pytest.mark.skipif(sys.platform != "linux", reason="children and descriptors are counted on Linux only")
@pytest.mark.parametrize(
    ("mark", "options"),
    [
        ("virtual_time", AUTO),
        ("filterwarnings('error')", AUTO),
        ("virtual_time", WITHOUT),
    ],
    ids=["virtual", "real", "without pytest-asyncio"],
)
@pytest.mark.heavy(after=1)
def test_a_leak_of_each_kind_is_reported_and_a_clean_test_is_not(
    pytester: pytest.Pytester, mark: str, options: tuple[str, ...]
) -> None:
    source = LEAKS.replace("@ASYNC", f"@pytest.mark.{mark}")
    ended = outcomes(pytester, source, *options)
    clean = {name for name, (how, _) in ended.items() if how == "passed"}
    assert clean == {"test_clean", "test_clean_async"}
    assert set(ended) - clean == set(LEFT)
    for name, (how, line) in LEFT.items():
        assert ended[name][0] == how, (name, ended[name])
        assert line in ended[name][1], name
    if "virtual" in mark:
        assert "made at" in ended["test_task"][1]
        assert " in test_task" in ended["test_task"][1]


@pytest.mark.heavy
def test_in_pytest_asyncios_loop_a_test_is_looked_at_where_it_asks_for_it(pytester: pytest.Pytester) -> None:
    ended = outcomes(
        pytester,
        """
        import asyncio
        import pytest
        from voicepipe.testing import VirtualLoop

        async def test_unasked():
            asyncio.create_task(asyncio.sleep(60))

        async def test_asked(nothing_left):
            asyncio.create_task(asyncio.sleep(60))

        async def test_that_fails_for_a_reason_of_its_own(nothing_left):
            asyncio.create_task(asyncio.sleep(60))
            assert 1 == 2

        @pytest.fixture
        async def slept():
            asyncio.create_task(asyncio.sleep(600))
            await asyncio.sleep(60)
            yield asyncio.get_running_loop()
            await asyncio.sleep(60)

        @pytest.mark.virtual_time
        async def test_with_a_fixture_in_its_virtual_time(nothing_left, slept):
            assert slept is asyncio.get_running_loop()
            assert slept.time() == 60
        """,
        *AUTO,
    )
    assert ended["test_unasked"] == ("passed", "")  # pytest-asyncio cancels it in silence
    assert ended["test_asked"][0] == "failure"
    assert "left behind:\ntasks: " in ended["test_asked"][1]
    how, why = ended["test_that_fails_for_a_reason_of_its_own"]
    assert how == "failure"
    assert "assert 1 == 2" in why
    assert "left behind" not in why
    assert ended["test_with_a_fixture_in_its_virtual_time"] == ("passed", "")


VIRTUAL = """
import asyncio, time
import pytest
from voicepipe.testing import VirtualLoop

@pytest.mark.virtual_time
@pytest.mark.parametrize("seconds", [60, 3_600])
async def test_virtual(seconds, tmp_path):
    began = time.monotonic()
    await asyncio.sleep(seconds)
    assert isinstance(asyncio.get_running_loop(), VirtualLoop)
    assert time.monotonic() - began < 5
    assert tmp_path.exists()


@pytest.mark.virtual_time
class TestVirtual:
    async def test_in_a_class(self):
        await asyncio.sleep(60)

    def test_plain_in_a_class(self): ...


@pytest.mark.virtual_time
async def test_hangs():
    await asyncio.Event().wait()


def test_plain(simulated_card):
    assert simulated_card.mic.name == "simulated microphone"
"""


@pytest.mark.parametrize("options", [AUTO, STRICT, WITHOUT], ids=["auto", "strict", "without"])
@pytest.mark.heavy(after=1)
def test_a_marked_test_runs_in_virtual_time(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    ended = outcomes(pytester, VIRTUAL, *options)
    how, why = ended.pop("test_hangs")
    assert how == "failure"
    assert "the test would hang: no timer" in why
    assert len(ended) == 5
    assert {how for how, _ in ended.values()} == {"passed"}, ended


PLAIN = """
import asyncio
import pytest

loops = []


async def test_a_plain_async_test_has_the_usual_loop():
    loop = asyncio.get_running_loop()
    usual = asyncio.new_event_loop()
    usual.close()
    assert type(loop) is type(usual)
    assert loop.time() > 100  # the machine has run for so long


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("n", [1, 2])
async def test_a_wider_scope_is_as_it_was(n):
    loops.append(asyncio.get_running_loop())
    assert len(set(loops)) == 1


@pytest.fixture
async def number():
    yield 1


async def test_a_plain_async_fixture(number):
    assert number == 1


def test_a_plain_test(request):
    assert not {"nothing_left", "simulated_card"} & set(request.fixturenames)
"""


@pytest.mark.heavy
@pytest.mark.parametrize("options", [(), ("-p", "no:voicepipe")], ids=["with", "without"])
def test_plain_async_tests_are_as_they_were(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    ended = outcomes(pytester, PLAIN, *AUTO, *options)
    assert {how for how, _ in ended.values()} == {"passed"}, ended
    assert list(ended) == [
        "test_a_plain_async_test_has_the_usual_loop",
        "test_a_wider_scope_is_as_it_was[1]",
        "test_a_wider_scope_is_as_it_was[2]",
        "test_a_plain_async_fixture",
        "test_a_plain_test",
    ]


@pytest.mark.heavy
def test_a_users_own_loop_factories_are_kept(pytester: pytest.Pytester) -> None:
    ended = outcomes(
        pytester,
        """
        import asyncio
        import pytest
        from voicepipe.testing import VirtualLoop

        async def test_mine():
            assert type(asyncio.get_running_loop()).__name__ == "MyLoop"

        @pytest.mark.virtual_time
        async def test_virtual():
            assert isinstance(asyncio.get_running_loop(), VirtualLoop)
        """,
        *AUTO,
        conftest="""
        import asyncio

        class MyLoop(asyncio.SelectorEventLoop): ...

        def pytest_asyncio_loop_factories(config, item):
            return {"mine": MyLoop}
        """,
    )
    assert ended == {"test_mine": ("passed", ""), "test_virtual": ("passed", "")}


@pytest.mark.heavy
def test_without_pytest_asyncio_a_plain_async_test_is_nobodys_as_before(pytester: pytest.Pytester) -> None:
    ended = outcomes(pytester, "async def test_it(): ...", *WITHOUT)
    how, why = ended["test_it"]
    assert how == "failure"
    assert "async def functions are not natively supported" in why


@pytest.mark.heavy
def test_a_marked_test_in_a_loop_that_is_not_virtual_says_what_is_missing(pytester: pytest.Pytester) -> None:
    """As with a pytest-asyncio that does not ask for loops yet, or another plugin."""
    ended = outcomes(
        pytester,
        """
        import pytest

        @pytest.mark.virtual_time
        async def test_it(): ...
        """,
        *WITHOUT,
        conftest="""
        import asyncio, inspect
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_pyfunc_call(pyfuncitem):
            asyncio.run(pyfuncitem.obj())
            return True
        """,
    )
    how, why = ended["test_it"]
    assert how == "failure"
    assert "the marker virtual_time cannot replace this loop" in why
    assert "pytest-asyncio 1.4 or later" in why


NOT_VIRTUAL = """
import asyncio, unittest
import pytest

virtual = pytest.mark.virtual_time


class TestOfUnittest(unittest.IsolatedAsyncioTestCase):
    @virtual
    async def test_isolated(self):
        await asyncio.sleep(10_000)

    async def test_unmarked(self): ...


@virtual
class TestAllOfUnittest(unittest.IsolatedAsyncioTestCase):
    async def test_of_a_marked_class(self):
        await asyncio.sleep(10_000)

    def test_plain_of_a_marked_class(self): ...


class TestCase(unittest.TestCase):
    @virtual
    async def test_never_awaited(self): ...

    @virtual
    def test_plain_of_unittest(self): ...


@virtual
def test_plain(): ...


@virtual
@pytest.mark.parametrize("n", [1])
def test_plain_with_parameters(n): ...


@virtual
class TestMarked:
    async def test_async(self):
        await asyncio.sleep(10_000)

    def test_plain_beside_it(self): ...
"""
GENERATOR = """

@virtual
async def test_generator():
    yield
"""
TO_DO = {
    "test_isolated": "unittest: write",
    "test_of_a_marked_class": "unittest: write",
    "test_never_awaited": "unittest: write",
    "test_plain_of_unittest": "plain function: make it",
    "test_plain": "plain function: make it",
    "test_plain_with_parameters[1]": "plain function: make it",
}


@pytest.mark.heavy
@pytest.mark.parametrize("options", [AUTO, STRICT, WITHOUT], ids=["auto", "strict", "alone"])
def test_what_cannot_run_in_virtual_time_is_refused_in_words(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    # In its mode "auto" pytest-asyncio itself warns of the generator.
    refused = TO_DO if options is AUTO else {**TO_DO, "test_generator": "async generator: remove"}
    found = outcomes(pytester, NOT_VIRTUAL + GENERATOR * (options is not AUTO), *options)
    for name, words in refused.items():
        outcome, message = found[name]
        assert outcome == "failure"
        assert "the marker virtual_time" in message
        assert words in message
    passed = {name for name, (outcome, _) in found.items() if outcome == "passed"}
    assert passed == {"test_unmarked", "test_plain_of_a_marked_class", "test_async", "test_plain_beside_it"}


def test_importing_the_plugin_imports_next_to_nothing() -> None:
    program = (
        "import sys, pytest; before = set(sys.modules); import voicepipe.testing.plugin\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(plugin.__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [
        "voicepipe",
        "voicepipe.testing",
        "voicepipe.testing.plugin",
    ]


def test_no_fixture_of_the_plugin_is_used_unasked() -> None:
    from voicepipe.testing.plugin import nothing_left, simulated_card

    for fixture in (nothing_left, simulated_card):
        assert not fixture._fixture_function_marker.autouse
