"""Controllers of pods that end: jobs, and cron jobs that make them."""

from __future__ import annotations

from auditor.collectors.kubernetes._controllers import controller_type

job = controller_type("kubernetes.job", "Job", "batch/v1:jobs", "Job")
cron_job = controller_type(
    "kubernetes.cron_job", "Cron job", "batch/v1:cronjobs", "CronJob", template="spec.jobTemplate.spec.template"
)
