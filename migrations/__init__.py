"""The schema's history: each step runs as the non-superuser owner, under the code of the release before it."""
