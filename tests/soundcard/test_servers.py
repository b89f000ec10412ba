"""The echo program behind real sound servers that die, hang and come back."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from soundcard.conversation import LOST_S, MIDDLE, PHRASE, RATE, Conversation
from soundcard.plugging import CannotRunError, NewCard, PluggedCard, plugged, soundcard_is_required
from soundcard.rooms import Wire, intact
from soundcard.servers import Server, processes_with

ROUNDS = int(os.environ.get("VOICEPIPE_SERVER_ROUNDS", "2"))
"""How often a server is killed under one program; the full count is 10."""
DEVICES = {"pulse": "default", "pipewire": "default", "jack": "system"}
"""The server's device, as PortAudio names it."""
ABNORMAL = (0, 1)
"""The statuses of a program that is ended while its device does not answer."""

each_server = pytest.mark.parametrize("server", ["pulse", "pipewire"], indirect=True)


@pytest.fixture
def server(new_card: NewCard, request: pytest.FixtureRequest) -> Server:
    return Server(new_card(server=request.param))


def conversation(server: Server) -> Conversation:
    return Conversation(server.card, DEVICES[server.card.server])


def wire(card: PluggedCard) -> Wire:
    device = DEVICES[card.server]
    options = ("--block", "480", "--latency", "0.2", "--input", device, "--output", device)
    return Wire(card, *options, flags=())


def passes_speech(card: PluggedCard) -> bool:
    """Whether a program hears speech and passes it on. It may stumble, as on a busy machine: not always."""
    with wire(card) as program:
        program.says("latency", on="err").is_preferred()
        for _ in range(3):
            start = program.say(MIDDLE)
            if intact(MIDDLE, program.heard(start, len(MIDDLE) + RATE)) > 0.9:
                return True
    return False


# -- the servers themselves


@each_server
def test_a_server_is_killed_stopped_and_brought_back_on_the_same_card(server: Server) -> None:
    assert server.is_alive
    server.kill()
    assert not server.is_alive
    server.restart()
    assert server.is_alive
    server.hang()
    server.resume()
    assert passes_speech(server.card)


@pytest.mark.parametrize("state", ["well", "killed", "hung"])
@pytest.mark.parametrize("name", ["pulse", "pipewire"])
def test_nothing_of_a_server_stays_whatever_was_done_to_it(name: str, state: str, tmp_path: Path) -> None:
    directory = tmp_path / "card"
    directory.mkdir()
    try:
        with plugged(directory, server=name) as card:
            server = Server(card)
            assert processes_with("VCARD_DIR", str(directory))
            {"well": lambda: None, "killed": server.kill, "hung": server.hang}[state]()
    except CannotRunError as why:
        if soundcard_is_required():
            raise
        pytest.skip(f"allowed skip: {why}")
    assert not processes_with("VCARD_DIR", str(directory))
    assert not directory.exists()


def test_two_cards_behind_the_same_server_do_not_hear_each_other(new_card: NewCard) -> None:
    one, other = new_card(server="pulse"), new_card(server="pulse")
    assert passes_speech(one)
    assert not any(other.heard(other.now() - RATE, RATE))


# -- a conversation through them


def says_it_back(program: Conversation) -> None:
    answer = program.is_listening().answer_to(PHRASE)
    assert intact(MIDDLE, answer) > 0.9, program.told
    program.ctrl_c()


@each_server
def test_a_phrase_comes_back_and_ctrl_c_ends_it(server: Server) -> None:
    with conversation(server) as program:
        says_it_back(program)


def test_a_phrase_comes_back_through_jack(new_card: NewCard) -> None:
    try:
        card = new_card(server="jack")
    except RuntimeError as why:
        pytest.skip(f"allowed skip: jackd does not run here: {why}")
    with Conversation(card, DEVICES["jack"]) as program:
        says_it_back(program)


@each_server
@pytest.mark.parametrize("doing", ["listening", "playing"])
def test_a_killed_server_is_waited_for_and_the_conversation_goes_on(server: Server, doing: str) -> None:
    with conversation(server) as program:
        program.is_listening()
        if doing == "playing":
            program.is_playing()
        for times in range(ROUNDS):
            if times and doing == "listening":
                program.is_quiet()
            server.kill()
            if not times:  # who has just said so does not repeat it for a server that comes and goes
                program.tells("is lost", within_s=LOST_S)
            server.restart()
            program.is_answered()
        program.ctrl_c()


@each_server
def test_ctrl_c_while_the_server_is_killed(server: Server) -> None:
    with conversation(server) as program:
        program.is_listening()
        server.kill()
        program.tells("is lost", within_s=LOST_S)
        program.ctrl_c()


@each_server
def test_ctrl_c_while_the_server_hangs(server: Server) -> None:
    """Before the program can know of it."""
    with conversation(server) as program:
        program.is_listening()
        server.hang()
        time.sleep(0.2)
        program.ctrl_c(statuses=ABNORMAL)


@pytest.mark.parametrize("server", ["pulse"], indirect=True)
def test_ctrl_c_when_it_has_noticed_that_the_server_hangs(server: Server) -> None:
    with conversation(server) as program:
        program.is_listening()
        server.hang()
        program.tells("is lost", within_s=LOST_S)
        time.sleep(1.0)  # it tries to open the device again
        program.ctrl_c(statuses=ABNORMAL)


@each_server
def test_a_server_that_hung_is_used_again_and_ctrl_c_ends_it(server: Server) -> None:
    with conversation(server) as program:
        program.is_listening()
        server.hang()
        program.tells("is lost", within_s=LOST_S)
        server.resume()
        program.is_answered()
        program.ctrl_c()


@pytest.mark.parametrize("server", ["pulse"], indirect=True)
def test_ctrl_c_while_it_plays_to_a_suspended_sink(server: Server) -> None:
    with conversation(server) as program:
        program.is_listening().is_playing()
        server.suspend_sink()
        program.ctrl_c(statuses=ABNORMAL)


@each_server
def test_a_killed_program_leaves_no_helper_at_the_server(server: Server) -> None:
    with conversation(server) as program:
        program.is_listening()
        program.is_killed_with_all_its_helpers()
