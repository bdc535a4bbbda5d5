"""Every version that a stack ever had: its number, its source, what became of it."""
