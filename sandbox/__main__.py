"""`python -m sandbox`, which `./pf sandbox` runs."""

import sys

from terminal.sources import refuse_to_start

INTERRUPTED = 130

if __name__ == "__main__":
    try:
        from sandbox.cli import main  # takes a moment, in which an interrupt counts as well

        main()
    except Exception as error:
        refuse_to_start(error)
        raise
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
