"""What Prometheus is told: the numbers of the status, on this computer; nobody who asks holds it up."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.sound import talk, until
from voicepipe import Pipeline, PipelineRunner, PipelineTask, SpeakerOutput, VoicepipeError
from voicepipe.service.metrics import HOST, Metrics, metrics_of
from voicepipe.service.one_shot_server import MOST_CLIENTS
from voicepipe.service.status import status_of
from voicepipe_devices.fake import SimulatedCard

Samples = dict[str, dict[tuple[str, ...], float]]
GET = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9464\r\n\r\n"


MIC = ("simulated microphone", "microphone", "talk", "MicrophoneInput")
SPEAKER = ("simulated speaker", "speaker", "talk", "SpeakerOutput")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


class Served:
    """A task that runs under a runner with metrics, while it is entered."""

    def __init__(self, port: int, card: SimulatedCard | None = None) -> None:
        self.task: PipelineTask = talk(card or SimulatedCard())
        self.runner = PipelineRunner(handle_signals=False, blocked_s=0, beside=[Metrics(port)])

    async def __aenter__(self) -> PipelineTask:
        self._running = asyncio.get_running_loop().create_task(self.runner.serve(self.task))
        await until(lambda: self.task.state.value == "running")
        return self.task

    async def __aexit__(self, *_: object) -> None:
        self.task.end()
        assert await self._running == 0


async def ask(port: int, request: bytes = GET) -> tuple[str, str]:
    """The head and the body of the answer."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(request)
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return head, body


