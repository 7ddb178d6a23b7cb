"""Limits of what one unit's readers share."""

import pytest

from gristmill.pipelines.inputs.inputs import File, InputSettings
from gristmill.pipelines.inputs.work_units import InputSlice
from gristmill.pipelines.readers.context import ReadContext


@pytest.mark.parametrize(("limit", "read"), [(6, b"abcdef"), (5, None)])
def test_a_file_of_the_limit_is_read_and_one_byte_more_is_a_reject(limit, read):
    rejects = []
    piece = InputSlice(File("x", "x", "text", None, 6, ""))
    assert ReadContext(InputSettings(), rejects.append).join(piece, [b"abc", b"def"], limit) == read
    assert [each["reason"] for each in rejects] == ([] if read else ["record too long"])
