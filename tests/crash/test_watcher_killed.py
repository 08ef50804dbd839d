"""A watcher is killed in the middle of its work; the one beside it takes over, and nothing is lost or told twice."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from auditor.simulators.kubernetes_api import ClusterApi
from tests.fixtures.database import Provisioned
from tests.fixtures.processes import Running, commands, eventually
from tests.integration.test_cluster_source import PRIVILEGED, World
from tests.integration.test_watch import ONE, SETTLED, TWO, bare_pod, looked_at, marked, runs, states

THREE = "shop/Pod/three"


def fence(made: World) -> int:
    [row] = made.rows("SELECT fence FROM work WHERE queue = 'watch'")
    return int(row.fence)


def test_a_killed_watcher_is_replaced_and_nothing_is_lost_or_doubled(provisioned: Provisioned, tmp_path: Path) -> None:
    with ClusterApi() as api:
        api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        api.put(bare_pod("one"))
        api.put(bare_pod("two"))
        with (
            looked_at(provisioned, api, tmp_path, api.admin_token()) as made,
            commands(
                tmp_path,
                AUDITOR_HOME=str(tmp_path),
                AUDITOR_DATABASE_URL=provisioned.app_url,
                AUDITOR_CLAIM_DATABASE_URL=provisioned.claims_url,
                AUDITOR_EGRESS_ALLOW="127.0.0.0/8",
                AUDITOR_LEASE_SECONDS="3",
            ) as auditor,
        ):
            first = auditor.start("watch")
            eventually(lambda: set(states(made)) == {"watching"}, told=first.said)
            held = fence(made)
            second = auditor.start("watch")
            api.put(bare_pod("one", privileged=True))
            eventually(lambda: marked(made) == {("kubernetes.pod", ONE)}, told=first.said)
            first.kill_nine()
            api.put(bare_pod("two", privileged=True))  # nobody listens
            api.put(bare_pod("three", privileged=True))
            wanted = {("kubernetes.pod", pod) for pod in (ONE, TWO, THREE)}
            eventually(lambda: marked(made) == wanted, told=second.said)
            assert fence(made) > held
            finished(made, second)
            second.terminate()


def finished(made: World, watcher: Running) -> None:
    """Look at what is marked: once each, and each finding turns once. No run over everything is due meanwhile."""
    assert made.rows("UPDATE schedule SET due_at = due_at + interval '1 year' RETURNING 1")
    made.clock.forward(datetime.now(UTC) - made.clock() + SETTLED)
    made.api.reset_counts()
    made.work.plan_due()
    made.drive()
    eventually(lambda: marked(made) == set(), told=watcher.said)
    [refresh] = [one for one in runs(made) if one.refresh]
    assert refresh.state == "done"
    asked = {template: n for (verb, template), n in made.api.counts().items() if verb == "list"}
    assert asked["/api/v1/namespaces/{namespace}/pods/{name}"] == 3
    turns = {pod: made.spans(PRIVILEGED, pod) for pod in (ONE, TWO, THREE)}
    assert turns == {ONE: ["pass", "fail"], TWO: ["pass", "fail"], THREE: ["fail"]}
    told = [one for one in made.told() if one[:2] == ("finding.opened", PRIVILEGED) and one[2] in turns]
    assert len(told) == 3
