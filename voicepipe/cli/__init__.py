"""The command `voicepipe`. Before Ctrl-C has a handler nothing heavy is imported: that could be a traceback.

A package adds a command with an entry point of the group `voicepipe.commands`: see `parts/plugins.py`.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # without importing typing
    from collections.abc import Callable, Sequence
    from typing import NoReturn

__all__ = ["COMMANDS", "command", "end_with", "main"]

# Each is a module of voicepipe.cli.commands, whose `run(arguments, program)` returns the exit status.
COMMANDS = {
    "echo": "speak, pause, and hear what you said",
    "devices": "list the microphones and speakers, with their formats",
    "vad": "find the speech in a file",
    "doctor": "check everything that sound needs, and name the remedy",
    "latency": "measure the way of sound through speaker, air and microphone",
    "record": "record the microphone into a WAV file",
    "play": "play a WAV file",
    "level": "show the level at the microphone, and the speech as it comes",
    "status": "ask a running service for its state",
    "config": "show the settings in force, and change them",
    "service": "run a voice program as a systemd service",
    "completion": "let a shell complete commands and options",
}
_USAGE = """\
usage: voicepipe COMMAND [--help]

Voice programs: microphone, stages, speaker.

commands:
{commands}

exit status: 0 ended, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C
"""


def command() -> "NoReturn":
    """Run the program, and end the process with its status."""
    end_with(main)


def end_with(program: "Callable[[], int]") -> "NoReturn":
    """Run a program, and end the process with its status. Ctrl-C before its handlers means status 130."""
    try:
        _mind_ctrl_c()
        status = _run(program)
    except KeyboardInterrupt:  # a second one, while more is imported, would be a traceback
        sys.modules["os"]._exit(130)
        raise  # for type checkers
    except BrokenPipeError:  # the reader of its output has enough, as `head` has
        status = 0
    except OSError as error:  # its output cannot be written
        from voicepipe.cli.terminal.wrapping import complain
        from voicepipe.runner.process_end import settle_output

        status = 1
        settle_output()  # or it would be said twice
        complain("voicepipe", error.strerror or error)
    except Exception as error:
        from voicepipe.shadowing import shadow_error

        shadow = shadow_error(error)
        if shadow is None:
            raise
        # Whatever ends a process in order may need the module that cannot be had.
        print(f"voicepipe: {shadow}", file=sys.stderr, flush=True)
        sys.modules["os"]._exit(1)
        raise  # for type checkers
    from voicepipe.runner.process_end import end_process

    end_process(status)


def _run(program: "Callable[[], int]") -> int:
    """Run a program; return its status, though it ends by SystemExit, as after --help."""
    try:
        return program()
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)  # as the interpreter does
        return 1


def _mind_ctrl_c() -> None:
    """Let Ctrl-C end the process until the program has handlers of its own.

    A KeyboardInterrupt is not enough: numpy takes an interrupted import for a broken installation.
    """
    # The part in C: to import `signal` itself takes a millisecond, in which Ctrl-C may come.
    import _signal as signal  # type: ignore[import-not-found]
    import os

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))


def main(arguments: "Sequence[str] | None" = None, program: str = "voicepipe", only: str = "") -> int:
    """Run one command.

    Args:
        arguments: the words of the command line; by default those of the process.
        program: the name by which it was called.
        only: the command, where the arguments do not begin with one.

    Returns:
        The exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not only:
        if given[:1] == ["help"] and len(given) > 1:
            given = [given[1], "--help"]
        if not given or given[0] in ("-h", "--help", "help"):
            _print_usage()
            return 0 if given else 2
        if given[0] == "--version":
            from voicepipe.version import __version__

            print(f"voicepipe {__version__}")
            return 0
        only = given.pop(0)
        program = f"{program} {only}"
        if only not in COMMANDS:
            return _run_another(only, given, program)
    from importlib import import_module

    status: int = import_module(f"voicepipe.cli.commands.{only}").run(given, program)
    return status


def _print_usage() -> None:
    from voicepipe.cli.arguments.plugins import describe_plugins
    from voicepipe.cli.terminal.wrapping import columns_of, wrap

    commands = {**COMMANDS, **describe_plugins(COMMANDS), "--version": "print the version"}
    width = max(map(len, commands)) + 2
    columns = columns_of(sys.stdout)
    rows = [wrap(f"  {name:<{width}}{what}", columns, width + 2) for name, what in commands.items()]
    head, tail = _USAGE.split("{commands}")
    print(wrap(head, columns) + "\n".join(rows) + wrap(tail, columns), end="")


def _run_another(name: str, given: "Sequence[str]", program: str) -> int:
    """Run a command of another package, or say that there is none of that name."""
    from voicepipe.cli.arguments.plugins import plugin_names, run_plugin
    from voicepipe.cli.terminal.wrapping import complain

    plugins = plugin_names(COMMANDS)
    if name in plugins:
        return run_plugin(name, given, program)
    from difflib import get_close_matches

    from voicepipe.text import printable

    names = [*COMMANDS, *plugins]
    near = get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]}?" if near else f"choose {', '.join(names)}"
    complain("voicepipe", f"unknown command {printable(repr(name))}; {hint}")
    return 2
