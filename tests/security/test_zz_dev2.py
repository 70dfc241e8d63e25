import time
from tests.security.planted import *
from tests.security.ways import *
async def test_b(planted, pgbouncer):
    async with opened(pgbouncer.before(planted.database)) as p:
        print(p.database.settings.postgres_port)
        w = AllWalls(p.transactions, SEATTLE_SCOPE)
        t=time.perf_counter()
        for _ in range(100): o = await w.run("select count(*), sum(total_amount) from orders")
        print(o, time.perf_counter()-t)
