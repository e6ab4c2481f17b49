"""Checks that every ledger must pass, whatever happened to its workers."""

from tests.support.world import World


def assert_tiled(world: World) -> None:
    """The ledger's ranges follow one another without gap or overlap, from 0 to the committed offsets."""
    reached: dict[int, int] = {}
    entries = world.ledger()
    for entry in entries:
        assert entry["first_offset"] == reached.get(entry["partition"], 0)
        assert entry["next_offset"] - entry["first_offset"] == entry["records"]
        reached[entry["partition"]] = entry["next_offset"]
    committed = world.committed()
    assert reached == committed, entries[-20:]
