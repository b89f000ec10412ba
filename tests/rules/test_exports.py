"""Public names: each has its home module, a place in `__all__`, and a docstring."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import voicepipe

ROOT = Path(__file__).resolve().parents[2]

# What `from voicepipe import ...` offers, by home module. Each name is expected from the day its home module
# is there.
WORDS = {
    "voicepipe.frames": (
        "Frame",
        "SystemFrame",
        "DataFrame",
        "ControlFrame",
        "StartFrame",
        "EndFrame",
        "CancelFrame",
        "ErrorFrame",
        "InterruptionFrame",
        "AudioFrame",
        "InputAudioFrame",
        "OutputAudioFrame",
        "UtteranceFrame",
        "UserStartedSpeakingFrame",
        "UserStoppedSpeakingFrame",
        "BotStartedSpeakingFrame",
        "BotStoppedSpeakingFrame",
        "DeviceLostFrame",
        "DeviceRestoredFrame",
        "TextFrame",
        "TranscriptionFrame",
        "FrameDirection",
    ),
    "voicepipe.pipeline.processor": (
        "FrameProcessor",
        "InlineProcessor",
        "Processor",
    ),
    "voicepipe.pipeline.pipeline": (
        "Pipeline",
        "ParallelPipeline",
    ),
    "voicepipe.run.task": ("PipelineTask",),
    "voicepipe.runner.runner": ("PipelineRunner",),
    "voicepipe.endpoints.microphone": ("MicrophoneInput",),
    "voicepipe.endpoints.speaker": ("SpeakerOutput",),
    "voicepipe.speech.vad": (
        "Judgement",
        "VADProcessor",
    ),
    "voicepipe.speech.detectors.protocol": ("SpeechEngine",),
    "voicepipe.speech.detectors.registry": ("open_engine",),
    "voicepipe.speech.detectors.webrtc_robust": ("RobustWebRTCEngine",),
    "voicepipe.speech.segmenter": (
        "Segmenter",
        "SegmenterSettings",
    ),
    "voicepipe.speech.detectors.silero": ("SileroEngine",),
    "voicepipe.speech.utterance": (
        "EndOfTurn",
        "UtteranceCollector",
    ),
    "voicepipe.speech.detectors.webrtc": ("WebRTCEngine",),
    "voicepipe.stages.filter": ("FrameFilter",),
    "voicepipe.stages.gain": ("Gain",),
    "voicepipe.stages.loopback": ("Loopback",),
    "voicepipe.audio.level": ("Level",),
    "voicepipe.stages.meter": ("LevelMeter",),
    "voicepipe.stages.tap": ("Tap",),
    "voicepipe.audio.format": ("AudioFormat",),
    "voicepipe.params": (
        "Limits",
        "StartParams",
    ),
    "voicepipe.lifecycle": ("RunState",),
    "voicepipe.report": (
        "Abandoned",
        "RunReport",
        "SlowStage",
        "StageError",
        "DropReason",
        "SeamReport",
        "DeviceStatistics",
    ),
    "voicepipe.census.census": (
        "Census",
        "assert_nothing_left",
        "take_census",
    ),
    "voicepipe.census.monitor": ("CensusMonitor",),
    "voicepipe.devices.port": ("Backend",),
    "voicepipe.devices.backends": ("open_backend",),
    "voicepipe.errors": (
        "VoicepipeError",
        "PipelineError",
        "PipelineStartError",
        "LifecycleError",
        "AudioFormatError",
        "DeviceError",
        "BackendMissingError",
        "DeviceNotFoundError",
        "DeviceBusyError",
        "DevicePermissionError",
        "DeviceFormatError",
        "DeviceLostError",
        "DeviceTimeoutError",
    ),
}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.ClassDef | Function


@dataclass(frozen=True, slots=True)
class Module:
    """A Python file, read and not imported: a back end's import needs its library."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def exported(self) -> list[str] | None:
        """What `__all__` lists; None where there is no plain list of strings."""
        for node in self.tree.body:
            match node:
                case (
                    ast.Assign(targets=[ast.Name("__all__")], value=ast.List(elts=names))
                    | ast.AnnAssign(target=ast.Name("__all__"), value=ast.List(elts=names))
                ):
                    texts = [name.value for name in names if isinstance(name, ast.Constant)]
                    return [str(text) for text in texts] if len(texts) == len(names) else None
        return None


def read_modules(top: Path, package: str) -> Iterator[Module]:
    """Every public module of a package that lies in the folder `top`."""
    for path in sorted((top / package).rglob("*.py")):
        parts = path.relative_to(top).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if not any(part.startswith("_") for part in parts):
            yield Module(".".join(parts), path, ast.parse(path.read_text(encoding="utf-8")))


MODULES = [*read_modules(ROOT, "voicepipe"), *read_modules(ROOT / "devices", "voicepipe_devices")]
EXPORTED = {module.name: module.exported or [] for module in MODULES}
every_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)


def names_bound(body: Iterable[ast.stmt]) -> Iterator[str]:
    """The names that a module's statements bind, also under `if` and `try`."""
    for node in body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from ((alias.asname or alias.name).partition(".")[0] for alias in aliases)
            case ast.Assign() | ast.AnnAssign():
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                yield from (
                    name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)
                )
            case ast.If():
                yield from names_bound([*node.body, *node.orelse])
            case ast.Try():
                handled = [child for handler in node.handlers for child in handler.body]
                yield from names_bound([*node.body, *handled, *node.orelse, *node.finalbody])


