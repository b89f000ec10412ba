"""Scenarios of runs, made from a seed, and the rules that hold in all of them.

    python tests/long/simulate.py 20000          # so many seeds
    python tests/long/simulate.py --seed 4711    # one of them, told in full

A scenario is a function of its seed (`scenario`): one to three runs in one event loop, of pipelines
with stages that behave or misbehave (`stages`) over simulated cards with faults (`cards`), each asked
to stop at some moment in some way. It is played in virtual time, by a loop that sees who touches it
(`loop`), while everything is written down (`play`), and held against the rules (`rules`).

The stages of half of the scenarios have `manners` as well: what they take, which facts they tell and what
they do with those of others, late answers, interruptions. One may stand for half a minute.

Some of the runs with both devices have a canceller (`talk`), whose engine hands numbers on (`talking`): what
goes in must come out at its place, and the reference must be what sounded (`echo_rules`). A few of their
devices lose samples, or tell wrong times, and do not own up to it. Half of the engines fail in mid-run: then
the numbers go on, or half-duplex hides those that may be an echo. Half of these runs are recorded
(`recording`): the files must be whole, closed and private whenever the run ends, or not be there at all, and
their tracks hold the numbers at their places (`track_rules`).

What it cannot see: real threads that race, real processes, signals, a library's own hangs. For these
there are `tests/process` and `tests/soundcard`.
"""
