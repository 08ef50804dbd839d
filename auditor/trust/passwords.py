"""Passwords: hashed by argon2id, and checked in the same time whether or not the person exists."""

from __future__ import annotations

from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 12
LONGEST = 1024
"""Longer input is refused before hashing: a megabyte of password is an attack on the processor."""


class Passwords:
    """Hashes and checks. The cost is that of the hasher given in; the library's default is the recommended one."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()

    def hash(self, password: str) -> str:
        """The text to store: algorithm, cost, salt and hash in one.

        Raises:
            ValueError: Too short to withstand guessing, or absurdly long.
        """
        if not SHORTEST <= len(password) <= LONGEST:
            raise ValueError(f"a password has {SHORTEST} to {LONGEST} characters")
        return self._hasher.hash(password)

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password is the stored one; for ``None`` the same work is done, then the answer is no."""
        if len(password) > LONGEST:
            return False
        try:
            self._hasher.verify(stored or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None

    @cached_property
    def _nobody(self) -> str:
        """A hash that no password opens, at the same cost as a real one."""
        return self._hasher.hash("nobody signs in with this")
