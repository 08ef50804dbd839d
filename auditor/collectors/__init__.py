"""Where we look: declared resource types, one file per cloud service or cluster API group."""
