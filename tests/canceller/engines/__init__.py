"""The engines of the canceller."""
