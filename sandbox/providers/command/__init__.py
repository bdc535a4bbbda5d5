"""The stand-in `command` plugin."""
