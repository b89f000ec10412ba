"""A frame is made quickly, and just as an ordinary dataclass with every check would make it."""

from __future__ import annotations

import copy
import enum
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, InitVar, dataclass, field, fields, replace
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import pytest

from voicepipe import (
    AudioFormatError,
    AudioFrame,
    BackgroundAudioFrame,
    InputAudioFrame,
    OutputAudioFrame,
    UtteranceFrame,
)
from voicepipe.quick_init import replacer_of

KINDS = [AudioFrame, InputAudioFrame, OutputAudioFrame, BackgroundAudioFrame, UtteranceFrame]
EVERYTHING: dict[str, Any] = {
    "data": bytes(8),
    "rate": 48_000,
    "channels": 2,
    "position": 77,
    "captured_s": 1.25,
    "live": True,
    "origin": "mic",
}


class Rate(enum.IntEnum):
    WIDE = 16_000


class Blob(bytes):
    """Bytes of a class of one's own."""


class Checked(AudioFrame):
    """Makes every check, as if no format had passed before."""

    def __post_init__(self) -> None:
        self._check()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sung(AudioFrame):
    verse: int = 0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Tagged(InputAudioFrame):
    tag: str = field(kw_only=True)
    length: int = field(init=False, default=4)


@dataclass(frozen=True, eq=False, repr=False)
class Wide(AudioFrame):
    """Without slots, and with another default."""

    rate: int = 24_000
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Short(AudioFrame):
    longest_s: ClassVar[float] = 0.01


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Keyed(AudioFrame):
    key: InitVar[int] = field(kw_only=True)

    def __post_init__(self, key: int) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # an InitVar
        AudioFrame.__post_init__(self)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Long(InputAudioFrame):
    longest_s: ClassVar[float] = 60.0


