"""Back ends and speech engines of other packages: found by their entry points, and named where they fail."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from voicepipe import BackendMissingError, MicrophoneInput, VADProcessor, open_backend, open_engine
from voicepipe.cli.commands.echo import read_options
from voicepipe.speech.detectors.registry import ENGINE_NAMES, engine_name

Install = Callable[..., None]

BACKEND = """
from voicepipe.devices import Backend
from voicepipe_devices.fake import FakeBackend

class Jack(FakeBackend):
    name = "jack"

def open_backend(argument: str) -> Backend:
    if argument == "nowhere":
        raise ValueError("there is no server 'nowhere'")
    backend = Jack()
    backend.argument = argument
    return backend

def forget(argument):
    return None

def stumble(argument):
    return {}[argument]
"""
ENGINE = """
class Ear:
    name = "thirds"
    rate, window = 16_000, 160

    def score(self, window):
        return 1 / 3

    def reset(self):
        pass

class Deaf:
    rate, window = 16_000, 160
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return a function that installs a package with these entry points and this one module."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def install(
        package: str, group: str, entries: dict[str, str], module: str = "", source: str = ""
    ) -> None:
        metadata = tmp_path / f"{package.replace('-', '_')}-1.2.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        lines = [f"[{group}]", *(f"{name} = {target}" for name, target in entries.items())]
        (metadata / "entry_points.txt").write_text("\n".join(lines))
        if module:
            (tmp_path / f"{module}.py").write_text(source)

    yield install
    for name in {*sys.modules} - before:
        if name.startswith("third_"):
            del sys.modules[name]


def test_a_back_end_of_another_package_is_opened_by_its_name(install: Install) -> None:
    install(
        "voicepipe-jack", "voicepipe.backends", {"jack": "third_jack:open_backend"}, "third_jack", BACKEND
    )
    assert open_backend("jack").name == "jack"
    assert vars(open_backend("jack:hw:1"))["argument"] == "hw:1"
    MicrophoneInput("jack")
    with pytest.raises(ValueError, match=r"^there is no server 'nowhere'$"):
        open_backend("jack:nowhere")


def test_a_speech_engine_of_another_package_is_opened_by_its_name(install: Install) -> None:
    install("voicepipe-ear", "voicepipe.engines", {"thirds": "third_ear:Ear"}, "third_ear", ENGINE)
    assert open_engine("thirds").score(b"") == 1 / 3
    assert engine_name(VADProcessor("thirds").engine) == "thirds"


def test_an_unknown_name_is_answered_with_those_of_other_packages_too(install: Install) -> None:
    install("voicepipe-jack", "voicepipe.backends", {"jack": "third_jack:open_backend", "asio": "third_asio"})
    install("voicepipe-ear", "voicepipe.engines", {"thirds": "third_ear:Ear"})
    with pytest.raises(
        ValueError,
        match=r"^unknown back end 'alsa'; choose portaudio, wav:IN\.wav,OUT\.wav, fake, asio or jack$",
    ):
        open_backend("alsa")
    with pytest.raises(
        ValueError,
        match=r"^unknown speech engine 'rnn'; choose auto, silero, webrtc, webrtc-plain or thirds$",
    ):
        open_engine("rnn")


def test_the_names_of_engines_are_those_of_other_packages_too(install: Install) -> None:
    install("voicepipe-ear", "voicepipe.engines", {"thirds": "third_ear:Ear", "webrtc": "third_ear:Ear"})
    assert [*ENGINE_NAMES] == ["auto", "silero", "webrtc", "webrtc-plain", "thirds"]
    assert "thirds" in ENGINE_NAMES
    assert "rnn" not in ENGINE_NAMES


def test_the_echo_program_takes_an_engine_of_another_package(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("voicepipe-ear", "voicepipe.engines", {"thirds": "third_ear:Ear"}, "third_ear", ENGINE)
    options = read_options(["--vad", "thirds"], "echo")
    assert options.voice is not None
    assert options.voice.engine == "thirds"
    with pytest.raises(SystemExit):
        read_options(["--vad", "rnn"], "echo")
    assert "thirds" in capsys.readouterr().err


def test_a_built_in_name_wins(install: Install) -> None:
    install("voicepipe-thief", "voicepipe.backends", {"fake": "third_thief:open_backend"})
    install("voicepipe-ear", "voicepipe.engines", {"webrtc": "third_ear:Ear", "auto": "third_ear:Ear"})
    assert open_backend("fake").name == "fake"
    assert engine_name(open_engine("webrtc")) == "webrtc"
    assert engine_name(open_engine("auto")) != "thirds"


BROKEN = [
    ("third_gone:open_backend", r"\(ModuleNotFoundError: No module named 'third_gone'\)"),
    ("third_jack:missing", r"\(AttributeError: .*missing.*\)"),
    ("third_jack:forget", r"\(TypeError: None is no back end; choose .*\)"),
    ("third_jack:stumble", r"\(KeyError: .*\)"),
]


@pytest.mark.parametrize(("target", "reason"), BROKEN)
def test_a_broken_back_end_is_one_line_that_names_its_package(
    install: Install, target: str, reason: str
) -> None:
    install("voicepipe-jack", "voicepipe.backends", {"jack": target}, "third_jack", BACKEND)
    with pytest.raises(BackendMissingError) as refused:
        open_backend("jack")
    assert "\n" not in str(refused.value)
    assert refused.match(
        f"^the back end 'jack' of the package voicepipe-jack 1.2 does not work {reason}: "
        "update or uninstall it$"
    )


def test_a_broken_engine_is_one_line_that_names_its_package(install: Install) -> None:
    install("voicepipe-ear", "voicepipe.engines", {"deaf": "third_ear:Deaf"}, "third_ear", ENGINE)
    with pytest.raises(
        BackendMissingError,
        match=r"^the speech engine 'deaf' of the package voicepipe-ear 1\.2 does not work \(TypeError: ",
    ):
        open_engine("deaf")


def test_a_name_that_two_packages_add_is_nobodys(install: Install) -> None:
    install(
        "voicepipe-jack", "voicepipe.backends", {"jack": "third_jack:open_backend"}, "third_jack", BACKEND
    )
    install("voicepipe-jack-too", "voicepipe.backends", {"jack": "third_jack:open_backend"})
    with pytest.raises(
        BackendMissingError, match=r"^the back end 'jack' of the package .* is also in .*: unins"
    ):
        open_backend("jack")


def test_no_package_is_looked_up_for_a_built_in_name() -> None:
    program = (
        "import sys\nfrom voicepipe import open_backend, open_engine\n"
        "open_backend('fake'), open_engine('silero')\n"
        "print('importlib.metadata' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
