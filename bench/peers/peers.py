"""Runs other engines on the inputs of `tidemill bench --dir DIR --json REPORT`, and checks their answers against the report's.

Every run is a process of its own. Measured is from the first read of the input to the complete result in the engine's own form
(a table, a data frame): starting Python, the JVM or a session, and looking at the result, is not. CPU time is that of the process
and, for Spark, of its JVM. See requirements.txt for what is needed, `make bench-peers` for how it is run.
"""

import argparse
import calendar
import collections
import datetime
import hashlib
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time


def digest(rows):
    """Returns the number of rows and the digest that bench.Answer has: the sum of the first eight bytes of each row's MD5."""
    total = 0
    for row in rows:
        total += int.from_bytes(hashlib.md5(row.encode()).digest()[:8], "little")
    return len(rows), total % 2**64


def decimal(v):
    """Returns a DOUBLE as it stands in the text of a row: see decimal in bench/answer.go."""
    return str(math.floor(float(v) * 1e4 + 0.37123))


def value(v):
    """Returns a value as it stands in the text of a row: times in microseconds of UTC."""
    if isinstance(v, datetime.datetime):
        return str(calendar.timegm(v.timetuple()) * 1_000_000 + v.microsecond)
    return str(v)


def text(row, doubles=()):
    return "|".join(decimal(v) if i in doubles else value(v) for i, v in enumerate(row))


def tally(rows):
    """Returns the one row that stands for all rows of a workload in TALLIES: see tally in bench/sinks.go."""

    def number(v):
        return len(v.encode()) if isinstance(v, str) else v if isinstance(v, int) else round(v * 1000)

    return [(len(rows), *(sum(number(v) for v in column) for column in zip(*rows)))]


