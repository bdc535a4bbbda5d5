"""`python -m operations`, which `./pf` runs."""

import gc

from operations.cli import main

# Above what a verb's imports allocate: searching those for garbage, again and again while they load and once more at
# the end, is a quarter of `pf health`.
GARBAGE_THRESHOLD = 500_000

if __name__ == "__main__":
    gc.set_threshold(GARBAGE_THRESHOLD)
    try:
        main()
    finally:
        gc.freeze()  # out of the interpreter's last search: their memory goes with the process
