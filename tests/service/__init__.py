"""A program as a service: health, status, metrics, logs."""
