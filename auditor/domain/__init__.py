"""The nouns: frozen values and pure functions that every other room speaks in."""