def undocumented(body: Iterable[ast.stmt], owner: str = "") -> Iterator[str]:
    """The public classes, functions and methods that have no docstring, each with its line."""
    for node in body:
        if not isinstance(node, Definition) or node.name.startswith("_") or _is_another_form(node):
            continue
        if not ast.get_docstring(node):
            yield f"line {node.lineno}: {owner}{node.name} has no docstring"
        if isinstance(node, ast.ClassDef):
            yield from undocumented(node.body, f"{owner}{node.name}.")


def _is_another_form(node: Definition) -> bool:
    """An overload, or a property's setter: the docstring stands at the main form."""
    decorators = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
    return not decorators.isdisjoint({"overload", "setter", "deleter"})


def expected_words() -> set[str]:
    """The words of the table whose home modules are there so far."""
    return {word for home, words in WORDS.items() for word in words if home in EXPORTED}


def imported_by_the_package() -> Iterator[tuple[str, str]]:
    """Home module and name of everything that `voicepipe/__init__.py` takes from its own modules."""
    package = next(module for module in MODULES if module.name == "voicepipe")
    for node in ast.walk(package.tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("voicepipe."):
            yield from ((node.module or "", alias.name) for alias in node.names)


@every_module
def test_a_module_has_a_list_of_its_exports(module: Module) -> None:
    if module.name == "voicepipe_devices":
        assert list(names_bound(module.tree.body)) == [], "it only holds the back ends"
        return
    assert module.exported is not None, f'{module.path} has no `__all__ = ["..."]`'
    assert [name for name in module.exported if module.exported.count(name) > 1] == []


@every_module
def test_what_a_module_exports_is_there(module: Module) -> None:
    missing = set(module.exported or []) - set(names_bound(module.tree.body))
    assert not missing, f"{module.path}: `__all__` has {sorted(missing)}, and the module has not"


@every_module
def test_what_is_public_has_a_docstring(module: Module) -> None:
    assert ast.get_docstring(module.tree), f"{module.path} begins with no docstring"
    missing = list(undocumented(module.tree.body))
    assert not missing, "\n".join([f"{module.path}:", *missing])


def test_the_package_exports_the_words_of_the_design() -> None:
    exported = set(getattr(voicepipe, "__all__", ()))
    missing, extra = sorted(expected_words() - exported), sorted(exported - expected_words())
    assert not missing, f"add to `__all__` in voicepipe/__init__.py: {missing}"
    assert not extra, f"take out of `__all__` in voicepipe/__init__.py, or add to WORDS here: {extra}"


def test_the_package_exports_what_can_be_imported() -> None:
    missing = [name for name in getattr(voicepipe, "__all__", ()) if not hasattr(voicepipe, name)]
    assert missing == []


def test_the_package_takes_only_what_a_home_module_exports() -> None:
    wrong = [
        f"{home} does not export {name}"
        for home, name in imported_by_the_package()
        if name != "*" and name not in EXPORTED.get(home, [])
    ]
    assert wrong == []


def test_the_words_are_made_and_documented_at_home() -> None:
    wrong = [
        f"{home}.{word}"
        for home, words in WORDS.items()
        for word in set(words) & set(getattr(voicepipe, "__all__", ()))
        if getattr(voicepipe, word).__module__ != home or not getattr(voicepipe, word).__doc__
    ]
    assert wrong == [], "made elsewhere, or without a docstring"


def test_a_home_module_exports_its_words() -> None:
    wrong = [
        f"add {word} to `__all__` in {home}"
        for home, words in WORDS.items()
        for word in words
        if home in EXPORTED and word not in EXPORTED[home]
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("def go(): ...", ["line 1: go has no docstring"]),
        ("async def go(): ...", ["line 1: go has no docstring"]),
        ("class Cart: ...", ["line 1: Cart has no docstring"]),
        ("class Cart:\n 'A cart.'\n def go(self): ...", ["line 3: Cart.go has no docstring"]),
        ("class Cart:\n 'A cart.'\n def _go(self): ...", []),
        ("class _Cart:\n def go(self): ...", []),
        ("@overload\ndef go(): ...", []),
        ("class Cart:\n 'A cart.'\n @load.setter\n def load(self, value): ...", []),
        ("def go():\n 'Move.'", []),
    ],
)
def test_a_missing_docstring_is_found(source: str, missing: list[str]) -> None:
    assert list(undocumented(ast.parse(source).body)) == missing


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import numpy.typing as npt", ["npt"]),
        ("import numpy.typing", ["numpy"]),
        ("from numpy import int16, int32 as long", ["int16", "long"]),
        ("first, second = 1, 2", ["first", "second"]),
        ("length: int = 3", ["length"]),
        ("try:\n a = 1\nexcept OSError:\n b = 2", ["a", "b"]),
        ("if True:\n def go(): ...\nelse:\n class Cart: ...", ["go", "Cart"]),
        ("def go():\n inner = 1", ["go"]),
    ],
)
def test_the_names_of_a_module_are_found(source: str, names: list[str]) -> None:
    assert list(names_bound(ast.parse(source).body)) == names


def test_each_name_is_found_in_its_home_module_when_it_is_first_asked_for() -> None:
    homes = {name: f"voicepipe.{home}" for name, home in voicepipe._HOMES.items()}
    words = {name: home for home, names in WORDS.items() for name in names}
    assert homes == words
    for name, home in homes.items():
        assert getattr(voicepipe, name) is getattr(sys.modules[home], name)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'voicepipe' has no attribute 'Pipelines'"):
        voicepipe.Pipelines  # noqa: B018  # to ask for it is the test


def test_dir_names_what_was_not_asked_for_yet() -> None:
    assert set(voicepipe.__all__) <= set(dir(voicepipe))
