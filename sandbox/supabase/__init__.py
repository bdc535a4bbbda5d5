"""A stand-in for one Supabase project: the Management API, the gateway, and the edge functions in real Deno."""

PROJECT = "sandboxsandboxsandbo"

# What it doesn't do like the real service; shown by `./pf sandbox status`.
NOT_SIMULATED = (
    "no sign-up and no sign-in: `./pf sandbox token` makes the tokens",
    "/rest/v1/ knows insert, select with eq, and delete on payment_methods; anything else is answered with 501",
    "a function runs in plain Deno, without the edge runtime's limits of memory and CPU time",
    "bundles are not packed: a bundle's hash is that of its source files and settings",
    "the Management API takes 600 calls a minute, the real one far fewer",
)
