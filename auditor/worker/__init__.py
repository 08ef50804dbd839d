"""When: the tick that leases due work, the queues that spread it, and the limits that vendors set. The only Celery and Redis."""
