"""What must hold for trees of every size: the fast ways and a naive recursive tree agree, and no forged proof holds."""

from __future__ import annotations

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from auditor.proof.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    cover,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from auditor.proof.tiles import Tile, nodes_of, pack, tiles, unpack

SIZES = st.integers(0, 600)


@cache
def naive(start: int, stop: int) -> bytes:
    """The tree head as RFC 6962 writes it down, over leaves that are their own numbers."""
    if stop - start == 0:
        return EMPTY_ROOT
    if stop - start == 1:
        return leaf_hash(str(start).encode())
    width = 1
    while width * 2 < stop - start:
        width *= 2
    return node_hash(naive(start, start + width), naive(start + width, stop))


def node(level: int, index: int) -> bytes:
    return naive(index << level, (index + 1) << level)


@given(SIZES)
def test_frontier_nodes_and_the_naive_tree_have_one_root(size: int) -> None:
    frontier = Frontier()
    for leaf in range(size):
        frontier.append(naive(leaf, leaf + 1))
    assert frontier.root() == root_of(size, node) == naive(0, size)
    assert Frontier.from_bytes(frontier.to_bytes()).hashes == frontier.hashes


@given(st.data(), st.integers(1, 600))
def test_every_leaf_has_a_proof_that_holds_for_it_alone(data: st.DataObject, size: int) -> None:
    leaf, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(leaf, size, node)
    assert verify_inclusion(node(0, leaf), leaf, size, proof, naive(0, size))
    assert verify_inclusion(node(0, leaf), other, size, proof, naive(0, size)) == (leaf == other)
    if proof:
        spoilt = data.draw(st.integers(0, len(proof) - 1))
        bent = [*proof[:spoilt], bytes(32), *proof[spoilt + 1 :]]
        assert not verify_inclusion(node(0, leaf), leaf, size, bent, naive(0, size))


@given(st.data(), SIZES)
def test_every_earlier_tree_is_shown_to_be_the_beginning(data: st.DataObject, new: int) -> None:
    old = data.draw(st.integers(0, new))
    proof = consistency_proof(old, new, node)
    assert verify_consistency(old, new, naive(0, old), naive(0, new), proof)
    if 0 < old < new:
        assert not verify_consistency(old, new, bytes(32), naive(0, new), proof)
        assert not verify_consistency(old, new, naive(0, old), bytes(32), proof)


@given(st.data(), SIZES)
def test_a_cover_stands_over_its_range_and_grows_the_same_tree(data: st.DataObject, stop: int) -> None:
    start = data.draw(st.integers(0, stop))
    found = cover(start, stop)
    assert [leaf for level, index in found for leaf in range(index << level, (index + 1) << level)] == list(
        range(start, stop)
    )
    frontier = Frontier()
    for level, index in (*cover(0, start), *found):
        frontier.append_subtree(level, node(level, index))
    assert frontier.root() == naive(0, stop)


@given(st.data(), SIZES)
def test_tiles_written_step_by_step_are_the_tiles_of_the_end(data: st.DataObject, size: int) -> None:
    steps = sorted(data.draw(st.sets(st.integers(0, size), max_size=4)) | {size})
    written: dict[tuple[int, int], Tile] = {}
    before = 0
    for step in steps:
        written.update({(one.level, one.number): one for one in tiles(step, since=before)})
        before = step
    assert written == {(one.level, one.number): one for one in tiles(size)}

    def read(level: int, number: int) -> bytes:
        tile = written[level, number]
        return b"".join(node(8 * level, number * 256 + i) for i in range(tile.width))

    assert root_of(size, nodes_of(read)) == naive(0, size)


@given(st.lists(st.binary(max_size=300)))
def test_packed_entries_come_back(entries: list[bytes]) -> None:
    assert unpack(pack(entries)) == entries
