"""The approval gate: what needs approval, who gave it, and whether that is enough.

Shared by the policy pack and the operations tool, which must never disagree. Imports nothing of Pulumi and opens no
connection; whatever can't be read, understood or verified is a denial.
"""
