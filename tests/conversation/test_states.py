"""The interrupter's table, row by row, without clocks and frames."""

from __future__ import annotations

import pytest

from voicepipe.conversation.states import Act, Event, Policy, Rules, State, Table

STARTED, STOPPED, WENT_ON = Event.USER_STARTED, Event.USER_STOPPED, Event.WENT_ON
WORDS, TIME_UP, SILENCE = Event.WORDS, Event.TIME_UP, Event.SILENCE
THINKS, SPEAKS = (Event.HANDED_ON,), (Event.HANDED_ON, Event.BOT_STARTED)
PLAIN, LONG, WORDY = Rules(), Rules(min_s=0.5), Rules(min_words=2)
JUDGED, HOLDS = Rules(judge=True), Rules(resume_s=1.0)
LONG_HOLDS = Rules(min_s=0.5, resume_s=1.0)


def after(rules: Rules, events: tuple[Event | int, ...], policy: Policy = "stop") -> tuple[Table, list[Act]]:
    """Return the table after some events, and the acts of the last one. A number: so many words arrive."""
    table = Table(rules, policy)
    acts: list[Act] = []
    for event in events:
        acts = table.take(WORDS, event) if isinstance(event, int) else table.take(event)
    return table, acts


ROWS = [
    # idle
    ("idle: the user starts", PLAIN, (STARTED,), "stop", [], State.IDLE, True),
    ("idle: careful too", WORDY, (STARTED, STOPPED), "stop", [], State.IDLE, True),
    (
        "idle again when nobody works",
        PLAIN,
        (*THINKS, Event.WORK_DONE, STARTED),
        "stop",
        [],
        State.IDLE,
        True,
    ),
    # thinking
    ("thinking: cut, one turn", PLAIN, (*THINKS, STARTED), "stop", [Act.JOIN], State.IDLE, True),
    ("thinking: resume_s alone cuts", HOLDS, (*THINKS, STARTED), "stop", [Act.JOIN], State.IDLE, True),
    ("thinking, min_s: held", LONG, (*THINKS, STARTED), "stop", [Act.HOLD], State.HELD, None),
    ("thinking, min_words: held", WORDY, (*THINKS, STARTED), "stop", [Act.HOLD], State.HELD, None),
    ("thinking, judge: held", JUDGED, (*THINKS, STARTED), "stop", [Act.HOLD], State.HELD, None),
    ("thinking, held, met", LONG, (*THINKS, STARTED, WENT_ON), "stop", [Act.JOIN], State.IDLE, True),
    ("thinking, held, words", WORDY, (*THINKS, STARTED, STOPPED, 2), "stop", [Act.JOIN], State.IDLE, True),
    (
        "thinking, held, verdict",
        JUDGED,
        (*THINKS, STARTED, STOPPED, Event.TURN),
        "stop",
        [Act.JOIN],
        State.IDLE,
        True,
    ),
    (
        "thinking, held, short: released",
        LONG,
        (*THINKS, STARTED, STOPPED),
        "stop",
        [Act.RESUME, Act.MARK],
        State.THINKING,
        False,
    ),
    (
        "thinking, held, the answer begins unheard: still one turn",
        LONG,
        (*THINKS, STARTED, Event.BOT_STARTED, WENT_ON),
        "stop",
        [Act.JOIN],
        State.IDLE,
        True,
    ),
    (
        "thinking, held, the answer begins, released",
        LONG,
        (*THINKS, STARTED, Event.BOT_STARTED, STOPPED),
        "stop",
        [Act.RESUME, Act.MARK],
        State.SPEAKING,
        False,
    ),
    (
        "thinking, held, no words in time",
        WORDY,
        (*THINKS, STARTED, STOPPED, TIME_UP),
        "stop",
        [Act.RESUME],
        State.THINKING,
        None,
    ),
    ("thinking: finish goes on", PLAIN, (*THINKS, STARTED), "finish", [], State.THINKING, True),
    ("thinking: ignore goes on", WORDY, (*THINKS, STARTED), "ignore", [], State.THINKING, True),
    # speaking
    ("speaking, nothing set: cut", PLAIN, (*SPEAKS, STARTED), "stop", [Act.CUT], State.IDLE, True),
    ("speaking, min_s: ducked", LONG, (*SPEAKS, STARTED), "stop", [Act.DUCK], State.DUCKED, None),
    ("speaking, min_words: ducked", WORDY, (*SPEAKS, STARTED), "stop", [Act.DUCK], State.DUCKED, None),
    ("speaking, judge: ducked", JUDGED, (*SPEAKS, STARTED), "stop", [Act.DUCK], State.DUCKED, None),
    (
        "speaking, resume_s alone: held at once",
        HOLDS,
        (*SPEAKS, STARTED),
        "stop",
        [Act.DUCK, Act.HOLD],
        State.HELD,
        None,
    ),
    ("speaking: finish", PLAIN, (*SPEAKS, STARTED), "finish", [Act.FINISH], State.FINISHING, True),
    ("speaking: ignore", PLAIN, (*SPEAKS, STARTED), "ignore", [], State.SPEAKING, True),
    ("speaking: ignore, careful", LONG, (*SPEAKS, STARTED, WENT_ON), "ignore", [], State.SPEAKING, True),
    (
        "a gap in the answer: cut, but not one turn",
        PLAIN,
        (*SPEAKS, Event.BOT_STOPPED, STARTED),
        "stop",
        [Act.CUT],
        State.IDLE,
        True,
    ),
    (
        "a turn that was handed on while the program spoke is not lost behind it",
        PLAIN,
        (*SPEAKS, Event.HANDED_ON, Event.BOT_STOPPED, STARTED),
        "stop",
        [Act.JOIN],
        State.IDLE,
        True,
    ),
    # finishing
    (
        "the sentence ends: cut",
        PLAIN,
        (*SPEAKS, STARTED, Event.SENTENCE_ENDED),
        "finish",
        [Act.CUT_BEHIND],
        State.IDLE,
        True,
    ),
    (
        "the speech ends: cut",
        PLAIN,
        (*SPEAKS, STARTED, Event.BOT_STOPPED),
        "finish",
        [Act.CUT_BEHIND],
        State.IDLE,
        True,
    ),
    (
        "finish, careful: ducked first",
        LONG,
        (*SPEAKS, STARTED),
        "finish",
        [Act.DUCK],
        State.DUCKED,
        None,
    ),
    (
        "finish, careful, met",
        LONG_HOLDS,
        (*SPEAKS, STARTED, WENT_ON),
        "finish",
        [Act.FINISH],
        State.FINISHING,
        True,
    ),
    # ducked: the user goes on
    ("ducked, min_s: cut", LONG, (*SPEAKS, STARTED, WENT_ON), "stop", [Act.CUT], State.IDLE, True),
    ("ducked, one word: wait", WORDY, (*SPEAKS, STARTED, 1), "stop", [], State.DUCKED, None),
    ("ducked, two words: cut", WORDY, (*SPEAKS, STARTED, 1, 1), "stop", [Act.CUT], State.IDLE, True),
    (
        "ducked, resume_s: held",
        LONG_HOLDS,
        (*SPEAKS, STARTED, WENT_ON),
        "stop",
        [Act.HOLD],
        State.HELD,
        None,
    ),
    (
        "ducked, words and time are needed: time alone",
        Rules(min_s=0.5, min_words=2),
        (*SPEAKS, STARTED, WENT_ON),
        "stop",
        [],
        State.DUCKED,
        None,
    ),
    (
        "ducked, words and time are needed: words alone",
        Rules(min_s=0.5, min_words=2),
        (*SPEAKS, STARTED, 2),
        "stop",
        [],
        State.DUCKED,
        None,
    ),
    (
        "ducked, words and time are needed: both",
        Rules(min_s=0.5, min_words=2),
        (*SPEAKS, STARTED, 2, WENT_ON),
        "stop",
        [Act.CUT],
        State.IDLE,
        True,
    ),
    (
        "ducked, a judge and min_s: time is enough without a verdict",
        Rules(min_s=0.5, judge=True),
        (*SPEAKS, STARTED, WENT_ON),
        "stop",
        [Act.CUT],
        State.IDLE,
        True,
    ),
    # ducked: the user stops
    (
        "ducked, min_s, stops: full volume",
        LONG,
        (*SPEAKS, STARTED, STOPPED),
        "stop",
        [Act.UNDUCK, Act.MARK],
        State.SPEAKING,
        False,
    ),
    (
        "ducked, min_words, stops: wait",
        WORDY,
        (*SPEAKS, STARTED, STOPPED),
        "stop",
        [Act.AWAIT_WORDS],
        State.DUCKED,
        None,
    ),
    (
        "ducked, judge, stops: wait",
        JUDGED,
        (*SPEAKS, STARTED, STOPPED),
        "stop",
        [Act.AWAIT_WORDS],
        State.DUCKED,
        None,
    ),
    (
        "waiting: enough words",
        WORDY,
        (*SPEAKS, STARTED, STOPPED, 2),
        "stop",
        [Act.CUT],
        State.IDLE,
        True,
    ),
    (
        "waiting: too few words",
        WORDY,
        (*SPEAKS, STARTED, STOPPED, 1),
        "stop",
        [Act.UNDUCK, Act.MARK],
        State.SPEAKING,
        False,
    ),
    (
        "too few words while the user speaks: wait",
        WORDY,
        (*SPEAKS, STARTED, 1, STOPPED),
        "stop",
        [Act.AWAIT_WORDS],
        State.DUCKED,
        None,
    ),
    (
        "too few words in the end",
        WORDY,
        (*SPEAKS, STARTED, 1, STOPPED, TIME_UP),
        "stop",
        [Act.UNDUCK, Act.MARK],
        State.SPEAKING,
        False,
    ),
    (
        "waiting: no words",
        WORDY,
        (*SPEAKS, STARTED, STOPPED, TIME_UP),
        "stop",
        [Act.UNDUCK],
        State.SPEAKING,
        None,
    ),
    (
        "late words: cut all the same",
        WORDY,
        (*SPEAKS, STARTED, STOPPED, TIME_UP, 2),
        "stop",
        [Act.CUT],
        State.IDLE,
        True,
    ),
    (
        "late words, too few",
        WORDY,
        (*SPEAKS, STARTED, STOPPED, TIME_UP, 1),
        "stop",
        [Act.MARK],
        State.SPEAKING,
        False,
    ),
    (
        "verdict: a turn",
        JUDGED,
        (*SPEAKS, STARTED, STOPPED, Event.TURN),
        "stop",
        [Act.CUT],
        State.IDLE,
        True,
    ),
    (
        "verdict: a backchannel",
        JUDGED,
        (*SPEAKS, STARTED, STOPPED, Event.BACKCHANNEL),
        "stop",
        [Act.UNDUCK, Act.MARK],
        State.SPEAKING,
        False,
    ),
    (
        "a backchannel while the user goes on",
        Rules(min_s=0.5, judge=True),
        (*SPEAKS, STARTED, Event.BACKCHANNEL, WENT_ON),
        "stop",
        [],
        State.SPEAKING,
        False,
    ),
    (
        "the user starts again while words are awaited: one remark",
        WORDY,
        (*SPEAKS, STARTED, STOPPED, STARTED, TIME_UP),
        "stop",
        [],
        State.DUCKED,
        None,
    ),
    (
        "the program ends meanwhile: a turn",
        LONG,
        (*SPEAKS, STARTED, Event.BOT_STOPPED),
        "stop",
        [Act.UNDUCK],
        State.THINKING,
        True,
    ),
    # held
    ("held, words: cut", HOLDS, (*SPEAKS, STARTED, 1), "stop", [Act.CUT], State.IDLE, True),
    (
        "held, stops: wait for silence",
        HOLDS,
        (*SPEAKS, STARTED, STOPPED),
        "stop",
        [Act.AWAIT_SILENCE],
        State.HELD,
        None,
    ),
    (
        "held, silence: goes on",
        HOLDS,
        (*SPEAKS, STARTED, STOPPED, SILENCE),
        "stop",
        [Act.RESUME],
        State.SPEAKING,
        None,
    ),
    ("held, the user speaks: no silence", HOLDS, (*SPEAKS, STARTED, SILENCE), "stop", [], State.HELD, None),
    (
        "held, silence, late words: cut",
        HOLDS,
        (*SPEAKS, STARTED, STOPPED, SILENCE, 1),
        "stop",
        [Act.CUT],
        State.IDLE,
        True,
    ),
    (
        "held, a backchannel: goes on",
        Rules(min_s=0.5, resume_s=1.0, judge=True),
        (*SPEAKS, STARTED, WENT_ON, STOPPED, Event.BACKCHANNEL),
        "stop",
        [Act.RESUME, Act.MARK],
        State.SPEAKING,
        False,
    ),
    # the end of a run
    (
        "the end: what is undecided is a turn",
        WORDY,
        (*SPEAKS, STARTED, Event.ENDING),
        "stop",
        [Act.UNDUCK],
        State.SPEAKING,
        True,
    ),
]