class Noted(InputAudioFrame):
    """No dataclass: the check of its own is called all the same."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.origin:
            raise ValueError("origin is missing")


def outcome(make: Callable[..., AudioFrame], *arguments: Any, **given: Any) -> object:
    """Return the fields of the frame, or the class and the line of the error."""
    try:
        made = make(*arguments, **given)
    except Exception as error:  # whatever it is, it is compared
        return type(error), str(error).replace("Checked", "AudioFrame")
    return [(each.name, getattr(made, each.name)) for each in fields(made)]


# -- the checks --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("rate", value)
            for value in (True, 16_000.0, np.int64(16_000), Rate.WIDE, Fraction(16_000), "16k")
        ),
        *(("rate", value) for value in (0, -16_000, 999, 384_001, None, [16_000], float("nan"))),
        *(("channels", value) for value in (True, False, 1.0, np.int8(1), 0, -1, 33, 65, None, {1: 1})),
        *(("position", value) for value in (True, 0.0, np.int64(3), -1, 2**62, 2**62 + 1, "0", None)),
        *(("captured_s", value) for value in (0, True, np.float64(1.5), Fraction(1), "1.5", 10**400)),
        *(
            ("captured_s", value)
            for value in (float("inf"), float("-inf"), float("nan"), -0.5, np.float32(1))
        ),
        *(("data", value) for value in (bytearray(4), memoryview(bytes(4)), [0, 0], "abcd", None, Blob(4))),
        *(("data", value) for value in (b"", b"a", bytes(3), bytes(320_000), bytes(320_002))),
        ("live", 1),
        ("origin", None),
    ],
    ids=lambda value: f"{type(value).__name__} {value!r:.12}",
)
def test_a_known_format_lets_nothing_pass_that_the_checks_refuse(name: str, value: Any) -> None:
    for rate in (16_000, 1_000):
        AudioFrame(bytes(4), rate)  # this format has passed
    given = {"data": bytes(4), name: value}
    assert outcome(AudioFrame, **given) == outcome(Checked, **given)


@pytest.mark.parametrize("kind", [Short, UtteranceFrame, AudioFrame])
@pytest.mark.parametrize("rate", [16_000, 44_100, 11_025])
def test_the_longest_frame_passes_and_one_sample_more_does_not(kind: type[AudioFrame], rate: int) -> None:
    most = int(kind.longest_s * rate)
    kind(b"", rate)
    assert kind(bytes(2 * most), rate).num_samples == most
    with pytest.raises(AudioFormatError, match=f"{most + 1} samples .* too long for one {kind.__name__};"):
        kind(bytes(2 * most + 2), rate)


def test_frames_of_one_format_share_it_and_a_new_format_is_checked() -> None:
    one, other = InputAudioFrame(bytes(8), 12_345, 2), OutputAudioFrame(bytes(4), 12_345, 2)
    assert one.format is other.format
    assert AudioFrame(b"", 12_345).format.channels == 1
    with pytest.raises(ValueError, match=r"^channels must be a whole number from 1 to 32, not 33"):
        AudioFrame(b"", 12_345, 33)


# -- the constructor ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_constructor_is_that_of_the_dataclass(kind: type[AudioFrame]) -> None:
    ordinary: type[AudioFrame] = dataclass(frozen=True, eq=False)(
        type(kind.__name__, (kind,), {"__annotations__": {}})
    )
    assert inspect.signature(kind) == inspect.signature(ordinary)
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((), {}),
        ((b"", 16_000, 1, 0, None, True), {}),
        ((b"",), {"data": b""}),
        ((b"",), {"audio": b""}),
        ((b"",), {"num_samples": 0}),
    ]
    for arguments, given in calls:
        assert outcome(kind, *arguments, **given) == outcome(ordinary, *arguments, **given)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_arrives_and_stays(kind: type[AudioFrame]) -> None:
    frame = kind(**EVERYTHING)
    for one in (frame, copy.copy(frame), pickle.loads(pickle.dumps(frame)), replace(frame), kind.of(frame)):
        assert {name: getattr(one, name) for name in EVERYTHING} == EVERYTHING
        assert (one.num_samples, one.format.rate) == (2, 48_000)
        with pytest.raises(FrozenInstanceError):
            one.position = 3  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  # frozen


def test_a_class_of_ones_own_that_is_no_dataclass_keeps_its_check() -> None:
    assert Noted(bytes(4), origin="mic").num_samples == 2
    with pytest.raises(ValueError, match="origin is missing"):
        Noted(bytes(4))


def test_a_class_without_slots_keeps_its_defaults() -> None:
    frame = Wide(bytes(4), note="la")
    assert (frame.rate, frame.format.rate, frame.note, frame.num_samples) == (24_000, 24_000, "la", 2)
    assert Wide(bytes(4), 8_000).with_data(bytes(2)).format.rate == 8_000


# -- the ear -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [InputAudioFrame, Noted])
@pytest.mark.parametrize("rate", [16_000, 12_346])
@pytest.mark.parametrize(
    ("ear", "error", "words"),
    [
        (bytearray(4), TypeError, "ear must be bytes or None, not bytearray"),
        (np.zeros(2, np.int16), TypeError, "not ndarray"),
        ("ab", TypeError, "not str"),
        (bytes(2), AudioFormatError, "ear has 2 bytes, and data 2 samples: .* 4 bytes"),
        (bytes(8), AudioFormatError, "ear has 8 bytes"),
        (bytes(5), AudioFormatError, "ear has 5 bytes"),
        (b"", AudioFormatError, "ear has 0 bytes"),
    ],
    ids=repr,
)
def test_an_ear_is_checked(
    kind: type[InputAudioFrame], rate: int, ear: Any, error: type[Exception], words: str
) -> None:
    for _ in range(2):  # a new format, and one that has passed
        assert kind(bytes(8), rate, 2, origin="mic", ear=bytes(4)).ear == bytes(4)
        with pytest.raises(error, match=words):
            kind(bytes(8), rate, 2, origin="mic", ear=ear)


HEARD = InputAudioFrame(b"abcdefgh", 48_000, 2, 77, 1.25, live=True, origin="mic", ear=b"WXYZ")


def test_an_ear_is_what_judges_hear() -> None:
    assert HEARD.for_ear == b"WXYZ"
    assert InputAudioFrame(b"abcd").for_ear == b"abcd"
    both = np.array([[100, 300], [-5, 5]], np.int16)
    assert InputAudioFrame.from_array(both, channels=2).for_ear == np.array([200, 0], np.int16).tobytes()
    assert repr(HEARD) == "InputAudioFrame(2 samples at 77, 48000 Hz, 2 ch, with an ear)"
    assert "ear" not in repr(HEARD.with_data(b""))


def test_an_ear_stays_with_audio_of_the_same_length_alone() -> None:
    assert HEARD.with_data(bytes(8)).ear == b"WXYZ"
    for data in (b"", bytes(4), bytes(16)):
        made = HEARD.with_data(data)
        assert (made.data, made.ear, made.position, made.origin) == (data, None, 77, "mic")
    with pytest.raises(TypeError, match="data must be bytes"):
        HEARD.with_data(bytearray(4))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # wrong on purpose


def test_an_ear_goes_along() -> None:
    for made in (copy.copy(HEARD), pickle.loads(pickle.dumps(HEARD)), replace(HEARD), Noted.of(HEARD)):
        assert (made.ear, made.data) == (b"WXYZ", HEARD.data)
    assert OutputAudioFrame.of(HEARD).ear is None
    samples = np.arange(25 * 1_000, dtype=np.int16)
    whole = Long(samples.tobytes(), 1_000, ear=samples[::-1].tobytes())
    parts = [*InputAudioFrame.parts_of(whole)]
    assert [part.num_samples for part in parts] == [10_000, 10_000, 5_000]
    assert b"".join(part.for_ear for part in parts) == whole.ear
    assert [part.ear for part in OutputAudioFrame.parts_of(whole)] == [None] * 3


# -- copies with other audio ---------------------------------------------------------------


@pytest.mark.parametrize(
    "frame",
    [
        *(kind(**EVERYTHING) for kind in KINDS),
        BackgroundAudioFrame(**EVERYTHING, sound="rain"),
        Sung(**EVERYTHING, verse=3),
        Tagged(**EVERYTHING, tag="x"),
        Wide(**EVERYTHING, note="la"),
        Noted(**EVERYTHING),
    ],
    ids=lambda frame: type(frame).__name__,
)
@pytest.mark.parametrize("data", [bytes(16), b"", bytes(6), bytearray(8), None], ids=repr)
def test_with_data_does_what_replace_does(frame: AudioFrame, data: Any) -> None:
    assert outcome(frame.with_data, data) == outcome(lambda: replace(frame, data=data))
    if data == b"":
        assert type(frame.with_data(data)) is type(frame)


def test_with_data_of_a_class_with_an_init_var_says_what_replace_says() -> None:
    frame = Keyed(bytes(4), key=1)
    with pytest.raises((TypeError, ValueError), match="InitVar 'key' must be specified"):
        frame.with_data(bytes(8))


def test_with_data_makes_the_class_of_each_frame_by_turns() -> None:
    frames = [
        Sung(bytes(4), verse=1),
        AudioFrame(bytes(4)),
        Tagged(bytes(4), tag="x"),
        Noted(bytes(4), origin="m"),
    ]
    for _ in range(2):
        assert [type(frame.with_data(b"")) for frame in frames] == [type(frame) for frame in frames]


def test_a_copy_is_made_by_position_where_the_names_allow_it() -> None:
    @dataclass
    class Point:
        x: int
        y: int = field(kw_only=True)
        made: int = field(init=False, default=0)
        z: int = 0

    assert replacer_of(Point, "y")(Point(1, 3, y=2), 9) == Point(1, 3, y=9)
    assert replacer_of(Point, "x")(Point(1, 3, y=2), 9) == Point(9, 3, y=2)

    @dataclass
    class Scaled:
        x: int
        scale: InitVar[int] = 1
        z: int = 0

    assert replacer_of(Scaled, "x")(Scaled(1, 5, 3), 9) == Scaled(9, 1, 3)
