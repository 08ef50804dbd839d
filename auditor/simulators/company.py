"""Meadowbrook Health: a fictional healthcare company's AWS account, with the order and the disorder of a real one.

Some 190 resources in three regions and all seven services, good and bad side by side. Names are fixed and ids follow
from a seed, so two builds read alike. ``company_story`` tells what happens in the six weeks after ``at``.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from auditor.simulators.aws import AwsEmulator
from auditor.simulators.company_compute import build_compute
from auditor.simulators.company_data import build_databases
from auditor.simulators.company_network import build_network
from auditor.simulators.company_people import build_late_people, build_people, settle_people
from auditor.simulators.company_storage import build_buckets, build_keys, build_trails

NAME = "Meadowbrook Health"
SERVICES = ("cloudtrail", "ec2", "iam", "kms", "rds", "s3", "vpc")
"""Where the company has anything: the demo looks there alone, or most of its page would say that there is nothing."""
REGIONS = ("us-east-1", "us-west-2", "eu-central-1")
SEED = 20260305
# A key made this long before the story begins has seen 90 whole days on the 30th day of it and 91 on the next.
LATE_KEY_AGE = timedelta(days=60, hours=1)


def build(emulator: AwsEmulator, at: datetime) -> None:
    """Furnish an empty account as it stands at ``at``, the story's day 0, and leave its clock there.

    What is old is made with the clock turned back, so ages are true: the company is 400 days old, its newest service
    key sixty.
    """
    emulator.seed(SEED)
    emulator.supplement({"regions": REGIONS})
    emulator.set_clock(at - timedelta(days=400))
    build_people(emulator)
    keys = {region: build_keys(emulator, region) for region in REGIONS}
    build_buckets(emulator, keys["us-east-1"]["phi"])
    build_trails(emulator, keys["us-east-1"]["trail"])
    for region in REGIONS:
        build_network(emulator, region)
        build_compute(emulator, region, keys[region]["phi"])
        build_databases(emulator, region, keys[region]["phi"])
    emulator.set_clock(at - LATE_KEY_AGE)
    build_late_people(emulator)
    emulator.set_clock(at)
    settle_people(emulator, at)
