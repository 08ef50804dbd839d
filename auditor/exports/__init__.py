"""In which form it is handed over: one file per format."""