def parsed(text: str) -> Samples:
    """Every sample by its name, and by its labels' values, in the order of their names."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            assert labels not in found.get(sample.name, {}), sample
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


async def test_the_numbers_are_those_of_the_status() -> None:
    card = SimulatedCard()
    task = talk(card)
    task.name = "talk"
    running = asyncio.create_task(task.run())
    await asyncio.sleep(2.0)
    card.mic.unplug()
    await asyncio.sleep(3.0)
    card.mic.replug()
    await asyncio.sleep(10.0)
    status = status_of([task])
    task.end()
    await running
    found = parsed(metrics_of(status)[0])
    (told,) = status["tasks"]
    mic, speaker = told["statistics"]
    assert found["voicepipe_device_reconnections_total"][MIC] == 1
    assert found["voicepipe_device_blocks_total"][MIC] == mic["blocks"] > 100
    assert found["voicepipe_device_samples_total"][MIC] == mic["samples"]
    assert found["voicepipe_device_underflow_total"].keys() == {SPEAKER}
    assert found["voicepipe_running"] == {("talk",): 1}
    lost = found["voicepipe_samples_dropped_total"][("device_lost", "talk", "MicrophoneInput device")]
    assert lost == told["dropped"]["device_lost"] > 16_000
    for seam in told["seams"]:
        at = ("talk", seam["name"])
        into = found["voicepipe_samples_in_total"][at]
        out = found["voicepipe_samples_out_total"][at] + found["voicepipe_samples_held"][at]
        assert into == out + sum(seam["dropped"].values())
    assert found["voicepipe_open"][("tasks",)] == len(status["census"]["tasks"])
    assert found["voicepipe_device_samples_total"][SPEAKER] == speaker["samples"]
    of_speaker = (speaker["device"], "talk", speaker["stage"])
    assert found["voicepipe_delay_seconds"][of_speaker] == speaker["delay_s"] > 0.01
    assert found["voicepipe_gaps_total"][of_speaker] == speaker["gaps"]
    assert found["voicepipe_gap_seconds_total"][of_speaker] == speaker["gaps_s"]


async def test_a_speaker_without_live_sound_has_no_delay() -> None:
    task = PipelineTask(Pipeline([SpeakerOutput(SimulatedCard().backend())]), name="voice")
    running = asyncio.create_task(task.run())
    await asyncio.sleep(1.0)
    found = parsed(metrics_of(status_of([task]))[0])
    task.end()
    await running
    assert "voicepipe_delay_seconds" not in found
    assert list(found["voicepipe_gaps_total"].values()) == [0.0]


def test_drift_may_be_negative_and_is_no_counter() -> None:
    seam = {"name": "s", "taken": 5, "given": 8, "held": 0, "dropped": {"drift": -3, "muted": 0}}
    status = {"version": "1", "census": {}, "tasks": [{"name": "t", "state": "ended", "seams": [seam]}]}
    found = parsed(metrics_of(status)[0])
    assert found["voicepipe_samples_drift"] == {("t", "s"): -3}
    assert found["voicepipe_samples_dropped_total"] == {("muted", "t", "s"): 0}


def test_names_from_outside_are_escaped() -> None:
    name = 'a "mic"\n\\n\u202e'
    status: dict[str, Any] = {"version": "1", "census": {}, "tasks": [{"name": name, "state": "running"}]}
    assert parsed(metrics_of(status)[0])["voicepipe_running"] == {(name,): 1}


def test_who_understands_openmetrics_gets_it() -> None:
    status: dict[str, Any] = {"version": "1", "census": {}, "tasks": []}
    text, kind = metrics_of(status, "application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


@pytest.mark.real_time
async def test_it_answers_on_this_computer_while_the_run_lasts() -> None:
    port = free_port()
    async with Served(port) as task:
        head, body = await ask(port)
        assert head.startswith("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4")
        assert f"Content-Length: {len(body)}" in head
        assert parsed(body)["voicepipe_running"] == {(task.name,): 1}
    with pytest.raises(ConnectionRefusedError):
        await ask(port)


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "404"),
        (b"GET /metrics?x=1 HTTP/1.1\r\nHost: localhost:1\r\n\r\n", "200"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", "405"),
        (b"GET /metrics HTTP/1.1\r\nHost: evil.example:9464\r\n\r\n", "403"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 100_000, "431"),
        (b"\xff\x00\r\n\r\n", "405"),
        (b"\r\n\r\n", "405"),
    ],
)
async def test_what_is_asked_wrongly_is_answered_so(request_: bytes, status: str) -> None:
    port = free_port()
    async with Served(port):
        head, _ = await ask(port, request_)
        assert head.startswith(f"HTTP/1.1 {status} ")
        assert (await ask(port))[0].startswith("HTTP/1.1 200")


@pytest.mark.real_time
async def test_who_asks_nothing_or_goes_away_holds_nobody_up_and_does_not_outlive_the_run() -> None:
    port = free_port()
    async with Served(port):
        with contextlib.ExitStack() as silent:
            for _ in range(MOST_CLIENTS - 2):  # one is the one that goes away, which takes a step
                silent.enter_context(socket.create_connection((HOST, port)))
            for _ in range(20):
                with socket.create_connection((HOST, port)) as gone:
                    gone.sendall(GET[:9])
                assert (await ask(port))[0].startswith("HTTP/1.1 200")


@pytest.mark.real_time
async def test_a_port_that_is_taken_is_a_line_in_the_log_and_the_program_runs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        async with Served(port):
            pass
    (line,) = [record.getMessage() for record in caplog.records if "no metrics" in record.getMessage()]
    assert line == f"no metrics at http://127.0.0.1:{port}/metrics: Address already in use"


@pytest.mark.real_time
async def test_any_free_port_will_do_and_no_other_address_is_listened_to() -> None:
    async with Metrics(0) as metrics:
        assert metrics.port > 0
        assert (await ask(metrics.port))[0].startswith("HTTP/1.1 200")
        with pytest.raises(OSError, match=r"."), socket.create_connection(("::1", metrics.port), 1.0):
            pass


@pytest.mark.parametrize("port", [-1, 65_536, True, "9464", 1.5])
def test_what_is_no_port_is_refused(port: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="port"):
        Metrics(port)


def test_without_the_extra_it_is_named_and_without_metrics_nobody_misses_it(tmp_path: Path) -> None:
    (tmp_path / "prometheus_client.py").write_text("raise ImportError('none here')")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import voicepipe as vp\n"
        "vp.PipelineRunner()\n"
        "try: vp.Metrics(0)\n"
        "except vp.VoicepipeError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert "extra [metrics]" in done.stdout
    assert "pip install" in done.stdout


@pytest.mark.parametrize("where", ["0.0.0.0:9464", "192.168.1.2:9464", "::1:9464", "80", "x", "70000"])
def test_the_flag_takes_a_port_of_this_computer_alone(where: str, capsys: pytest.CaptureFixture[str]) -> None:
    from voicepipe.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["echo", "--metrics", where])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "such as 9464" in error


def test_the_extra_s_error_is_one_of_ours() -> None:
    from voicepipe.service.metrics import MissingExtraError

    assert issubclass(MissingExtraError, VoicepipeError)
