"""What a process has open: counted, compared, and watched."""

from voicepipe.census.census import (
    Census,
    abandon,
    assert_nothing_left,
    register_stream,
    take_census,
    unregister_stream,
)

__all__ = ["Census", "abandon", "assert_nothing_left", "register_stream", "take_census", "unregister_stream"]
