"""What was done and measured: one report an operation, written once and never changed."""
