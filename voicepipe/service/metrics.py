"""Metrics for Prometheus: the numbers of `voicepipe status`, on this computer only.

    curl http://127.0.0.1:9464/metrics

Needs the extra `metrics`.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self, get_args

from voicepipe.checks import check_count
from voicepipe.errors import VoicepipeError
from voicepipe.log import logger_of
from voicepipe.report import DropReason, Protection
from voicepipe.run.task import PipelineTask
from voicepipe.service.one_shot_server import Clients
from voicepipe.service.status import status_of
from voicepipe.text import printable

if TYPE_CHECKING:
    from prometheus_client import Metric

__all__ = ["HOST", "Metrics", "MissingExtraError", "check_port", "metrics_of"]

HOST = "127.0.0.1"
_HOSTS = (HOST, "localhost")
INSTALL = "python -m pip install 'prometheus-client>=0.20', or this project with its extra [metrics]"
_MOST_BYTES = 8_192
"""The longest request of a client."""
_COUNTERS = {
    "blocks": ("", "Callbacks of the device."),
    "samples": ("", "Samples that the microphone brought, or that were handed to the speaker."),
    "overflow": ("microphone", "Samples that the microphone lost."),
    "underflow": ("speaker", "How often the speaker ran dry."),
    "late": ("", "Callbacks that came too late."),
    "reconnections": ("", "How often the device was lost, and came back."),
}
"""By their names in the statistics; with the kind of devices that have them, where not all do."""
_GAUGES = {
    "fill_seconds": ("fill_s", "Audio that waits."),
    "latency_seconds": ("latency_s", "Between its callback and the air, as the device reports it."),
    "longest_wait_seconds": ("longest_wait_s", "The longest time between two callbacks."),
    "lost": ("lost", "1: it is away at this moment."),
}
_ECHO_GAUGES = {
    "return_loss_enhancement_decibels": ("erle_db", "ERLE: the reduction of the echo for voice detection."),
    "words_return_loss_enhancement_decibels": (
        "words_erle_db",
        "ERLE of the audio that is kept and recognised.",
    ),
    "delay_seconds": ("delay_s", "From the sound at the speaker to its echo at the microphone."),
    "strength_decibels": ("strength_db", "The level of the echo against that of the played sound."),
}
"""The fields of an echo, by the names of their metrics."""

_log = logger_of("voicepipe")


class MissingExtraError(VoicepipeError):
    """The package of an extra is missing; the message names it."""


def check_port(port: object) -> int:
    """Return the port if it is valid; 0 takes any that is free.

    Raises:
        TypeError, ValueError: it is none.
        MissingExtraError: the extra is not installed.
    """
    number = check_count("port", port)
    if number > 65_535:
        raise ValueError(f"port must be a number from 0 to 65535, not {number}")
    _library()
    return number


class Metrics:
    """Answers `GET /metrics` on 127.0.0.1 while it is entered.

        PipelineRunner(beside=[Metrics(9464)]).main(task)

    If the port cannot be opened, a warning is logged; the program runs on without metrics.

    Args:
        port: of this computer; 0: any that is free.

    Raises:
        TypeError, ValueError: `port` is no port.
        MissingExtraError: the extra `metrics` is not installed.
    """

    def __init__(self, port: int) -> None:
        self._port = check_port(port)
        self._tasks: Sequence[PipelineTask] = ()
        self._server: asyncio.Server | None = None
        self._clients = Clients(self._answer, "voicepipe:metrics")

    def __call__(self, tasks: Sequence[PipelineTask]) -> Self:
        """Set the tasks to report; called by the runner."""
        self._tasks = tasks
        return self

    async def __aenter__(self) -> Self:
        connected = self._clients.accept
        try:
            self._server = await asyncio.start_server(connected, HOST, self._port, limit=_MOST_BYTES)
        except OSError as error:
            _log.warning("no metrics at http://%s:%d/metrics: %s", HOST, self._port, _why(error))
            return self
        self._port = self._server.sockets[0].getsockname()[1]
        _log.info("metrics are at http://%s:%d/metrics", HOST, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            await self._clients.close()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._port

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.LimitOverrunError:
            writer.write(_response("431 Request Header Fields Too Large", "that is too much\n"))
            return
        writer.write(self._response_to(head))

    def _response_to(self, head: str) -> bytes:
        first, *lines = head.split("\r\n")
        method, _, rest = first.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        fields = {name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
        # A page in a browser may call itself by any name that leads here.
        if fields.get("host", HOST).rsplit(":", 1)[0] not in _HOSTS:
            return _response("403 Forbidden", f"this is {HOST}\n")
        if method != "GET":
            return _response("405 Method Not Allowed", "use GET /metrics\n")
        if path != "/metrics":
            return _response("404 Not Found", "use GET /metrics\n")
        text, kind = metrics_of(status_of(self._tasks), fields.get("accept", ""))
        return _response("200 OK", text, kind)


def metrics_of(status: dict[str, Any], accept: str = "") -> tuple[str, str]:
    """Return the result of `status_of` as text for Prometheus, and the kind of that text.

    Args:
        status: how the tasks are.
        accept: the kinds of text that are understood, as HTTP says it.
    """
    encode, kind = _library().exposition.choose_encoder(accept)
    return encode(_Collected(list(_families(status)))).decode(), kind


class _Collected:
    """A collector, as the encoders of Prometheus want it."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Sequence[Metric]:
        return self._families


