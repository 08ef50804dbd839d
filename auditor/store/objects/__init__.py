"""Evidence bytes, content-addressed: one module per kind of place they can lie in."""
