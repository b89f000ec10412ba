"""Tools for testing voice programs without hardware and without waiting.

**One stage.** Frames go in; the result holds the frames that came out in both directions. The run is
in virtual time, in which sleeping takes no real time, and the rules of a run are checked:

    out = run_processor(Assistant(), [TranscriptionFrame("hello"), 60.0, InterruptionFrame()])
    assert [frame.text for frame in out.down.of(TextFrame)] == ["you", "said", "hello"]

`check_processor` tests a stage in every situation: an end, a cancel and an interruption at every
step, a slow neighbour, a failing neighbour, a second run.

    check_processor(Assistant, [TranscriptionFrame("hello"), 1.0])

**A whole program.** `SimulatedCard` has a scripted microphone, a recorded speaker, and faults on
demand: `card.mic.unplug()`, `card.speaker.stall()`. In virtual time it uses the same clock:

    card = SimulatedCard()
    card.mic.hear(speech())
    card.mic.run_out()
    report = run_virtual(PipelineTask(pipeline(card.backend())).run())
    assert card.speaker.played()

`card.room(room_impulse())` puts it into a room, in which the microphone hears the speaker.

**Test sounds**: `tone`, `silence`, `noise`, `speech`, and `frames_of` to cut them into frames.
The same arguments give the same bytes.

**Leaks**: `nothing_left()` is a block that must leave nothing behind. `take_census` and
`assert_nothing_left` are its parts. The error names each leftover and its creator.

**Your own back end**: `check_backend` checks the promises of the device port.

**pytest** finds a plugin. It has `@pytest.mark.virtual_time` for async tests, with or without
pytest-asyncio, and the fixtures `simulated_card` and `nothing_left` (see `voicepipe.testing.plugin`).

Virtual time does not cover real threads (a simulated card uses none), real devices and their C
libraries, or the run time of Python code. It also does not cover the operating system: signals,
scheduling, killed processes.
"""

from voicepipe import homes_of, lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:  # without importing typing: nothing is imported here before a program minds Ctrl-C
    from voicepipe.census.census import (
        Census as Census,
    )
    from voicepipe.census.census import (
        assert_nothing_left as assert_nothing_left,
    )
    from voicepipe.census.census import (
        take_census as take_census,
    )
    from voicepipe.testing.backend_checks import (
        BACKEND_CHECKS as BACKEND_CHECKS,
    )
    from voicepipe.testing.backend_checks import (
        check_backend as check_backend,
    )
    from voicepipe.testing.leftovers import nothing_left as nothing_left
    from voicepipe.testing.processing import (
        Frames as Frames,
    )
    from voicepipe.testing.processing import (
        Processed as Processed,
    )
    from voicepipe.testing.processing import (
        arun_processor as arun_processor,
    )
    from voicepipe.testing.processing import (
        run_processor as run_processor,
    )
    from voicepipe.testing.processor_checks import check_processor as check_processor
    from voicepipe.testing.rules import RuleError as RuleError
    from voicepipe.testing.sound import (
        frames_of as frames_of,
    )
    from voicepipe.testing.sound import (
        noise as noise,
    )
    from voicepipe.testing.sound import (
        silence as silence,
    )
    from voicepipe.testing.sound import (
        speech as speech,
    )
    from voicepipe.testing.sound import (
        tone as tone,
    )
    from voicepipe.testing.steps import SteppingLoop as SteppingLoop
    from voicepipe.testing.virtual import (
        VirtualClockError as VirtualClockError,
    )
    from voicepipe.testing.virtual import (
        VirtualLoop as VirtualLoop,
    )
    from voicepipe.testing.virtual import (
        run_virtual as run_virtual,
    )
    from voicepipe_devices.fake import Losses as Losses
    from voicepipe_devices.fake import SimulatedCard as SimulatedCard
    from voicepipe_devices.fake.impulse import room_impulse as room_impulse

_HOMES = homes_of(
    {
        "voicepipe.census.census": "Census assert_nothing_left take_census",
        "voicepipe.testing.backend_checks": "BACKEND_CHECKS check_backend",
        "voicepipe.testing.leftovers": "nothing_left",
        "voicepipe.testing.processing": "Frames Processed arun_processor run_processor",
        "voicepipe.testing.processor_checks": "check_processor",
        "voicepipe.testing.rules": "RuleError",
        "voicepipe.testing.sound": "frames_of noise silence speech tone",
        "voicepipe.testing.steps": "SteppingLoop",
        "voicepipe.testing.virtual": "VirtualClockError VirtualLoop run_virtual",
        "voicepipe_devices.fake": "Losses SimulatedCard",
        "voicepipe_devices.fake.impulse": "room_impulse",
    }
)
"""The module of each public name: a name is added here and above, for the type checkers."""

if not TYPE_CHECKING:
    __all__ = [name for name in _HOMES if name != "__version__"]
    __getattr__, __dir__ = lazy_names(__name__, globals(), _HOMES)
