"""Machine-local stand-ins for AWS and Supabase. Nothing outside this package imports it."""
