"""The Supabase CLI's profile: which addresses it talks to."""

from pathlib import Path

import yaml


def write_profile(file: Path, base_url: str) -> None:
    """The CLI reads it by `--profile FILE` or from SUPABASE_PROFILE."""
    profile = {
        "name": "sandbox",
        "api_url": base_url,
        "dashboard_url": f"{base_url}/dashboard",
        "project_host": "localhost",
    }
    file.write_text(yaml.safe_dump(profile))
