"""The Merkle tree against RFC 6962's own tree, and its tiles against C2SP's layout."""

from __future__ import annotations

import pytest

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

ENTRIES = [
    bytes.fromhex(one)
    for one in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""The tree that the reference implementation of RFC 6962 is tested with, and its roots at each size."""


def node(level: int, index: int) -> bytes:
    if level == 0:
        return leaf_hash(ENTRIES[index])
    return node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))


def test_a_growing_frontier_tells_the_reference_roots() -> None:
    frontier = Frontier()
    assert frontier.root().hex() == ROOTS[0]
    for entry, root in zip(ENTRIES, ROOTS[1:], strict=True):
        frontier.append(leaf_hash(entry))
        assert frontier.root().hex() == root
        assert root_of(frontier.size, node).hex() == root


def test_a_frontier_goes_on_from_its_stored_bytes() -> None:
    frontier = Frontier()
    for entry in ENTRIES[:5]:
        frontier.append(leaf_hash(entry))
    again = Frontier.from_bytes(frontier.to_bytes())
    for entry in ENTRIES[5:]:
        again.append(leaf_hash(entry))
    assert again.root().hex() == ROOTS[8]
    assert len(frontier.to_bytes()) == 8 + 2 * 32


@pytest.mark.parametrize("stored", [b"", b"\0" * 7, b"\0" * 9, (3).to_bytes(8, "big") + b"h" * 32, b"\xff" * 8])
def test_hashes_that_do_not_go_with_the_size_are_refused(stored: bytes) -> None:
    with pytest.raises(ValueError, match=r"frontier|not the hashes"):
        Frontier.from_bytes(stored)


def test_a_subtree_is_taken_in_only_where_it_may_begin() -> None:
    frontier = Frontier()
    frontier.append_subtree(2, node(2, 0))
    frontier.append_subtree(1, node(1, 2))
    assert frontier.root().hex() == ROOTS[6]
    for level in (2, 63, -1, 1 << 40):
        with pytest.raises(ValueError, match="cannot begin"):
            frontier.append_subtree(level, node(0, 0))


def test_known_proofs_are_built_and_hold() -> None:
    path = [one.hex() for one in inclusion_proof(0, 8, node)]
    assert path == [node(0, 1).hex(), node(1, 1).hex(), node(2, 1).hex()]
    grown = [one.hex() for one in consistency_proof(6, 8, node)]
    assert grown == [node(1, 2).hex(), node(1, 3).hex(), node(2, 0).hex()]
    assert consistency_proof(1, 8, node) == inclusion_proof(0, 8, node)


def test_a_proof_for_another_leaf_index_size_or_root_does_not_hold() -> None:
    proof, root = inclusion_proof(5, 7, node), root_of(7, node)
    assert verify_inclusion(node(0, 5), 5, 7, proof, root)
    assert not verify_inclusion(node(0, 4), 5, 7, proof, root)
    assert not verify_inclusion(node(0, 5), 4, 7, proof, root)
    assert not verify_inclusion(node(0, 5), 7, 7, proof, root)
    assert not verify_inclusion(node(0, 5), 5, 7, proof[:-1], root)
    assert not verify_inclusion(node(0, 5), 5, 7, [*proof, proof[0]], root)
    assert not verify_inclusion(node(0, 5), 5, 7, proof, root_of(8, node))


def test_a_tree_that_was_rewritten_is_not_consistent() -> None:
    old, new, proof = root_of(3, node), root_of(7, node), consistency_proof(3, 7, node)
    assert verify_consistency(3, 7, old, new, proof)
    assert not verify_consistency(3, 7, root_of(4, node), new, proof)
    assert not verify_consistency(3, 7, old, root_of(8, node), proof)
    assert not verify_consistency(3, 7, old, new, proof[:-1])
    assert not verify_consistency(3, 7, old, new, [*proof, new])
    assert not verify_consistency(7, 3, new, old, proof)
    assert not verify_consistency(4, 7, old, new, [])


def test_the_empty_tree_begins_every_tree_and_no_other_claims_to_be_it() -> None:
    assert verify_consistency(0, 7, EMPTY_ROOT, root_of(7, node), [])
    assert not verify_consistency(0, 7, root_of(1, node), root_of(7, node), [])
    assert verify_consistency(7, 7, root_of(7, node), root_of(7, node), [])
    assert not verify_consistency(7, 7, root_of(6, node), root_of(7, node), [])


def test_proofs_of_what_is_not_there_are_not_built() -> None:
    with pytest.raises(ValueError, match="no leaf 8 among 8"):
        inclusion_proof(8, 8, node)
    with pytest.raises(ValueError, match="cannot be the beginning"):
        consistency_proof(8, 7, node)


def test_a_cover_is_aligned_and_gapless() -> None:
    assert cover(0, 8) == [(3, 0)]
    assert cover(3, 8) == [(0, 3), (2, 1)]
    assert cover(5, 7) == [(0, 5), (0, 6)]
    assert cover(7, 7) == []


def test_tiles_lie_where_c2sp_puts_them() -> None:
    assert Tile(0, 1234067).path == "tile/0/x001/x234/067"
    assert Tile(1, 5, 17).path == "tile/1/005.p/17"
    assert Tile(0, 0, 3).entries_path == "tile/entries/000.p/3"


def test_a_size_has_the_tiles_of_every_level_and_no_others() -> None:
    assert list(tiles(70_000)) == [
        *(Tile(0, index) for index in range(273)),
        Tile(0, 273, 112),
        Tile(1, 0),
        Tile(1, 1, 17),
        Tile(2, 0, 1),
    ]
    assert list(tiles(0)) == []
    assert list(tiles(520, since=300)) == [Tile(0, 1), Tile(0, 2, 8), Tile(1, 0, 2)]
    assert list(tiles(300, since=300)) == []


def test_nodes_are_read_from_tiles_and_a_narrow_tile_gives_none_beyond_its_edge() -> None:
    leaves = [leaf_hash(bytes([one % 251])) for one in range(300)]
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)

    def read(level: int, number: int) -> bytes:
        if level == 0:
            return b"".join(leaves[number * 256 : number * 256 + 256])
        return Frontier(256, [frontier.hashes[0]]).root()

    assert root_of(300, nodes_of(read)) == frontier.root()
    with pytest.raises(ValueError, match="too narrow"):
        nodes_of(read)(2, 75)


def test_entries_are_packed_with_their_lengths() -> None:
    assert pack([b"ab", b"", b"c"]) == b"\x00\x02ab\x00\x00\x00\x01c"
    assert unpack(pack([b"ab", b"", b"c" * 65535])) == [b"ab", b"", b"c" * 65535]
    with pytest.raises(ValueError, match="does not fit"):
        pack([b"c" * 65536])
    for cut in (b"\x00", b"\x00\x02a"):
        with pytest.raises(ValueError, match="in the middle"):
            unpack(cut)
