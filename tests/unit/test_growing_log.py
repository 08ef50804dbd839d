"""How a log grows: in steps of any width it has the tree, the tiles and the proofs that one step would have given."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.domain.ledger import grown, nodes, tile_root
from auditor.proof.merkle import Frontier, inclusion_proof, leaf_hash, root_of, verify_inclusion
from auditor.proof.tiles import WIDTH, tiles
from auditor.worker.checkpoints import NIGHT, Checkpoints


def leaf(index: int) -> bytes:
    return leaf_hash(str(index).encode())


def grow(steps: Sequence[int]) -> tuple[Frontier, dict[tuple[int, int], bytes], list[bytes]]:
    frontier, kept, all_leaves = Frontier(), dict[tuple[int, int], bytes](), list[bytes]()

    def tile(level: int, number: int) -> bytes:
        return kept[level, number]

    for step in steps:
        new = [leaf(len(all_leaves) + at) for at in range(step)]
        start = all_leaves[frontier.size // WIDTH * WIDTH :]
        frontier, full = grown(frontier, start, new, tile)
        assert not kept.keys() & full.keys(), "a full tile is written once"
        kept |= full
        all_leaves += new
    return frontier, kept, all_leaves


@settings(max_examples=25)
@given(st.lists(st.integers(0, 3 * WIDTH), min_size=1, max_size=5))
def test_a_log_grown_in_steps_is_the_log_grown_at_once(steps: list[int]) -> None:
    frontier, kept, leaves = grow(steps)
    once, tiles_once, _ = grow([sum(steps)])
    assert (frontier.size, frontier.root(), kept) == (sum(steps), once.root(), tiles_once)
    assert set(kept) == {(one.level, one.number) for one in tiles(frontier.size) if one.width == WIDTH}
    tree = nodes(frontier.size, lambda level, number: kept[level, number], lambda start: leaves[start:])
    assert root_of(frontier.size, tree) == frontier.root()
    for index in range(0, frontier.size, 97):
        proof = inclusion_proof(index, frontier.size, tree)
        assert verify_inclusion(leaf(index), index, frontier.size, proof, frontier.root())


def test_the_second_level_is_made_of_the_roots_of_the_first() -> None:
    frontier, kept, _ = grow([WIDTH * WIDTH - 1, 2])
    assert frontier.size == WIDTH * WIDTH + 1
    roots = b"".join(tile_root(kept[0, number]) for number in range(WIDTH))
    assert kept[1, 0] == roots
    assert (2, 0) not in kept


def test_a_tile_has_the_root_of_its_subtree() -> None:
    frontier, kept, _ = grow([WIDTH])
    assert tile_root(kept[0, 0]) == frontier.root()
    assert tile_root(hashlib.sha256(b"one").digest()) == hashlib.sha256(b"one").digest()


class Rounds:
    """A notary that counts, and whose database may be away."""

    def __init__(self) -> None:
        self.rounds = self.nights = 0
        self.away = False
        self.stop: threading.Event | None = None

    def round(self) -> int:
        self.rounds += 1
        if self.stop is not None:
            self.stop.set()
        if self.away:
            raise OSError("the database restarts")
        return 0

    def recheck(self) -> int:
        self.nights += 1
        return 0

    def stamp(self) -> int:
        return 0


def test_logs_are_gone_through_once_a_night() -> None:
    notary = Rounds()
    process = Checkpoints(notary)
    for day, hour in ((1, NIGHT - 1), (1, NIGHT), (1, NIGHT), (1, NIGHT + 1), (2, NIGHT)):
        process.round(datetime(2026, 11, day, hour, tzinfo=UTC))
    assert (notary.rounds, notary.nights) == (5, 2)


@pytest.mark.parametrize("away", [True, False])
def test_the_pulse_beats_only_while_rounds_succeed(tmp_path: Path, away: bool) -> None:
    notary, pulse = Rounds(), tmp_path / "pulse"
    notary.away = away
    Checkpoints(notary, pulse=pulse).round(datetime(2026, 11, 1, tzinfo=UTC))
    assert pulse.exists() != away


def test_what_waits_when_it_is_told_to_stop_is_still_appended(tmp_path: Path) -> None:
    notary = Rounds()
    notary.stop = threading.Event()
    Checkpoints(notary, every=0, pulse=tmp_path / "pulse").run(notary.stop)
    assert notary.rounds == 2
    assert not (tmp_path / "pulse").exists()
