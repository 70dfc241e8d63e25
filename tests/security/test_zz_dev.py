import sys, time, itertools
sys.path.insert(0, "/tmp/zz")
from attacks import A
from tests.security.planted import *
from tests.security.ways import *
from tests.security.forgeries import FORGERIES
def ways(p):
    tx = p.transactions; rw = ReadWriteTransactions(p.pools, ContextSigner(p.signing_key), p.proof)
    f = ForgedTransactions(p.pools, p.proof, lambda s: FORGERIES["altered scope"](p.signing_key, s))
    return {"all": AllWalls(tx, SEATTLE_SCOPE), "wrapped": PolicyOff(tx, SEATTLE_SCOPE), "unwrapped": Unwrapped(tx, SEATTLE_SCOPE),
      "simple": SimpleProtocol(tx, SEATTLE_SCOPE), "rw": Unwrapped(rw, SEATTLE_SCOPE), "rwsimple": SimpleProtocol(rw, SEATTLE_SCOPE), "forged": Unwrapped(f, SEATTLE_SCOPE)}
async def test_x(planted, twin):
    W, T = ways(planted), ways(twin)
    tot = {}
    for sql in A:
        print("#", sql)
        for n, w in W.items():
            t = time.perf_counter()
            before = await planted.state.write_position()
            o = await w.run(sql)
            dt = time.perf_counter()-t
            tot[n] = tot.get(n, 0) + dt
            leak = planted.evidence.of_others(o.text, *(() if n == "forged" else ("seattle",)), asked=sql)
            o2 = await T[n].run(sql)
            moved = await planted.state.write_position() != before
            same = o.without(planted.database.name) == o2.without(twin.database.name)
            print(f"   {n:10s} {dt*1e3:7.1f}ms {'LEAK' if leak else ''} {'' if same else 'DIFF'} {'WAL' if moved else ''} {o.columns}{str(o.rows)[:80]} {o.error[:150]} {o.messages if not n in('all','wrapped') else ''}"[:400])
    print(tot)
