"""`python -m operations`, which `./pf` runs."""

import gc
import signal

from terminal.sources import refuse_to_start

# Above what a verb's imports allocate: searching those for garbage, again and again while they load and once more at
# the end, is a quarter of `pf health`.
GARBAGE_THRESHOLD = 500_000

if __name__ == "__main__":
    gc.set_threshold(GARBAGE_THRESHOLD)
    on_interruption = signal.getsignal(signal.SIGINT)
    if on_interruption is signal.default_int_handler:
        # While nothing is at work yet, Ctrl-C just ends the process: no traceback of half an import.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        from operations.cli import main

        signal.signal(signal.SIGINT, on_interruption)
        main()
    except Exception as error:
        refuse_to_start(error)
        raise
    finally:
        gc.freeze()  # out of the interpreter's last search: their memory goes with the process
