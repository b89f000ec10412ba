"""Bugs to plant in what a user sees of the echo, each with the test that must turn red."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["SCREEN_MUTANTS"]

PROTECTION = "tests/cli/test_protection.py"
DOCTOR = "tests/cli/test_doctor.py"
ECHO = "tests/cli/test_echo.py"
NO_SCREEN = "the simulation has no screen, no flags and no settings"

SCREEN_MUTANTS = (
    Mutant(
        "a flag does not go before the settings of the protection",
        "read_protection",
        "not flags.headphones and flags.cancel is None and (not flags.mute)",
        "True",
        f"{PROTECTION}::test_a_flag_goes_before_all_settings",
        unseen=NO_SCREEN,
    ),
    Mutant(
        "flags of the protection may contradict each other",
        "voicepipe.cli.arguments.protection:_check",
        "getattr(wish, one) and getattr(wish, other)",
        "False",
        f"{PROTECTION}::test_wishes_that_contradict_each_other_are_one_line",
        unseen=NO_SCREEN,
    ),
    Mutant(
        "headphones in the settings mean nothing to a program",
        "_settle_headphones",
        "values.get('headphones')",
        "False",
        "tests/settings/test_sound.py::test_headphones_mean_neither_a_canceller_nor_a_mute",
        unseen=NO_SCREEN,
    ),
    Mutant(
        "a low reduction has no cure on the screen of a service",
        "voicepipe.cli.commands.status:_echoes",
        "echo.is_low",
        "False",
        f"{PROTECTION}::test_every_screen_shows_the_echo",
        unseen=NO_SCREEN,
    ),
    Mutant(
        "every protection is in force in the metrics",
        "voicepipe.service.metrics:_echoes",
        "each == echo['protection']",
        "True",
        f"{PROTECTION}::test_metrics_have_the_protection_and_the_figures_that_are_known",
        unseen=NO_SCREEN,
    ),
    Mutant(
        "the doctor believes times that jitter",
        "air_findings",
        "max(times) - min(times) > _MOST_SPREAD_S",
        "False",
        f"{DOCTOR}::test_times_that_cannot_be_right_are_told",
        unseen=NO_SCREEN,
    ),
    Mutant(
        "the echo program cannot be talked over",
        "voicepipe.cli.commands.echo:_task",
        "sound.can_be_talked_over and (not options.live)",
        "False",
        f"{ECHO}::test_the_bundled_voice_talks_over_it_and_it_stops",
        unseen=NO_SCREEN,
    ),
)
