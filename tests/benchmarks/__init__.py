"""What a run costs, beside the least that plain asyncio could do: `python tests/benchmarks/run.py`."""
