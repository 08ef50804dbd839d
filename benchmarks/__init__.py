"""What scanning and judging cost, measured and held against the figures we set ourselves."""
