"""CloudWatch's alarms: their states from metric data, by the rules that AWS documents.

Nothing here reads a clock or does I/O: times are arguments, in seconds since the epoch. What AWS doesn't document is
named where it is decided: how much longer than the evaluation periods an evaluation looks back
(`evaluation.SPARE_POINTS`), how percentiles are interpolated (`statistics.percentile`), and what FILL makes of a series
without any data point (`expression`).
"""
