"""What every test relies on, however the tests were started."""

import signal

# A shell that starts them in the background has them ignore interrupts, and whatever they start as well.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
