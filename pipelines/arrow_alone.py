"""Arrow without pandas, for processes that hold no values of pandas.

Arrow imports pandas, if it is installed, before it converts the first value, to tell whether that is one of pandas'.
"""

import sys
from contextlib import suppress

import pyarrow as pa

from gristmill.pipelines.hidden import hidden, set_alone


def keep_pandas_out() -> None:
    """Let Arrow look for pandas, once and for all, while it is hidden. Leave it to Arrow if pandas is imported."""
    set_alone(True)
    if "pandas" in sys.modules:
        return
    with hidden("pandas"):
        pa.array([])


def let_pandas_in() -> None:
    """Let Arrow know values of pandas, for code that is not ours."""
    set_alone(False)
    with suppress(ImportError):  # it is not installed
        pa.array([]).to_pandas()
