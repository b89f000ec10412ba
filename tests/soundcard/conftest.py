"""A virtual sound card for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from soundcard.plugging import CannotRunError, NewCard, PluggedCard, plugged, soundcard_is_required


@pytest.fixture
def new_card(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewCard]:
    """Makes cards, each in a directory of its own."""
    with ExitStack() as cards:

        def make(
            *,
            rate: int = 48000,
            mic: int = 1,
            speaker: int = 2,
            sample: str = "S16_LE",
            server: str = "none",
        ) -> PluggedCard:
            directory = tmp_path_factory.mktemp("card")
            new = plugged(directory, rate=rate, mic=mic, speaker=speaker, sample=sample, server=server)
            try:
                return cards.enter_context(new)
            except CannotRunError as why:
                if soundcard_is_required():
                    pytest.fail(str(why))
                pytest.skip(f"allowed skip: {why}")

        yield make


@pytest.fixture
def card(new_card: NewCard) -> PluggedCard:
    """A card of 48 kHz with one microphone and two loudspeakers."""
    return new_card()
