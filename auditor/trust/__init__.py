"""Who may: principals and their permissions, passwords, sealed secrets, and the one door to the outside."""
