"""A running program for others: the service manager, status, metrics, logs.

companions       what runs beside a runner's tasks under a service manager
systemd          notifications for the service manager
heartbeat        the heartbeat of the tasks, as long as they run
health           the messages for the service manager, and their times
status           the status of a running program, over a socket
one_shot_server  a server that answers each client once
metrics          metrics over HTTP
log_formats      the log for systemd's journal, and as JSON
"""

__all__: list[str] = []