def _families(status: dict[str, Any]) -> Iterator[Metric]:
    core = _library().core
    counter, gauge = core.CounterMetricFamily, core.GaugeMetricFamily
    yield core.InfoMetricFamily("voicepipe", "What runs.", value={"version": status["version"]})
    tasks = status["tasks"]
    yield _family(
        gauge,
        "voicepipe_running",
        "1: the run runs; 0: it begins, or ends.",
        ("run",),
        [((task["name"],), task["state"] == "running") for task in tasks],
    )
    yield _family(
        counter,
        "voicepipe_run_seconds",
        "For how long it has run.",
        ("run",),
        [((task["name"],), task.get("seconds", 0.0)) for task in tasks],
    )
    yield _family(
        counter,
        "voicepipe_errors",
        "What stages reported or raised.",
        ("run",),
        [((task["name"],), len(task.get("errors", ()))) for task in tasks],
    )
    devices = [
        ((task["name"], device["stage"], device["kind"], device["device"]), device)
        for task in tasks
        for device in task.get("statistics", ())
    ]
    which = ("run", "stage", "kind", "device")
    for name, (kind, what) in _COUNTERS.items():
        values = [(labels, device[name]) for labels, device in devices if kind in ("", device["kind"])]
        yield _family(counter, f"voicepipe_device_{name}", what, which, values)
    for name, (field, what) in _GAUGES.items():
        values = [(labels, device[field]) for labels, device in devices]
        yield _family(gauge, f"voicepipe_device_{name}", what, which, values)
    yield from _live_sound(tasks, counter, gauge)
    yield from _echoes(tasks, gauge)
    yield from _seams(tasks, counter, gauge)
    yield _turns(tasks)
    opened = [((kind,), len(found)) for kind, found in status["census"].items()]
    yield _family(gauge, "voicepipe_open", "What the process has open, by the census.", ("kind",), opened)


def _live_sound(tasks: Sequence[dict[str, Any]], counter: Any, gauge: Any) -> Iterator[Metric]:
    """Yield the delay of each speaker that plays live sound, and the gaps of each speaker's voice."""
    speakers = [
        ((task["name"], device["stage"], device["device"]), device)
        for task in tasks
        for device in task.get("statistics", ())
        if device["kind"] == "speaker"
    ]
    which = ("run", "stage", "device")
    delays = [(labels, device["delay_s"]) for labels, device in speakers if device["delay_s"] is not None]
    yield _family(
        gauge, "voicepipe_delay_seconds", "From the microphone to the speaker, of live sound.", which, delays
    )
    for name, field, what in (
        ("voicepipe_gaps", "gaps", "How often the voice ran dry, and went on soon after."),
        ("voicepipe_gap_seconds", "gaps_s", "The silence of all gaps together."),
    ):
        yield _family(counter, name, what, which, [(labels, device[field]) for labels, device in speakers])


