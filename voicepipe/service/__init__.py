"""A running program for others: the service manager, status, metrics, logs."""

__all__: list[str] = []
