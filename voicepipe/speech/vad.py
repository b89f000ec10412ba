"""Voice activity detection: audio in, the same audio and facts out.

    microphone -> VADProcessor -> UtteranceCollector -> ...

A fact comes later than what it tells of, for it takes some speech to be certain of speech
and some silence to be certain of silence. So it points back by position.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from voicepipe.audio.channel_mixer import ChannelMixer
from voicepipe.audio.format import AudioFormat
from voicepipe.checks import check_callable
from voicepipe.frames import (
    EndOfTurnFrame,
    FactFrame,
    Frame,
    FrameDirection,
    InputAudioFrame,
    UnfinishedTurnFrame,
    UserPausedFrame,
    UserResumedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from voicepipe.log import logger_of
from voicepipe.pipeline.place import Place, makes, takes
from voicepipe.pipeline.processor import InlineProcessor, label_of
from voicepipe.settings.sound import SoundSettings
from voicepipe.speech.detectors.protocol import (
    LONGEST_WINDOW_S,
    SpeechEngine,
    check_engine,
    gives_probability,
)
from voicepipe.speech.detectors.registry import DEFAULT_ENGINE, open_engine
from voicepipe.speech.pauses import JudgedStretch
from voicepipe.speech.positions import StreamPositions, are_of_one_origin, refuse_two_microphones
from voicepipe.speech.segmenter import (
    LONGEST_START_S,
    REACH_S,
    Preset,
    Segmenter,
    SegmenterSettings,
    preset,
)
from voicepipe.speech.stretch import Observe, Stretch

if TYPE_CHECKING:
    from voicepipe.params import StartParams
    from voicepipe.speakers import Speakers

__all__ = ["LOOK_BACK_S", "VADProcessor"]

_log = logger_of("voicepipe")

LOOK_BACK_S = LONGEST_START_S + REACH_S + LONGEST_START_S + 6 * LONGEST_WINDOW_S
"""The longest way from a start to the frame that made it certain, in seconds: the longest
`start_s` and `min_s`, what a beginning reaches back, some windows, and what a change of rate holds back."""


class VADProcessor(InlineProcessor):
    """Finds where the user speaks in the microphone's audio, of any rate and channels.

    Audio passes at once and unchanged. Behind the frame that made it certain comes a
    `UserStartedSpeakingFrame` with the position where speech began, and later a
    `UserStoppedSpeakingFrame` with the position where it ended. `decided` is the position up to which
    audio was judged by then, and `origin` the microphone. The positions do not depend on how the
    audio is cut into frames. Where audio is missing (a jump of `position`), where its format or its
    microphone changes, and at the End, a turn ends with the last sample heard.

    A stage behind it may judge the pauses of a turn: see `UserPausedFrame`, which is made only for a stage
    that declares it in `takes`. Its verdict comes as an `EndOfTurnFrame`, which ends the turn at the
    pause, or as an `UnfinishedTurnFrame`, which keeps it open for longer than `stop_s`.

    A frame that a program made without a position, at 0, follows the frame before it. Audio of two
    microphones at once is an error: each needs a `VADProcessor` of its own.

    It judges the `ear` of frames that have one, which an echo canceller makes.

    Args:
        engine: the voice detector: a name (`"silero"`, `"webrtc"`, `"auto"`: see `open_engine`), or an
            engine that belongs to this stage alone. None: that of the user's settings, if the back end
            carries them (see `open_backend`), or `"silero"`.
        preset: `"responsive"`, `"balanced"` or `"patient"`: how quickly a pause
            ends a turn. None: that of the settings, or `"balanced"`. The numbers below, where they are
            given, take the place of its own.
        start_s: a turn begins when half of this time was likely speech, 0 to 1 s; sure speech, and a
            calm room, need less. The shorter, the sooner it is noticed, and the more noises
            are taken for speech.
        stop_s: a turn ends after so long a silence, 0 to 60 s. The shorter, the sooner an
            answer may begin, and the more often a pause for thought counts as the end.
        min_s: the shortest turn, 0 to 1 s.
        max_s: a longer turn ends at its quietest place, and another begins there; 1 s or more.
            (To have long speech in parts, without such ends: `UtteranceCollector(max_s=...)`.)
        gate_db: a turn begins only with sound so much louder than the noise floor, 0 to 40 dB.
        observe: called with every `Judgement`, in the loop's thread; must be quick.

    Raises:
        TypeError, ValueError: a number is out of its bounds, or `engine` or `preset` is none.
        BackendMissingError: a file or a package that the engine needs is missing or damaged.
    """

    takes: ClassVar[tuple[type[Frame], ...]] = (InputAudioFrame,)
    makes: ClassVar[tuple[type[Frame], ...]] = (
        UserStartedSpeakingFrame,
        UserStoppedSpeakingFrame,
        UserPausedFrame,
        UserResumedFrame,
    )

    def __init__(
        self,
        engine: SpeechEngine | str | None = None,
        *,
        preset: Preset | str | None = None,
        start_s: float | None = None,
        stop_s: float | None = None,
        min_s: float | None = None,
        max_s: float | None = None,
        gate_db: float | None = None,
        observe: Observe | None = None,
        name: str = "",
    ) -> None:
        super().__init__(name=name)
        self._preset = preset
        self._numbers = {
            "start_s": start_s,
            "stop_s": stop_s,
            "min_s": min_s,
            "max_s": max_s,
            "gate_db": gate_db,
        }
        self._settings = _settings("balanced" if preset is None else preset, **self._numbers)
        if observe is not None:
            check_callable("observe", observe)
        self._observe = observe
        self._default: str | None = DEFAULT_ENGINE if engine is None else None
        """The name of the engine, where the program's code names none."""
        engine = DEFAULT_ENGINE if engine is None else engine
        self._engine = open_engine(engine) if isinstance(engine, str) else check_engine(engine)
        self._positions = StreamPositions()
        self._stretch: Stretch | None = None
        self._mixer: ChannelMixer | None = None
        """Of the last format that had several channels: what it knows of them outlasts a gap."""
        self._mixed: AudioFormat | None = None
        self._tells_pauses = self._is_answered = False
        """True if a stage behind takes pauses, and if one answers each."""
        self._speakers: Speakers | None = None
        """Those of the run, until a missing ear was told."""

    @property
    def engine(self) -> SpeechEngine:
        """The voice detector; its `name`, if it has one, says what `"auto"` took."""
        return self._engine

    @property
    def settings(self) -> SegmenterSettings:
        """The conditions for the begin and the end of a turn."""
        return self._settings

    @property
    def has_heard(self) -> bool:
        """True once audio has come to it in this run."""
        return self._positions.has_begun

    @property
    def speaking(self) -> bool:
        """True while the user is speaking, as far as is certain."""
        return self._stretch is not None and self._stretch.segmenter.speaking

    @property
    def speech_s(self) -> float:
        """The seconds of the speech in progress, without the silence at its end; 0: nobody speaks."""
        stretch = self._stretch
        return 0.0 if stretch is None else stretch.segmenter.spoken * self._engine.window / self._engine.rate

    def check_place(self, place: Place) -> tuple[()]:
        """Look which stages take pauses, and check those before it.

        Raises:
            ValueError: two microphones stand there; says what to do.
        """
        refuse_two_microphones(place)
        judges = [other.stage for other in place.behind if takes(other.stage, UserPausedFrame)]
        self._tells_pauses = bool(judges)
        self._is_answered = any(makes(judge, EndOfTurnFrame) for judge in judges)
        return ()

    async def on_start(self, params: StartParams) -> None:
        """Forget an earlier run, and take from the user's settings what the code leaves out."""
        self._stretch = self._mixer = self._mixed = None
        params.conversation.ears.append(self)
        self._speakers = params.speakers
        self._positions = StreamPositions()
        self._follow(params.settings)

    def _follow(self, asked: SoundSettings) -> None:
        """Raises: SettingsError, BackendMissingError."""
        if self._preset is None:
            name = asked.preset or "balanced"
            self._settings = asked.check(lambda: _settings(name, **self._numbers), "preset")
        wanted = asked.vad or DEFAULT_ENGINE
        if self._default not in (None, wanted):
            self._engine, self._default = asked.check(lambda: open_engine(wanted), "vad"), wanted

    async def cleanup(self) -> None:
        """Forget the audio."""
        self._stretch = None

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Return the frame, and the facts that it made certain; before a jump, the end of a turn."""
        if direction is not FrameDirection.DOWNSTREAM or not isinstance(frame, InputAudioFrame):
            return (frame,)
        if not frame.num_samples:
            return (frame,)
        if frame.ear is None and self._speakers is not None and self._speakers.ears:
            self._look_for_ear(frame, self._speakers)
        position, stretch, ended = self._positions.place(frame), self._stretch, None
        if stretch is None or not stretch.goes_on_with(frame, position):
            ended = self._finish()
            segmenter = self._new_segmenter()
            mixer = self._mixer_for(frame.format)
            stretch = Stretch(position, frame, mixer, self._engine, segmenter, self._observe)
            if self._tells_pauses:
                stretch = self._let_judge(stretch)
            self._stretch = stretch
        facts = stretch.take(frame)
        return (*(ended or ()), frame, *facts) if facts or ended else (frame,)

    def on_fact(self, fact: Frame, direction: FrameDirection) -> None:
        """End the turn, or keep it open, by a verdict on the present pause."""
        stretch = self._stretch
        if stretch is None or not isinstance(fact, (EndOfTurnFrame, UnfinishedTurnFrame)):
            return
        if not isinstance(stretch, JudgedStretch):
            self._stretch = stretch = self._let_judge(stretch)
        for made in stretch.hear(fact):
            assert isinstance(made, FactFrame)
            self.push_fact(made)

    def _let_judge(self, stretch: Stretch) -> JudgedStretch:
        return JudgedStretch.of(stretch, tells=self._tells_pauses, is_answered=self._is_answered)

    def on_end(self) -> Iterable[Frame]:
        """Return the end of a turn in progress."""
        self._positions = StreamPositions()
        return self._finish()

    def _look_for_ear(self, frame: InputAudioFrame, speakers: Speakers) -> None:
        """Warn once if a stage before this one has dropped what an echo canceller made for it."""
        begin_s, end_s = frame.position / frame.rate, (frame.position + frame.num_samples) / frame.rate
        for origin, (from_s, to_s) in speakers.ears.items():
            if are_of_one_origin(origin, frame.origin) and from_s <= begin_s and end_s <= to_s:
                self._speakers = None
                _log.warning(
                    "%s hears the words and not the ear of the echo canceller, so the program's own voice "
                    "may be taken for speech: a stage before it drops InputAudioFrame.ear; keep it with "
                    "frame.with_data() or dataclasses.replace(frame, ear=...)",
                    label_of(self),
                )
                return

    def _mixer_for(self, audio: AudioFormat) -> ChannelMixer | None:
        if audio.channels > 1 and audio != self._mixed:
            self._mixer, self._mixed = ChannelMixer(audio), audio
        return self._mixer

    def _new_segmenter(self) -> Segmenter:
        engine = self._engine
        return Segmenter(
            self._settings, engine.window / engine.rate, gives_probability=gives_probability(engine)
        )

    def _finish(self) -> list[Frame]:
        stretch, self._stretch = self._stretch, None
        return [] if stretch is None else stretch.finish()


def _settings(name: Preset | str, **numbers: float | None) -> SegmenterSettings:
    return preset(name, **numbers)
