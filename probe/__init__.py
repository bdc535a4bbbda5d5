"""What runs in AWS every minute and asks Supabase from outside, so that silence is told from health.

Packed as it is, together with `checks`: nothing but the standard library, boto3 and the urllib3 that comes with it.
"""
