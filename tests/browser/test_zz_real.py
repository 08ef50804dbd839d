import time
import pytest
from pathlib import Path
from tests.browser.test_pages_in_browser import *
import tests.fixtures.pages as pg
from auditor.collectors.aws import resource_types
from controls import load
import sqlalchemy as sa
def test_real(app_database, browser, provisioned, monkeypatch):
    lib = load(resource_types())
    monkeypatch.setattr(pg, "small_library", lambda: lib)
    made = pg.a_dashboard(app_database, demo=True)
    r = made.rows("acme")
    s = r.source()
    r.run(s)
    for kind in lib.by_resource:
        if "root" in kind: r.look(s, kind, state="denied", detail="AccessDenied iam:GetAccountSummary", action="iam:GetAccountSummary", since_days=3)
        else: r.look(s, kind)
    t = made.tenants["acme"].id
    ids=[c.id for c in lib.checks]; sev=[c.severity for c in lib.checks]; con=[c.control for c in lib.checks]
    with app_database.under(t) as conn:
        conn.execute(sa.text("""INSERT INTO resource(tenant_id,resource_id,source_id,type,native_id,region) SELECT :t, ('00000000-0000-4000-8000-'||lpad(n::text,12,'0'))::uuid, :s, 'aws.s3.bucket','arn:aws:s3:::bucket-'||n,'eu-central-1' FROM generate_series(1,1000) n"""),{"t":t,"s":s})
        conn.execute(sa.text("""INSERT INTO finding(tenant_id,finding_id,source_id,check_id,control_id,resource_id,resource_type,region,place,state,severity,tier,reason,since,span_seq,last_run_id,evaluator)
        SELECT :t, gen_random_uuid(), :s, c, k, resource_id, 'aws.s3.bucket','eu-central-1','global', CASE WHEN random()<0.05 THEN 'fail' WHEN random()<0.02 THEN 'unknown' ELSE 'pass' END, v, 'core','some reason', now()-interval '1 day',1,gen_random_uuid(),'a' FROM resource, unnest(CAST(:ids AS text[]), CAST(:sev AS text[]), CAST(:con AS text[])) AS u(c, v, k)"""),{"t":t,"s":s,"ids":ids,"sev":sev,"con":con})
    c = made.client("owner@acme.example")
    for url in ["/", "/frameworks/hipaa", "/findings", "/findings?state=fail", "/findings?framework=hipaa&state=unknown", "/findings?q=bucket-77", "/drift", "/coverage"]:
        best=9
        for _ in range(3):
            t0=time.perf_counter(); a=c.get(url, buffered=True); best=min(best,time.perf_counter()-t0)
        print(url, a.status_code, round(best*1000), "ms", len(a.text))
    t0=time.perf_counter(); a=c.get("/findings.csv", buffered=True); print("csv", len(a.text), time.perf_counter()-t0)
    from werkzeug.serving import make_server
    server = make_server("127.0.0.1", 0, made.app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ctx = opened(browser, f"http://127.0.0.1:{server.server_port}")
    page = ctx.new_page()
    for path, name in (("/","real-posture"),("/frameworks/hipaa","real-hipaa"),("/controls/"+lib.checks[3].control,"real-control"),("/findings?state=unknown","real-findings")):
        page.goto(path); page.screenshot(path=f"/tmp/shots/{name}.png", clip={"x":0,"y":0,"width":1280,"height":1500}, full_page=True)
    ctx.close(); server.shutdown(); server.server_close()