@pytest.mark.parametrize(
    ("rules", "events", "policy", "acts", "state", "is_turn"),
    [row[1:] for row in ROWS],
    ids=[row[0] for row in ROWS],
)
def test_row(
    rules: Rules,
    events: tuple[Event | int, ...],
    policy: Policy,
    acts: list[Act],
    state: State,
    is_turn: bool | None,
) -> None:
    table, done = after(rules, events, policy)
    assert (done, table.state, table.is_turn) == (acts, state, is_turn)


BEFORE = {
    "idle": (PLAIN, ()),
    "thinking": (PLAIN, THINKS),
    "speaking": (PLAIN, SPEAKS),
    "ducked": (WORDY, (*SPEAKS, STARTED)),
    "held": (HOLDS, (*SPEAKS, STARTED)),
}


@pytest.mark.parametrize("policy", ["stop", "finish", "ignore"])
@pytest.mark.parametrize("state", BEFORE)
def test_a_stop_word_cuts_in_every_state_whatever_the_policy(state: str, policy: Policy) -> None:
    rules, events = BEFORE[state]
    table, _ = after(rules, events)
    assert table.state == state
    table.policy = policy
    assert table.take(Event.STOP_WORD) == [Act.CUT]
    assert (table.state, table.is_turn) == (State.IDLE, True)


def test_a_stop_word_cuts_a_sentence_that_was_to_be_finished() -> None:
    assert after(PLAIN, (*SPEAKS, STARTED, Event.STOP_WORD), "finish")[1] == [Act.CUT]
