"""Bugs to plant in what a service tells of itself, as `mutants.py` wants them: the simulation has no manager.

Each is a name, a file, what stands there once, what stands there instead, and the test that must turn red.
"""

from __future__ import annotations

__all__ = ["SERVICE_MUTANTS"]

_HEALTH, _HEART, _NOTIFY = (
    "tests/service/test_health.py",
    "tests/service/test_heartbeat.py",
    "tests/service/test_systemd.py",
)
_CLIENTS = "tests/service/test_one_shot_server.py"
_STATUS, _METRICS, _JOURNAL = (
    "tests/service/test_status.py",
    "tests/service/test_metrics.py",
    "tests/service/test_log_formats.py",
)

SERVICE_MUTANTS = (
    # -- notify
    (
        "a value brings an assignment of its own",
        "voicepipe/service/systemd.py",
        "{' '.join(value.splitlines())}",
        "{value}",
        f"{_NOTIFY}::test_a_value_cannot_bring_an_assignment_of_its_own",
    ),
    (
        "the program waits for a busy manager",
        "voicepipe/service/systemd.py",
        "            self._socket.setblocking(False)\n",
        "",
        f"{_NOTIFY}::test_a_manager_that_does_not_listen_is_not_waited_for",
    ),
    (
        "an abstract socket is looked for in the file system",
        "voicepipe/service/systemd.py",
        'self._address = "\\0" + address[1:] if address.startswith("@") else address',
        "self._address = address",
        f"{_NOTIFY}::test_assignments_arrive_in_one_datagram",
    ),
    (
        "a watchdog that is somebody else's is pinged",
        "voicepipe/service/systemd.py",
        "        if meant in (os.getpid(), os.getppid()):\n            return",
        "        if meant:\n            return",
        f"{_NOTIFY}::test_the_watchdog_s_limit_is_for_the_process_it_names",
    ),
    (
        "a manager that has gone is an error",
        "voicepipe/service/systemd.py",
        "        with contextlib.suppress(OSError):  # the manager",
        "        with contextlib.suppress(KeyError):  # the manager",
        f"{_NOTIFY}::test_where_nobody_listens_nothing_is_sent_and_nothing_raised",
    ),
    # -- health
    (
        "ready before the first block",
        "voicepipe/service/health.py",
        "and all(d.callbacks != 0 for d in devices)",
        "",
        f"{_HEALTH}::test_ready_is_said_once_when_both_devices_have_given_a_sign",
    ),
    (
        "ready is said again and again",
        "voicepipe/service/health.py",
        "            self._ready = True\n",
        "",
        f"{_HEALTH}::test_ready_is_said_once_when_both_devices_have_given_a_sign",
    ),
    (
        "pings go on though a device is deaf",
        "voicepipe/service/health.py",
        "[*self._flow.complaints(devices), *self._intake.complaints()]",
        "[*self._intake.complaints()]",
        f"{_HEALTH}::test_pings_stop_within_30_s_of_a_stall_and_resume_when_it_is_over",
    ),
    (
        "pings stop while an absent device is waited for",
        "voicepipe/service/health.py",
        "            sign = (device.callbacks, device.absences)\n",
        "            sign = (device.callbacks, 0)\n",
        f"{_HEALTH}::test_pings_go_on_while_a_device_is_waited_for_that_is_known_to_be_absent",
    ),
    (
        "the time that the process itself stood still is a device's",
        "voicepipe/service/health.py",
        "min(now_s - self._looked_s, _LONGEST_STEP_S)",
        "now_s - self._looked_s",
        f"{_HEALTH}::test_a_process_that_stood_still_itself_does_not_blame_a_device",
    ),
    (
        "the End stops the pings",
        "voicepipe/service/health.py",
        "self._is_well(now_s, devices, holding) or stopping",
        "self._is_well(now_s, devices, holding)",
        f"{_HEALTH}::test_stopping_is_said_once_and_the_end_takes_the_time_it_needs",
    ),
    (
        "a back end that counts nothing is deaf",
        "voicepipe/service/health.py",
        "            still = counts and self._signs",
        "            still = self._signs",
        f"{_HEALTH}::test_devices_whose_back_end_counts_nothing_are_ready_and_well",
    ),
    (
        "pings go on though a stage holds the microphone up",
        "voicepipe/service/health.py",
        "[*self._flow.complaints(devices), *self._intake.complaints()]",
        "[*self._flow.complaints(devices)]",
        f"{_HEALTH}::test_pings_stop_when_a_stage_holds_the_microphone_up_for_30_s_and_say_who",
    ),
    (
        "a stage that holds nobody up stops the pings",
        "voicepipe/service/health.py",
        '        if max(self._untaken_s.values(), default=0.0) < limit_s:\n            return ""\n',
        "",
        f"{_HEALTH}::test_pings_go_on_while_a_stage_that_is_stuck_holds_nobody_up",
    ),
    (
        "a stage that gets on is stuck",
        "voicepipe/service/health.py",
        "if before is not None and before.mark == holder.mark else 0.0",
        "if before is not None else 0.0",
        f"{_HEALTH}::test_pings_go_on_while_whoever_holds_the_microphone_up_gets_on",
    ),
    (
        "a deadlock is nobody's fault",
        "voicepipe/service/health.py",
        '        return self._standing(limit_s) or ("" if self._still else "nobody in particular")',
        "        return self._standing(limit_s)",
        f"{_HEALTH}::test_pings_stop_where_everybody_waits_for_everybody",
    ),
    (
        "a stage that hangs alone is not named",
        "voicepipe/service/health.py",
        "            if still_s >= LONG_S > before[stage][1] and not self.held_up(STATUS_S):",
        "            if False:",
        f"{_HEALTH}::test_a_stage_that_gets_on_with_nothing_for_a_minute_is_named_though_it_holds_nobody_up",
    ),
    (
        "a microphone that is lost is held up",
        "voicepipe/service/health.py",
        " or device.taken != taken or device.lost_s is not None:",
        " or device.taken != taken:",
        f"{_HEALTH}::test_a_lost_microphone_is_not_held_up_by_anybody",
    ),
    # -- heartbeat
    (
        "what the manager was too busy for is not said again",
        "voicepipe/service/heartbeat.py",
        "        if self._unsent and self._notifier.send(self._unsent):\n            self._unsent = {}",
        "        self._notifier.send(self._unsent)\n        self._unsent = {}",
        f"{_HEART}::test_ready_is_said_again_where_the_manager_was_too_busy_to_hear_it",
    ),
    (
        "nobody looks once more at the end",
        "voicepipe/service/heartbeat.py",
        "        await asyncio.wait([self._beating])\n        self._look()\n",
        "        await asyncio.wait([self._beating])\n",
        f"{_HEART}::test_a_task_that_fails_to_start_never_was_ready",
    ),
    (
        "a run that opens is ending",
        "voicepipe/service/heartbeat.py",
        "    if any(state in _BEGINNING for state in states):\n        return Phase.STARTING\n",
        "",
        f"{_HEART}::test_any_program_that_uses_the_runner_says_ready_pings_and_says_that_it_stops",
    ),
    (
        "the stages are not looked at",
        "voicepipe/service/heartbeat.py",
        "        self._unsent |= ",
        "        holding = [holder._replace(mark=object()) for holder in holding]\n        self._unsent |= ",
        f"{_HEART}::test_a_stage_that_holds_the_microphone_up_stops_the_pings_until_it_gets_on",
    ),
    (
        "the microphone does not count what is taken",
        "voicepipe/endpoints/microphone.py",
        "        self._taken += 1\n",
        "",
        f"{_HEART}::test_an_answer_of_75_s_stops_no_pings",
    ),
    # -- status socket
    (
        "anybody may ask for the status",
        "voicepipe/service/status.py",
        "        listening.bind(path)\n        os.chmod(path, 0o600)",
        "        listening.bind(path)\n        os.chmod(path, 0o666)",
        f"{_STATUS}::test_it_is_for_its_user_only_and_gone_at_the_end",
    ),
    (
        "a socket that took our place is removed",
        "voicepipe/service/status.py",
        "            if os.stat(self._path).st_ino == self._inode:",
        "            if True:",
        f"{_STATUS}::test_a_socket_that_took_its_place_stays",
    ),
    (
        "a program fails where it cannot be looked at",
        "voicepipe/service/status.py",
        "        except OSError as error:\n            _log",
        "        except KeyError as error:\n            _log",
        f"{_STATUS}::test_where_there_can_be_no_socket_the_program_runs_all_the_same",
    ),
    (
        "clients that do not read are waited for",
        "voicepipe/service/one_shot_server.py",
        "            async with asyncio.timeout(CLIENT_S):\n",
        "            async with asyncio.timeout(3_600):\n",
        f"{_CLIENTS}::test_who_does_not_ask_or_read_is_let_go_of_after_its_time_with_what_it_was_not_sent",
    ),
    (
        "clients without number are served at once",
        "voicepipe/service/one_shot_server.py",
        "        if len(self._tasks) >= MOST_CLIENTS:",
        "        if False:",
        f"{_STATUS}::test_clients_that_do_not_read_hold_nobody_up_and_do_not_outlive_the_run",
    ),
    (
        "clients outlive the run",
        "voicepipe/service/one_shot_server.py",
        "            task.cancel()\n",
        "            pass\n",
        f"{_CLIENTS}::test_at_the_end_nobody_is_waited_for",
    ),
    (
        "what a client is not sent yet keeps its connection",
        "voicepipe/service/one_shot_server.py",
        "            writer.transport.abort()\n        else:",
        "            writer.close()\n        else:",
        f"{_CLIENTS}::test_who_does_not_ask_or_read_is_let_go_of_after_its_time_with_what_it_was_not_sent",
    ),
    (
        "a client that goes away is an error",
        "voicepipe/service/one_shot_server.py",
        "        except (OSError, EOFError, TimeoutError):",
        "        except TimeoutError:",
        f"{_CLIENTS}::test_who_goes_away_in_the_middle_is_no_error",
    ),
    # -- metrics and logs
    (
        "metrics for everybody",
        "voicepipe/service/metrics.py",
        "start_server(connected, HOST, self._port",
        'start_server(connected, ("::1", HOST), self._port or 9_464',
        f"{_METRICS}::test_any_free_port_will_do_and_no_other_address_is_listened_to",
    ),
    (
        "any page in a browser may read the metrics",
        "voicepipe/service/metrics.py",
        'not in _HOSTS:\n            return _response("403 Forbidden"',
        'in ():\n            return _response("403 Forbidden"',
        f"{_METRICS}::test_what_is_asked_wrongly_is_answered_so",
    ),
    (
        "drift is a counter",
        "voicepipe/service/metrics.py",
        "[(labels, count) for labels, count in dropped if labels[-1] != DropReason.DRIFT]",
        "dropped",
        f"{_METRICS}::test_drift_may_be_negative_and_is_no_counter",
    ),
    (
        "JSON has more than one line",
        "voicepipe/service/log_formats.py",
        "        return json.dumps(said)",
        "        return json.dumps(said, indent=1)",
        f"{_JOURNAL}::test_as_json_a_record_is_one_object_in_one_line_of_plain_characters",
    ),
    (
        "JSON loses its priority in the journal",
        "voicepipe/cli/parts/screen.py",
        "JournalFormatter(lines) if journal else lines",
        "lines if for_machines else JournalFormatter(lines) if journal else lines",
        f"{_JOURNAL}::test_a_program_s_json_in_the_journal_keeps_its_priority",
    ),
)
