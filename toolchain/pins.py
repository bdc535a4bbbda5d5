"""Versions that are installed, and the least that is accepted of what a machine already has."""

PULUMI = "3.259.0"
SUPABASE = "3.1.0"
UV = "0.13.9"
NODE_MINIMUM = "20"