def cpu_of(pid):
    """Returns the CPU seconds of another process."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Clock:
    def __init__(self, pid=None):
        self.pid = pid

    def cpu(self):
        own = resource.getrusage(resource.RUSAGE_SELF)
        return own.ru_utime + own.ru_stime + (cpu_of(self.pid) if self.pid else 0)

    def __enter__(self):
        self.wall0, self.cpu0 = time.monotonic(), self.cpu()
        return self

    def __exit__(self, *_):
        self.wall, self.cpu_seconds = time.monotonic() - self.wall0, self.cpu() - self.cpu0


WINDOW = 10_000_000  # microseconds

AD = "user_id page_id ad_id ad_type event_type event_time ip_address".split()
BID = {"auction": "BIGINT", "bidder": "BIGINT", "price": "BIGINT", "channel": "VARCHAR", "url": "VARCHAR", "dateTime": "BIGINT", "extra": "VARCHAR"}
EVENT = dict.fromkeys("event_type id seller category dateTime".split(), "BIGINT") | dict.fromkeys("name city state".split(), "VARCHAR")
ORDER = {"ts": "BIGINT", "user": "VARCHAR", "amount": "DOUBLE", "type": "VARCHAR"}

# Which columns of a workload's rows are DOUBLE.
DOUBLES = {"filter75": (3,), "1brc": (1, 2, 3)}

# Workloads whose answer is the number of rows and the sums of their columns.
TALLIES = {"nexmark-q0", "nexmark-q1", "nexmark-q2"}


def struct(columns):
    return "{" + ", ".join(f"'{k}': '{v}'" for k, v in columns.items()) + "}"


LINES = "read_csv('INPUT', header = false, delim = '\x01', quote = '', escape = '', columns = {'line': 'VARCHAR'}, auto_detect = false)"
JSON = "read_json('INPUT', format = 'newline_delimited', columns = %s)"

# Per workload: the query over (a part of) the input, and the query that merges the results of parts, which are in the table part,
# if there is one.
DUCKDB = {
    "grep": (
        f"SELECT count(*) AS n, coalesce(sum(strlen(line)), 0)::BIGINT AS size FROM {LINES} WHERE contains(line, 'mavi')",
        "SELECT sum(n)::BIGINT, sum(size)::BIGINT FROM part",
    ),
    "wordcount": (
        f"SELECT word, count(*) AS n FROM (SELECT unnest(string_split(line, ' ')) AS word FROM {LINES}) GROUP BY word",
        "SELECT word, sum(n)::BIGINT FROM part GROUP BY word",
    ),
    "ysb": (
        f"""SELECT event_time::BIGINT * 1000 // {WINDOW} * {WINDOW} AS start, substring(ad_id, 1, 8) AS campaign, count(*) AS n
            FROM {JSON % struct(dict.fromkeys(AD, "VARCHAR"))} WHERE event_type = 'view' GROUP BY ALL""",
        "SELECT start, campaign, sum(n)::BIGINT FROM part GROUP BY ALL",
    ),
    "filter75": (
        f"""SELECT ts * 1000 // {WINDOW} * {WINDOW} AS start, "user", count(*) AS n, sum(amount) AS total
            FROM {JSON % struct(ORDER)} WHERE type = 'view' GROUP BY ALL""",
        'SELECT start, "user", sum(n)::BIGINT, sum(total) FROM part GROUP BY ALL',
    ),
    "1brc": (
        """SELECT station, min(t) AS low, avg(t) AS mean, max(t) AS high, count(*) AS n
           FROM read_csv('INPUT', header = false, delim = ';', columns = {'station': 'VARCHAR', 't': 'DOUBLE'}, auto_detect = false) GROUP BY station""",
        "SELECT station, min(low), sum(mean * n) / sum(n), max(high) FROM part GROUP BY station",
    ),
    "nexmark-q0": (f"SELECT auction, bidder, price, dateTime, extra FROM {JSON % struct(BID)}", "FROM part"),
    "nexmark-q1": (f"SELECT auction, bidder, 0.908 * price AS price, dateTime, extra FROM {JSON % struct(BID)}", "FROM part"),
    "nexmark-q2": (f"SELECT auction, price FROM {JSON % struct(BID)} WHERE auction % 123 = 0", "FROM part"),
    "nexmark-q3": (
        f"""WITH event AS MATERIALIZED (SELECT * FROM {JSON % struct(EVENT)} WHERE event_type < 2)
            SELECT p.name, p.city, p.state, a.id FROM event a JOIN event p ON a.seller = p.id
            WHERE a.event_type = 1 AND p.event_type = 0 AND a.category = 10 AND p.state IN ('OR', 'ID', 'CA')""",
        None,
    ),
    "nexmark-q5": (
        f"""SELECT start, auction, n FROM (
              SELECT (dateTime // 2000 - slide) * 2000000 AS start, auction, count(*) AS n
              FROM {JSON % struct(BID)}, range(5) AS slides(slide) GROUP BY ALL)
            QUALIFY rank() OVER (PARTITION BY start ORDER BY n DESC) = 1""",
        None,
    ),
    "nexmark-q7": (
        f"""WITH bid AS MATERIALIZED (SELECT auction, price, bidder, dateTime, extra FROM {JSON % struct(BID)})
            SELECT b.* FROM bid b JOIN (SELECT dateTime // 10000 * 10000 + 10000 AS ends, max(price) AS price FROM bid GROUP BY ends) m
            ON b.price = m.price AND b.dateTime BETWEEN m.ends - 10000 AND m.ends""",
        None,
    ),
    "nexmark-q8": (
        f"""WITH event AS MATERIALIZED (SELECT *, dateTime * 1000 // {WINDOW} * {WINDOW} AS start FROM {JSON % struct(EVENT)} WHERE event_type < 2)
            SELECT p.id, p.name, p.start FROM (SELECT DISTINCT id, name, start FROM event WHERE event_type = 0) p
            JOIN (SELECT DISTINCT seller, start FROM event WHERE event_type = 1) a ON p.id = a.seller AND p.start = a.start""",
        None,
    ),
    "nexmark-q11": (
        f"""SELECT bidder, count(*) AS n, min(dateTime) * 1000 AS start, max(dateTime) * 1000 + {WINDOW} AS until FROM (
              SELECT *, sum(is_first) OVER (PARTITION BY bidder ORDER BY dateTime, is_first DESC ROWS UNBOUNDED PRECEDING) AS session FROM (
                SELECT bidder, dateTime, CASE WHEN dateTime <= lag(dateTime) OVER (PARTITION BY bidder ORDER BY dateTime) + 10000 THEN 0 ELSE 1 END AS is_first
                FROM {JSON % struct(BID)}))
            GROUP BY bidder, session""",
        None,
    ),
    "nexmark-q12": (
        f"SELECT bidder, count(*) AS n FROM {JSON % struct(BID)} GROUP BY bidder",
        "SELECT bidder, sum(n)::BIGINT FROM part GROUP BY bidder",
    ),
    "nexmark-q17": (
        f"""SELECT auction, count(*) AS n, count(*) FILTER (price < 10000) AS cheap, min(price) AS low, max(price) AS high, sum(price)::BIGINT AS total
            FROM {JSON % struct(BID)} GROUP BY auction""",
        "SELECT auction, sum(n)::BIGINT, sum(cheap)::BIGINT, min(low), max(high), sum(total)::BIGINT FROM part GROUP BY auction",
    ),
}


def duckdb_connection():
    import duckdb

    c = duckdb.connect()
    c.execute("SET threads = 2")
    c.execute("SET preserve_insertion_order = false")
    return c


def run_duckdb(workload, path):
    c = duckdb_connection()
    query, _ = DUCKDB[workload]
    if workload == "1brc":
        query = query.replace(", count(*) AS n", "")
    with Clock() as clock:
        c.execute("CREATE TEMP TABLE result AS " + query.replace("INPUT", path))
    return clock, c.execute("SELECT * FROM result").fetchall()


# As many bytes as the engine takes for an interval of bounded input.
PART_BYTES = 64 << 20


def parts(path):
    """Cuts a file into parts on line ends, next to it."""
    names = []
    with open(path, "rb") as f:
        while piece := f.read(PART_BYTES):
            name = f"{path}.part{len(names):04d}"
            with open(name, "wb") as out:
                out.write(piece + f.readline())
            names.append(name)
    return names


def run_duckdb_parts(workload, path):
    c = duckdb_connection()
    query, merge = DUCKDB[workload]
    names = parts(path)
    try:
        with Clock() as clock:
            for i, name in enumerate(names):
                c.execute(("CREATE TEMP TABLE part AS " if i == 0 else "INSERT INTO part ") + query.replace("INPUT", name))
            c.execute("CREATE TEMP TABLE result AS " + merge)
    finally:
        for name in names:
            os.remove(name)
    return clock, c.execute("SELECT * FROM result").fetchall()


def polars_query(pl, workload, path):
    if workload in ("grep", "wordcount"):
        lines = pl.scan_csv(path, has_header=False, separator="\x01", quote_char=None, schema={"line": pl.String})
        if workload == "grep":
            found = lines.filter(pl.col("line").str.contains("mavi", literal=True))
            return found.select(pl.len().cast(pl.Int64), pl.col("line").str.len_bytes().cast(pl.Int64).sum().alias("size"))
        return lines.select(pl.col("line").str.split(" ").alias("word")).explode("word").group_by("word").len()
    if workload == "1brc":
        rows = pl.scan_csv(path, has_header=False, separator=";", schema={"station": pl.String, "t": pl.Float64})
        return rows.group_by("station").agg(pl.col("t").min().alias("low"), pl.col("t").mean().alias("mean"), pl.col("t").max().alias("high"))
    if workload == "ysb":
        rows = pl.scan_ndjson(path, schema={name: pl.String for name in AD}).filter(pl.col("event_type") == "view")
        start = (pl.col("event_time").cast(pl.Int64) * 1000 // WINDOW * WINDOW).alias("start")
        return rows.group_by(start, pl.col("ad_id").str.slice(0, 8).alias("campaign")).len()
    if workload == "filter75":
        rows = pl.scan_ndjson(path, schema={"ts": pl.Int64, "user": pl.String, "amount": pl.Float64, "type": pl.String})
        rows = rows.filter(pl.col("type") == "view")
        start = (pl.col("ts") * 1000 // WINDOW * WINDOW).alias("start")
        return rows.group_by(start, "user").agg(pl.len().alias("n"), pl.col("amount").sum())
    if workload.startswith("nexmark"):
        types = {"BIGINT": pl.Int64, "VARCHAR": pl.String}
        columns = EVENT if workload in ("nexmark-q3", "nexmark-q8") else BID
        rows = pl.scan_ndjson(path, schema={k: types[v] for k, v in columns.items()})
        price, start = pl.col("price"), (pl.col("dateTime") * 1000 // WINDOW * WINDOW).alias("start")
        if workload in ("nexmark-q0", "nexmark-q1"):
            return rows.select("auction", "bidder", price if workload == "nexmark-q0" else 0.908 * price, "dateTime", "extra")
        if workload == "nexmark-q2":
            return rows.filter(pl.col("auction") % 123 == 0).select("auction", "price")
        if workload in ("nexmark-q3", "nexmark-q8"):
            persons, auctions = rows.filter(pl.col("event_type") == 0), rows.filter(pl.col("event_type") == 1)
            if workload == "nexmark-q8":
                persons, auctions = persons.select("id", "name", start).unique(), auctions.select("seller", start).unique()
                return persons.join(auctions, left_on=["id", "start"], right_on=["seller", "start"]).select("id", "name", "start")
            auctions = auctions.filter(pl.col("category") == 10).select("seller", pl.col("id").alias("auction"))
            persons = persons.filter(pl.col("state").is_in(["OR", "ID", "CA"]))
            return auctions.join(persons, left_on="seller", right_on="id").select("name", "city", "state", "auction")
        if workload == "nexmark-q7":
            highest = rows.group_by(start).agg(price.max())
            return rows.with_columns(start).join(highest, on=["start", "price"]).select("auction", "price", "bidder", "dateTime", "extra")
        if workload == "nexmark-q12":
            return rows.group_by("bidder").len()
        return rows.group_by("auction").agg(
            pl.len().alias("n"), (price < 10_000).sum().alias("cheap"), price.min().alias("low"), price.max().alias("high"), price.sum().alias("total")
        )
    raise KeyError(workload)


def run_polars(workload, path):
    import polars as pl

    with Clock() as clock:
        result = polars_query(pl, workload, path).collect(engine="streaming")
    return clock, result.rows()


def run_spark(workload, path):
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as f

    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "4g")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.streaming.stateStore.providerClass", "org.apache.spark.sql.execution.streaming.state.HDFSBackedStateStoreProvider")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    pid = spark._jvm.java.lang.ProcessHandle.current().pid()
    names = parts(path)  # one file is one task: parts keep both cores busy
    stream = spark.readStream.option("pathGlobFilter", os.path.basename(path) + ".part*").option("maxFilesPerTrigger", 2)
    folder = os.path.dirname(path)
    micros = lambda c: (f.unix_micros(c)).alias("start")
    if workload in ("wordcount", "grep"):
        lines = stream.text(folder)
        if workload == "grep":
            result = lines.filter(f.contains("value", f.lit("mavi"))).agg(f.count("*"), f.sum(f.octet_length("value")))
        else:
            result = lines.select(f.explode(f.split("value", " ")).alias("word")).groupBy("word").count()
    elif workload == "ysb":
        rows = stream.schema(", ".join(f"{n} STRING" for n in AD)).json(folder).filter("event_type = 'view'")
        rows = rows.withColumn("at", f.timestamp_millis(f.col("event_time").cast("long")))
        result = rows.groupBy(f.window("at", "10 seconds"), f.substring("ad_id", 1, 8).alias("campaign")).count()
        result = result.select(micros("window.start"), "campaign", "count")
    elif workload == "filter75":
        rows = stream.schema("ts BIGINT, user STRING, amount DOUBLE, type STRING").json(folder).filter("type = 'view'")
        rows = rows.withColumn("at", f.timestamp_millis("ts"))
        result = rows.groupBy(f.window("at", "10 seconds"), "user").agg(f.count("*").alias("n"), f.sum("amount").alias("total"))
        result = result.select(micros("window.start"), "user", "n", "total")
    elif workload == "1brc":
        rows = stream.schema("station STRING, t DOUBLE").option("sep", ";").csv(folder)
        result = rows.groupBy("station").agg(f.min("t"), f.avg("t"), f.max("t"))
    else:
        raise KeyError(workload)
    try:
        for name in ("warm_up", "result"):  # the JVM compiles what it runs often: the second run of the session counts
            with Clock(pid) as clock:
                query = result.writeStream.format("memory").queryName(name).outputMode("complete").trigger(availableNow=True).start()
                query.awaitTermination()
        rows = [tuple(r) for r in spark.sql("SELECT * FROM result").collect()]
    finally:
        for name in names:
            os.remove(name)
    return clock, rows


# Of Flink: columns of the source, its column of event time, its delay in seconds.
FLINK_AD = (", ".join(f"`{name}` STRING" for name in AD), "TO_TIMESTAMP_LTZ(CAST(event_time AS BIGINT), 3)", 1)
FLINK_ORDER = ("`ts` BIGINT, `user` STRING, `amount` DOUBLE, `type` STRING", "TO_TIMESTAMP_LTZ(ts, 3)", 1)
FLINK_BID, FLINK_EVENT = (
    (", ".join(f"`{k}` {v.replace('VARCHAR', 'STRING')}" for k, v in columns.items()), "TO_TIMESTAMP_LTZ(`dateTime`, 3)", 4) for columns in (BID, EVENT)
)

FLINK_HOP = "TABLE(HOP(TABLE events, DESCRIPTOR(due), INTERVAL '2' SECOND, INTERVAL '10' SECOND))"
FLINK_TUMBLE = "TABLE(TUMBLE(TABLE events, DESCRIPTOR(due), INTERVAL '10' SECOND))"

FLINK = {
    "ysb": (
        FLINK_AD,
        f"""SELECT window_start, SUBSTRING(ad_id, 1, 8), COUNT(*) FROM {FLINK_TUMBLE} WHERE event_type = 'view'
            GROUP BY window_start, window_end, SUBSTRING(ad_id, 1, 8)""",
    ),
    "filter75": (
        FLINK_ORDER,
        f"""SELECT window_start, `user`, COUNT(*), SUM(amount) FROM {FLINK_TUMBLE} WHERE `type` = 'view'
            GROUP BY window_start, window_end, `user`""",
    ),
    "nexmark-q0": (FLINK_BID, "SELECT auction, bidder, price, `dateTime`, extra FROM events"),
    "nexmark-q1": (FLINK_BID, "SELECT auction, bidder, 0.908 * price AS price, `dateTime`, extra FROM events"),
    "nexmark-q2": (FLINK_BID, "SELECT auction, price FROM events WHERE MOD(auction, 123) = 0"),
    "nexmark-q3": (
        FLINK_EVENT,
        """SELECT p.name, p.city, p.state, a.id
           FROM (SELECT id, seller FROM events WHERE event_type = 1 AND category = 10) a
           JOIN (SELECT id, name, city, state FROM events WHERE event_type = 0 AND state IN ('OR', 'ID', 'CA')) p ON a.seller = p.id""",
    ),
    "nexmark-q5": (
        FLINK_BID,
        f"""SELECT c.window_start, c.auction, c.n
            FROM (SELECT window_start, window_end, auction, COUNT(*) AS n FROM {FLINK_HOP} GROUP BY window_start, window_end, auction) c
            JOIN (SELECT window_start, window_end, MAX(n) AS n FROM (
                    SELECT window_start, window_end, auction, COUNT(*) AS n FROM {FLINK_HOP} GROUP BY window_start, window_end, auction)
                  GROUP BY window_start, window_end) m
            ON c.window_start = m.window_start AND c.window_end = m.window_end AND c.n >= m.n""",
    ),
    "nexmark-q7": (
        FLINK_BID,
        f"""SELECT b.auction, b.price, b.bidder, b.`dateTime`, b.extra
            FROM events b JOIN (SELECT MAX(price) AS price, window_end AS ends FROM {FLINK_TUMBLE} GROUP BY window_start, window_end) m
            ON b.price = m.price
            WHERE b.due BETWEEN CAST(m.ends AS TIMESTAMP_LTZ(3)) - INTERVAL '10' SECOND AND CAST(m.ends AS TIMESTAMP_LTZ(3))""",
    ),
    "nexmark-q8": (
        FLINK_EVENT,
        f"""SELECT p.id, p.name, p.window_start
            FROM (SELECT window_start, window_end, id, name FROM {FLINK_TUMBLE} WHERE event_type = 0 GROUP BY window_start, window_end, id, name) p
            JOIN (SELECT window_start, window_end, seller FROM {FLINK_TUMBLE} WHERE event_type = 1 GROUP BY window_start, window_end, seller) a
            ON p.id = a.seller AND p.window_start = a.window_start AND p.window_end = a.window_end""",
    ),
    "nexmark-q11": (
        FLINK_BID,
        """SELECT bidder, COUNT(*), window_start, window_end
           FROM TABLE(SESSION(TABLE events PARTITION BY bidder, DESCRIPTOR(due), INTERVAL '10' SECOND)) GROUP BY bidder, window_start, window_end""",
    ),
    "nexmark-q17": (
        FLINK_BID,
        """SELECT auction, COUNT(*), COUNT(*) FILTER (WHERE price < 10000), MIN(price), MAX(price), SUM(price) FROM events GROUP BY auction""",
    ),
}

# The sums of tally: fetching so many rows takes minutes.
FLINK_SUMS = {
    "nexmark-q0": "SUM(auction), SUM(bidder), SUM(price), SUM(`dateTime`), SUM(CAST(CHAR_LENGTH(extra) AS BIGINT))",
    "nexmark-q1": "SUM(auction), SUM(bidder), CAST(SUM(1000 * price) AS BIGINT), SUM(`dateTime`), SUM(CAST(CHAR_LENGTH(extra) AS BIGINT))",
    "nexmark-q2": "SUM(auction), SUM(price)",
}


def run_flink(workload, path):
    from pyflink.common import RowKind
    from pyflink.java_gateway import get_gateway
    from pyflink.table import EnvironmentSettings, TableDescriptor, TableEnvironment

    env = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    for key, v in {
        "parallelism.default": "2",
        "pipeline.object-reuse": "true",
        "table.local-time-zone": "UTC",
        "table.optimizer.agg-phase-strategy": "TWO_PHASE",
        "table.exec.mini-batch.enabled": "true",
        "table.exec.mini-batch.allow-latency": "2 s",
        "table.exec.mini-batch.size": "50000",
    }.items():
        env.get_config().set(key, v)
    pid = get_gateway().jvm.java.lang.ProcessHandle.current().pid()
    (columns, due, delay), query = FLINK[workload]
    env.execute_sql(
        f"""CREATE TABLE events ({columns}, due AS {due}, WATERMARK FOR due AS due - INTERVAL '{delay}' SECOND)
            WITH ('connector' = 'filesystem', 'path' = 'file://{path}', 'format' = 'json')"""
    )
    # The first run, when the JVM compiles what runs often, gives the rows; fetching them one by one costs more than many a query,
    # so the second one, which counts, drops them in the JVM.
    left = collections.Counter()
    checked = f"SELECT COUNT(*), {FLINK_SUMS[workload]} FROM ({query})" if workload in TALLIES else query
    with env.execute_sql(checked).collect() as changes:
        for row in changes:
            left[tuple(row)] += 1 if row.get_row_kind() in (RowKind.INSERT, RowKind.UPDATE_AFTER) else -1
    with Clock(pid) as clock:
        env.sql_query(query).execute_insert(TableDescriptor.for_connector("blackhole").build()).wait()
    return clock, list(left.elements())


PEERS = {
    "duckdb": (run_duckdb, "threads 2, whole file at once, insertion order not kept", set(DUCKDB)),
    "duckdb-parts": (
        run_duckdb_parts,
        "threads 2, 64 MiB at a time, partial results merged at the end",
        {name for name, (_, merge) in DUCKDB.items() if merge},
    ),
    "polars": (run_polars, "2 threads, lazy, streaming engine", set(DUCKDB) - {"nexmark-q5", "nexmark-q11"}),
    "spark": (
        run_spark,
        "Structured Streaming, local[2], 2 shuffle partitions, availableNow, 2 files of 64 MiB per trigger, complete mode, driver 4 GB; the second of two runs in a session",
        {"grep", "wordcount", "ysb", "filter75", "1brc"},
    ),
    "flink": (
        run_flink,
        "SQL, streaming mode, mini-cluster in process, parallelism 2, object reuse, two-phase aggregates, mini-batches of 2 s, heap state; the second of two runs in a session, into a blackhole",
        set(FLINK),
    ),
}


def python_of(peer):
    """Returns the Python that has a peer: Flink and Spark need different versions of py4j."""
    return os.environ.get("FLINK_PYTHON", sys.executable) if peer == "flink" else sys.executable


def version(peer):
    package = {"duckdb-parts": "duckdb", "spark": "pyspark", "flink": "apache-flink"}.get(peer, peer)
    code = f"from importlib.metadata import version; print(version('{package}'))"
    return subprocess.run([python_of(peer), "-c", code], capture_output=True, text=True).stdout.strip() or "(not installed)"


def one(peer, workload, path):
    run, _, _ = PEERS[peer]
    clock, rows = run(workload, path)
    if workload in TALLIES and peer != "flink":
        rows = tally(rows)
    n, d = digest([text(r, DOUBLES.get(workload, ())) for r in rows])
    sample = sorted(text(r, DOUBLES.get(workload, ())) for r in rows)[:2]
    print("RESULT " + json.dumps({"wall": clock.wall, "cpu": clock.cpu_seconds, "rows": n, "digest": d, "sample": sample}), flush=True)


def measure(peer, workload, path, count):
    runs = []
    for _ in range(count):
        env = dict(os.environ, POLARS_MAX_THREADS="2")
        done = subprocess.run([python_of(peer), __file__, "--one", peer, workload, path], capture_output=True, text=True, env=env)
        lines = [l for l in done.stdout.splitlines() if l.startswith("RESULT ")]
        if not lines:
            # Behind the traces of Java's exceptions stands nothing that says what was wrong.
            said = [l for l in done.stderr.strip().splitlines() if not l.startswith("\t")] or ["no output"]
            return None, said[-1][:200]
        runs.append(json.loads(lines[0][7:]))
        if sum(r["wall"] for r in runs) > 60:
            break
    middle = sorted(runs, key=lambda r: r["cpu"])[len(runs) // 2]
    return dict(middle, wall=statistics.median(r["wall"] for r in runs)), None


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "--one":
        return one(*sys.argv[2:])
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("report", help="the JSON of `tidemill bench --dir DIR --json REPORT`, with DIR still there")
    args.add_argument("--peers", default=",".join(PEERS))
    args.add_argument("--count", type=int, default=3)
    args = args.parse_args()
    with open(args.report) as f:
        report = json.load(f)
    peers = [p for p in args.peers.split(",") if p]
    unknown = [p for p in peers if p not in PEERS]
    if unknown:
        sys.exit(f"peers: unknown: {', '.join(unknown)}; known are {', '.join(PEERS)}")
    for peer in peers:
        print(f"{peer} {version(peer)}: {PEERS[peer][1]}")
    print(f"\nload {os.getloadavg()[0]:.1f}; ratios are Tidemill's rows per CPU second in those of the peer\n")
    print("| workload | program | Mrow/s | Mrow/cpu-s | CPU s | Tidemill ÷ it | answer |\n|:--|--:|--:|--:|--:|--:|--:|")
    wrong, ratios = 0, {}
    for result in report["results"]:
        workload, rows, path = result["workload"], result["rows"], result.get("path")
        path = path and os.path.abspath(path)
        here = [p for p in peers if workload in PEERS[p][2]]
        if not path or not here:
            continue
        engine = next((p["median"] for p in result["programs"] if p["name"] == "tidemill" and not p.get("fault")), None)
        if engine:
            cpu, wall = engine["cpu_ns"] / 1e9, engine["wall_ns"] / 1e9
            print(f"| {workload} | tidemill | {rows / wall / 1e6:.2f} | {rows / cpu / 1e6:.2f} | {cpu:.2f} | | ok |")
        for peer in here:
            print(f"{workload}: {peer}", file=sys.stderr, flush=True)
            got, fault = measure(peer, workload, path, args.count)
            if got is None:
                wrong += 1
                print(f"| {workload} | {peer} | | | | | failed: {fault} |", flush=True)
                continue
            is_right = (got["rows"], got["digest"]) == (result["answer"]["rows"], result["answer"]["digest"])
            wrong += not is_right
            answer = "ok" if is_right else f"WRONG: {got['rows']} rows such as {got['sample']}, want {result['answer']}"
            ratio = ""
            if engine and is_right:
                ratio = f"{got['cpu'] / cpu:.2f}"
                if workload.startswith("nexmark"):
                    ratios.setdefault(peer, []).append(got["cpu"] / cpu)
            print(
                f"| {workload} | {peer} | {rows / got['wall'] / 1e6:.2f} | {rows / got['cpu'] / 1e6:.2f} | {got['cpu']:.2f} | {ratio} | {answer} |",
                flush=True,
            )
    for peer, nexmark in ratios.items():
        print(f"\nNexmark, geometric mean of {len(nexmark)} queries: Tidemill ÷ {peer} {statistics.geometric_mean(nexmark):.2f}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