def _echoes(tasks: Sequence[dict[str, Any]], gauge: Any) -> Iterator[Metric]:
    """Yield the protection of each microphone from the program's own sound, and the figures of its echo."""
    echoes = [
        ((task["name"], device["stage"], device["device"]), device["echo"])
        for task in tasks
        for device in task.get("statistics", ())
        if device["echo"] is not None
    ]
    which = ("run", "stage", "device")
    yield _family(
        gauge,
        "voicepipe_echo_protection",
        "1: this protection from the program's own sound is in force.",
        (*which, "protection"),
        [
            ((*labels, each), each == echo["protection"])
            for labels, echo in echoes
            for each in get_args(Protection)
        ],
    )
    for name, (field, what) in _ECHO_GAUGES.items():
        values = [(labels, echo[field]) for labels, echo in echoes if echo[field] is not None]
        yield _family(gauge, f"voicepipe_echo_{name}", what, which, values)


def _seams(tasks: Sequence[dict[str, Any]], counter: Any, gauge: Any) -> Iterator[Metric]:
    """Yield the ledger: in = out + held + dropped + drift."""
    seams = [((task["name"], seam["name"]), seam) for task in tasks for seam in task.get("seams", ())]
    where = ("run", "seam")
    for name, field, what in (("in", "taken", "taken in"), ("out", "given", "given on")):
        values = [(labels, seam[field]) for labels, seam in seams]
        yield _family(counter, f"voicepipe_samples_{name}", f"Samples that were {what}.", where, values)
    held = [(labels, seam["held"]) for labels, seam in seams]
    yield _family(gauge, "voicepipe_samples_held", "Samples that wait there.", where, held)
    dropped = [
        ((*labels, reason), count) for labels, seam in seams for reason, count in seam["dropped"].items()
    ]
    yield _family(
        counter,
        "voicepipe_samples_dropped",
        "Samples that were dropped, and why.",
        (*where, "reason"),
        [(labels, count) for labels, count in dropped if labels[-1] != DropReason.DRIFT],
    )
    yield _family(
        gauge,
        "voicepipe_samples_drift",
        "Samples taken out between two clocks; negative: made.",
        where,
        [(labels[:-1], count) for labels, count in dropped if labels[-1] == DropReason.DRIFT],
    )


def _turns(tasks: Sequence[dict[str, Any]]) -> Metric:
    """Return the times of all turns."""
    family: Metric = _library().core.HistogramMetricFamily(
        "voicepipe_turn_seconds",
        "From the end of the user's speech to the first sound of the answer.",
        labels=("run",),
    )
    for task in tasks:
        counts = task.get("turn_counts")
        if counts is not None:
            bounds = [(str(float(bound)), number) for bound, number in counts["up_to"].items()]
            family.add_metric(  # type: ignore[attr-defined]  # of a histogram
                (task["name"],), buckets=[*bounds, ("+Inf", counts["count"])], sum_value=counts["seconds"]
            )
    return family


def _family(
    kind: Any, name: str, what: str, labels: Sequence[str], values: Sequence[tuple[Sequence[str], float]]
) -> Metric:
    family: Metric = kind(name, what, labels=labels)
    for value_labels, value in values:
        family.add_metric(value_labels, float(value))  # type: ignore[attr-defined]  # of either kind
    return family


def _response(status: str, text: str, kind: str = "text/plain; charset=utf-8") -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join((*head, "\r\n")).encode() + body


def _why(error: OSError) -> str:
    """Return the reason alone: asyncio's own text is long."""
    return os.strerror(error.errno) if error.errno else printable(error)


def _library() -> Any:
    """Import the package, which takes 0.1 s and 5 MB. Raises: MissingExtraError."""
    try:
        importlib.import_module("prometheus_client.exposition")
        importlib.import_module("prometheus_client.core")
        return importlib.import_module("prometheus_client")
    except ImportError as error:
        raise MissingExtraError(
            f"metrics need the package prometheus-client ({printable(error)}): {INSTALL}"
        ) from None
