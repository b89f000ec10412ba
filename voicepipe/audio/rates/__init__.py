"""Changes of rate: a short filter where the ratio is one of small whole numbers, soxr for the rest.

short_filter  the filter, as a stream
filter_plan   its taps, for one ratio
low_pass      the low-pass behind them
long_sums     its sums without numpy
matrix_sums   its sums by numpy, the same to the bit
soxr_filter   soxr, for every ratio
"""

__all__: list[str] = []
