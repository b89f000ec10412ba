"""A name that is not there: the error says which one to use, and nothing else changes."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import sys
from dataclasses import dataclass

import pytest

import voicepipe as vp
from voicepipe.hints import ATTRIBUTES, NAMES, Missing, with_hints

SOUND = vp.open_backend("fake")
OBJECTS: dict[str, object] = {
    "PipelineTask": vp.PipelineTask(vp.Pipeline([vp.MicrophoneInput(SOUND), vp.SpeakerOutput(SOUND)])),
    "Processor": vp.FrameProcessor(),
    "PipelineRunner": vp.PipelineRunner(),
    "AudioFrame": vp.OutputAudioFrame(b""),
}
HINTED = [(kind, name, hint) for kind, hints in ATTRIBUTES.items() for name, hint in hints.items()]


def plain(pattern: str) -> str:
    """Return a name that fits the pattern."""
    return pattern.replace("*", "Any")


# -- names of the package --------------------------------------------------------------


@pytest.mark.parametrize(("pattern", "hint"), NAMES.items())
def test_a_name_of_another_framework_says_which_to_use(pattern: str, hint: str) -> None:
    with pytest.raises(AttributeError) as error:
        getattr(vp, plain(pattern))
    assert str(error.value).startswith(f"module 'voicepipe' has no attribute {plain(pattern)!r}: ")
    assert error.value.name == plain(pattern)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("OutputAudioRawFrame", "use OutputAudioFrame"),
        ("InputAudioRawFrame", "use InputAudioFrame"),
        ("BotInterruptionFrame", "use InterruptionFrame, or task.interrupt()"),
        ("StopTaskFrame", "use EndFrame: the same stages can be in another run afterwards"),
        ("SileroVADAnalyzer", "use VADProcessor(), a stage"),
        ("LocalAudioTransport", "use MicrophoneInput(backend) and SpeakerOutput(backend)"),
        ("CartesiaTTSService", "bring it as a stage of your own: derive from FrameProcessor"),
        ("PipelineWorker", "use PipelineTask"),
    ],
)
def test_the_hint_of_a_name(name: str, hint: str) -> None:
    with pytest.raises(AttributeError) as error:
        getattr(vp, name)
    assert str(error.value) == f"module 'voicepipe' has no attribute {name!r}: {hint}"


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("Pipelines", "Pipeline"),
        ("PipeLine", "Pipeline"),
        ("pipeline_task", "PipelineTask"),
        ("VadProcessor", "VADProcessor"),
        ("MicrophoneInputs", "MicrophoneInput"),
        ("SpeakerOuput", "SpeakerOutput"),
        ("UserStartSpeakingFrame", "UserStartedSpeakingFrame"),
        ("openbackend", "open_backend"),
    ],
)
def test_a_slip_names_the_nearest_name(slip: str, meant: str) -> None:
    with pytest.raises(AttributeError, match=f"has no attribute '{slip}': did you mean '{meant}'\\?$"):
        getattr(vp, slip)


@pytest.mark.parametrize("name", ["nothing_like_it", "x", "__path_hooks__", "_private", "__wrapped__"])
def test_a_name_that_is_like_no_other_has_no_hint(name: str) -> None:
    with pytest.raises(AttributeError) as error:
        getattr(vp, name)
    assert str(error.value) == f"module 'voicepipe' has no attribute {name!r}"
    assert not hasattr(vp, name)


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        ("OutputAudioRawFrame", "use OutputAudioFrame"),
        ("Frame, PipelineParams", "give PipelineTask its formats"),
        ("StopTaskFrame as Stop", "use EndFrame"),
        ("LLMMessagesFrame", "a language model is a stage of your own"),
        ("Pipelines", "did you mean 'Pipeline'?"),
        ("SpeakersOutput", "did you mean 'SpeakerOutput'?"),
    ],
)
def test_an_import_of_a_name_has_the_hint(names: str, hint: str) -> None:
    with pytest.raises(ImportError, match=re.escape(f" from 'voicepipe': {hint}")) as error:
        exec(f"from voicepipe import {names}", {})
    assert str(error.value).startswith("cannot import name ")


def test_the_names_of_the_test_kit_have_hints_too() -> None:
    with pytest.raises(ImportError, match=r"'run_procesor' from 'voicepipe.testing': did you mean 'run_proc"):
        exec("from voicepipe.testing import run_procesor", {})


def test_an_import_of_a_name_like_no_other_is_as_python_has_it() -> None:
    with pytest.raises(ImportError, match=r"cannot import name 'nothing_like_it' from 'voicepipe' \("):
        exec("from voicepipe import nothing_like_it", {})


def test_a_submodule_is_imported_as_before() -> None:
    names: dict[str, object] = {}
    exec("from voicepipe import hints, frames", names)
    assert names["frames"] is sys.modules["voicepipe.frames"]


# -- attributes --------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name", "hint"), HINTED)
def test_an_attribute_of_another_framework_says_which_to_use(kind: str, name: str, hint: str) -> None:
    thing = OBJECTS[kind]
    with pytest.raises(AttributeError) as error:
        getattr(thing, name)
    assert str(error.value) == f"{type(thing).__name__!r} object has no attribute {name!r}: {hint}"
    assert error.value.name == name
    assert not hasattr(thing, name)
    assert not hasattr(type(thing), name)
    assert name not in dir(thing)


@pytest.mark.parametrize("name", ATTRIBUTES["Processor"])
@pytest.mark.parametrize("kind", [vp.InlineProcessor, vp.Pipeline, vp.VADProcessor, vp.Gain])
def test_every_stage_has_the_hints(kind: type[vp.Processor], name: str) -> None:
    with pytest.raises(AttributeError, match=f"type object '{kind.__name__}' has no attribute '{name}': "):
        getattr(kind, name)


def test_a_hint_names_what_is_there() -> None:
    """Every class that a hint names is public, and every call is one of its class."""
    hints = dict.fromkeys(NAMES.values()) | {hint: kind for kind, _, hint in HINTED}
    for hint, kind in hints.items():
        for name in re.findall(r"\b[A-Z][a-z]+[A-Z]\w+|\b[A-Z]{2,}[A-Z][a-z]\w+", hint):
            assert hasattr(vp, name), hint
        for use in re.findall(r"^use ([a-z_]+)", hint):
            homes = (OBJECTS[kind or "PipelineTask"], OBJECTS["Processor"], vp.PipelineTask)
            assert any(hasattr(home, use) for home in homes) or use in ("task", "params", "asyncio"), hint
        for use in re.findall(r"\btask\.(\w+)", hint):
            assert hasattr(vp.PipelineTask, use), hint


def test_a_class_that_has_the_attribute_is_refused() -> None:
    class Processor:
        def setup(self) -> None: ...

    with pytest.raises(TypeError, match="Processor has setup: take it out of the hints"):
        with_hints(Processor)


# -- and nothing else changes ------------------------------------------------------------


class Own(vp.FrameProcessor):
    """A stage with names of its own, among them such that have a hint elsewhere."""

    link = "mine"

    def setup(self) -> str:
        return "mine"

    def __init__(self) -> None:
        super().__init__()
        self.queue_frame = "mine"


class Base:
    link = "another's"

    def setup(self) -> str:
        return "another's"

    @property
    def push_error(self) -> str:
        return self.not_there  # type: ignore[attr-defined, no-any-return]


class Mixed(vp.FrameProcessor, Base):
    pass


class Delegating:
    def __getattr__(self, name: str) -> str:
        return f"for {name}"


class MixedWithDelegating(vp.FrameProcessor, Delegating):
    pass


def test_names_of_a_subclass_are_its_own() -> None:
    own = Own()
    assert (own.link, own.setup(), own.queue_frame) == ("mine", "mine", "mine")
    assert {"link", "setup", "queue_frame"} <= set(dir(own))


def test_names_of_another_base_class_are_found() -> None:
    mixed = Mixed()
    assert (mixed.link, mixed.setup(), Mixed.link) == ("another's", "another's", "another's")
    with pytest.raises(AttributeError, match="not_there"):
        _ = mixed.push_error


def test_another_base_class_may_answer_for_every_name() -> None:
    assert MixedWithDelegating().setup == "for setup"


def test_a_property_that_fails_shows_its_own_error() -> None:
    class Broken(vp.FrameProcessor):
        @property
        def setting(self) -> object:
            return self.not_there  # type: ignore[attr-defined]

    with pytest.raises(AttributeError, match=r"'Broken' object has no attribute 'not_there'$"):
        _ = Broken().setting


def test_a_frame_with_a_field_of_that_name_is_a_frame() -> None:
    @dataclass(frozen=True, slots=True, eq=False)
    class Named(vp.OutputAudioFrame):
        audio: str = "voice"

    frame = Named(b"", audio="chime")
    assert (frame.audio, Named(b"").audio, copy.copy(frame).audio) == ("chime", "voice", "chime")
    assert frame.with_data(b"\0\0").audio == "chime"


def test_frames_are_copied_pickled_and_compared_as_before() -> None:
    frame = vp.OutputAudioFrame(b"\0\0", 8_000)
    for again in (copy.copy(frame), copy.deepcopy(frame), pickle.loads(pickle.dumps(frame))):
        assert (again.data, again.rate) == (b"\0\0", 8_000)
        assert again != frame


def test_tools_that_look_at_everything_still_do() -> None:
    for thing in OBJECTS.values():
        # CPython 3.11.2 refuses `__weakref__` of an object whose base is a dataclass with slots.
        names = [name for name in dir(thing) if name != "__weakref__"]
        assert not [name for name in names if isinstance(getattr(thing, name, None), Missing)]
        inspect.getmembers(type(thing))
        assert "__init__" in dir(thing)


def test_an_attribute_may_be_set_where_there_was_a_hint() -> None:
    stage = vp.InlineProcessor()
    stage.setup = 1  # type: ignore[attr-defined]
    assert stage.setup == 1  # type: ignore[attr-defined]
    del stage.setup  # type: ignore[attr-defined]
    assert not hasattr(stage, "setup")
