"""The stand-in `aws` plugin."""
