"""A count of what a process has open: compared, and watched.

census   tasks, threads, streams, descriptors and more, by name
origins  the maker of each thing
own_descriptors  the descriptors of another event loop, uvloop
stack    the line at which a task stands
monitor  a census now and then, for the log
"""

from voicepipe.census.census import (
    Census,
    abandon,
    assert_nothing_left,
    register_stream,
    take_census,
    unregister_stream,
)
from voicepipe.census.monitor import CensusMonitor

__all__ = [
    "Census",
    "CensusMonitor",
    "abandon",
    "assert_nothing_left",
    "register_stream",
    "take_census",
    "unregister_stream",
]
