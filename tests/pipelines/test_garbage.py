"""The garbage collector pauses in a block, and goes on as before."""

import gc

import pytest

from gristmill.pipelines.garbage import no_collection


@pytest.fixture(params=[True, False], ids=["on", "off"])
def collects(request):
    before = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    (gc.enable if before else gc.disable)()


def test_the_collector_pauses_and_is_then_as_before(collects):
    with no_collection():
        assert not gc.isenabled()
    assert gc.isenabled() == collects
    with pytest.raises(ValueError), no_collection():
        raise ValueError
    assert gc.isenabled() == collects


def test_what_a_block_makes_is_old_and_can_be_collected():
    assert gc.isenabled() and not gc.get_freeze_count()
    with no_collection():
        cycle = [{}]
        cycle[0]["itself"] = cycle
    assert not gc.get_freeze_count() and any(each is cycle for each in gc.get_objects(generation=2))
    place = id(cycle)
    del cycle
    gc.collect()
    assert all(id(each) != place or type(each) is not list for each in gc.get_objects())


def test_objects_that_somebody_froze_stay_frozen():
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        with no_collection():
            made = [[]]
        assert gc.get_freeze_count() == frozen and made
    finally:
        gc.unfreeze()
