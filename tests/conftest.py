"""What tests share: where development data lies, Hypothesis profiles, small builders."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parents[1]

# A kernel's first example compiles it, so no deadline; more examples by GRISTMILL_EXAMPLES.
settings.register_profile(
    "gristmill",
    deadline=None,
    max_examples=int(os.environ.get("GRISTMILL_EXAMPLES", 100)),
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("gristmill")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real text for development; no part of the product, so its absence skips."""
    folder = Path(os.environ.get("GRISTMILL_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"development data is not at {folder}; set GRISTMILL_SHARED_DATA to where it lies")
    return folder
