"""The echo canceller."""
