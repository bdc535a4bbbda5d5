"""What is asked of REST and of an edge function, and what an answer means: for `pf` and for the probe alike.

Nothing but the standard library: the probe's package is these files, the same bytes on every machine.
"""
