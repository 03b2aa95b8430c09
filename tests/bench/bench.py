"""Measure weir's pipelines against the floor: bench.py SCRATCH, started by run.sh.

Each run is a whole process in a group of its own, over the same preloaded topic: from its start to its end, table and
join included. The rounds are interleaved, so that what else the machine does hits all alike. CPU is user + system time
of the process by wait4(2). The minimum is the figure to compare; the median tells how much noise there was.
"""

import json
import os
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import time

SCRATCH = sys.argv[1]
HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("WEIR_BUILD", os.path.join(HERE, "../../build"))
WEIR = os.environ.get("WEIR_BIN", os.path.join(BUILD, "weir"))
TOOLS = os.path.join(BUILD, "tests/bench")
BROKER = os.environ["WEIR_BROKER"]
# `make bench` hands on the Makefile's RECORDS only when it was set on purpose.
RECORDS = int(os.environ.get("RECORDS", "5000000"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
COMPRESSION = os.environ.get("COMPRESSION", "lz4")
PARTITIONS = 6
RSS_GOAL = 96 * 1024 * 1024
# CPU us per record; floor: none.
GOALS = {"file": 1.5, "sqlite": 1.8, "kafka": 2.5}
# What is run: STORE[@MEMORY][+once|+replay|+tap]. Exactly once is compared with at least once in the same memory.
STORES = {"file": "NDJSON, zstd level 1", "sqlite": "SQLite, append", "kafka": "Kafka topic, lz4", "kafka@256MiB": "Kafka topic, lz4, 256 MiB",
          "postgres": "PostgreSQL, append", "upsert": "PostgreSQL, upsert"}
NAMES = {"floor": "floor: a consumer that counts", "postgres-ceiling": "ceiling: a bare COPY", "upsert-ceiling": "ceiling: a bare upsert", **STORES,
         **{f"{store}+once": f"{name}, once" for store, name in STORES.items() if store != "kafka"},
         **{f"{store}+replay": f"{name}, replay" for store, name in STORES.items() if store in ("file", "sqlite")},
         "file+tap": f"{STORES['file']}, tapped"}
# Records/s of weir to those of the bare client on the same server; of exactly once to at least once; of replay to run. Of CPU: untapped to tapped, as the
# tap itself needs one that the service could have had.
CEILING_GOAL, ONCE_GOAL, REPLAY_GOAL, TAP_GOAL = 0.85, 0.9, 0.9, 0.9
# Of the bare client: what weir hands over between two flushes by default.
FLUSH = 16384
# Those with a goal in memory show that they need no more, the others have what weir takes by itself.
MEMORY = {"file": "24MiB", "sqlite": "24MiB", "kafka": "24MiB"}
POSTGRES = os.environ.get("BENCH_POSTGRES")
# Names of topics and groups that no other run on the same broker has.
RUN = f"bench-{os.getpid()}-{int(time.time())}"


def produce(*arguments, **kwargs):
    subprocess.run([f"{TOOLS}/produce", "--brokers", BROKER, "--partitions", str(PARTITIONS), *arguments], check=True, **kwargs)


def measure(command, beside=None, **kwargs):
    """Run to the end; seconds, CPU seconds and peak RSS of the process. beside: called when it is started."""
    began = time.monotonic()
    process = subprocess.Popen(command, **kwargs)
    if beside:
        beside()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    if process.returncode != 0:
        sys.exit(f"bench: {' '.join(command)} exited with {process.returncode}")
    return {"seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime, "user_seconds": usage.ru_utime,
            "peak_rss_bytes": usage.ru_maxrss * 1024}


def run_floor(number):
    out = os.path.join(SCRATCH, "floor.out")
    with open(out, "w", encoding="ascii") as file:
        result = measure([f"{TOOLS}/floor", BROKER, f"{RUN}-floor-{number}", RUN], stdout=file)
    with open(out, encoding="ascii") as file:
        if int(file.read()) != RECORDS:
            sys.exit("bench: the floor counted another number of records than were produced")
    return result


def sql(text):
    done = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", POSTGRES, "-c", text], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"bench: {text}: {done.stderr}")
    return done.stdout


def make_table():
    # With a key, as a table of orders has one: without it the server alone is quicker than anything that has to consume and decode on the same CPUs.
    sql("DROP TABLE IF EXISTS orders")
    sql("DROP TABLE IF EXISTS weir_offsets")
    # What the run before left to do must not be done in this one's time.
    sql("CHECKPOINT")
    sql("CREATE TABLE orders (order_id text PRIMARY KEY, tier text, total double precision, source text)")


def run_ceiling(kind):
    make_table()
    result = measure([f"{TOOLS}/postgres_ceiling", POSTGRES, "orders", "upsert" if kind == "upsert" else "append", str(RECORDS), str(FLUSH)])
    if stored_in(kind, None) != RECORDS:
        sys.exit("bench: the ceiling stored another number of records than it was to")
    return result


def stored_in(kind, out):
    """How many records are really there."""
    if kind == "file":
        lines = subprocess.run(f"zstd -dcq {out}/*.zst | wc -l", shell=True, check=True, capture_output=True, text=True)
        return int(lines.stdout)
    if kind == "sqlite":
        with sqlite3.connect(f"{out}/orders.db") as database:
            return database.execute("SELECT count(*) FROM orders").fetchone()[0]
    if kind in ("postgres", "upsert"):
        return int(sql("SELECT count(*) FROM orders"))
    count = subprocess.run([f"{BUILD}/tests/chaos/read_topic", "count", BROKER, out], check=True, capture_output=True, text=True)
    return int(count.stdout)


class Tap:
    """A config whose service can be tapped, and a tap of all that passes, from the moment it listens to its end."""

    def __init__(self, config):
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.address = f"127.0.0.1:{server.getsockname()[1]}"
        self.config = os.path.join(SCRATCH, "tapped.yaml")
        with open(config, encoding="utf-8") as file, open(self.config, "w", encoding="utf-8") as out:
            out.write(file.read().replace("admin: false", f"admin: {{listen: {self.address}}}"))
        self.process = None

    def begin(self):
        host, port = self.address.split(":")
        for _ in range(500):
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
                break
            except OSError:
                time.sleep(0.01)
        self.process = subprocess.Popen([WEIR, "tap", "--admin", f"http://{self.address}", "--stage", "enrich", "--json"],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def end(self):
        """A run without its tap shows nothing."""
        lines = self.process.communicate()[0].splitlines()
        if len(lines) < 100:
            sys.exit(f"bench: the tap showed {len(lines)} records: {lines[-1:]}")


def run_weir(name, number):
    store, _, how = name.partition("+")
    once = how == "once"
    kind, _, memory = store.partition("@")
    out = os.path.join(SCRATCH, "out")
    os.makedirs(out)
    if kind in ("postgres", "upsert"):
        make_table()
    if kind == "kafka":
        out = f"{RUN}-out-{memory}{how}-{number}"
        produce("--topic", out, "--records", "0", stdout=subprocess.DEVNULL)
    receipt = os.path.join(SCRATCH, "receipt.json")
    environment = dict(os.environ, BENCH_BROKER=BROKER, BENCH_GROUP=f"{RUN}-{kind}-{memory}{how}-{number}", BENCH_TOPIC=RUN,
                       BENCH_DIR=SCRATCH, BENCH_OUT=out, BENCH_MEMORY=memory or os.environ.get("MEMORY", MEMORY.get(kind, "256MiB")),
                       BENCH_DELIVERY="exactly_once" if once else "at_least_once")
    command = ["replay", "--name", "bench", "--execute"] if how == "replay" else ["run", "--exit-at-end"]
    config = f"{HERE}/{kind}.yaml"
    tap = Tap(config) if how == "tap" else None
    result = measure([WEIR, *command, tap.config if tap else config, "--quiet", "--receipt", receipt], beside=tap and tap.begin, env=environment)
    if tap:
        tap.end()
    with open(receipt, encoding="utf-8") as file:
        said = json.load(file)
    if said["consumed"] != RECORDS or said["stored"] != RECORDS:
        sys.exit(f"bench: {kind}: not all {RECORDS} records were stored: {said}")
    if number == 0 and stored_in(kind, out) != RECORDS:
        sys.exit(f"bench: {kind}: the receipt says {RECORDS}, the store has {stored_in(kind, out)}")
    shutil.rmtree(os.path.join(SCRATCH, "out"))
    return result


def run(kind, number):
    if kind == "floor":
        return run_floor(number)
    if kind.endswith("-ceiling"):
        return run_ceiling(kind.removesuffix("-ceiling"))
    return run_weir(kind, number)


def ratio(results, kind, other):
    """How much of the other's records/s it came to (tapped: a CPU's); None: one of them did not run."""
    if kind not in results or other not in results:
        return None
    if kind.endswith("+tap"):
        return results[other]["cpu_us_min"] / results[kind]["cpu_us_min"]
    return results[kind]["records_per_second"] / results[other]["records_per_second"]


def print_ratios(results):
    for store, name in STORES.items():
        for kind, other, goal, of in ((store, f"{store}-ceiling", CEILING_GOAL, "the bare client's records/s"), (f"{store}+once", store, ONCE_GOAL, "at least once's records/s"),
                                      (f"{store}+replay", store, REPLAY_GOAL, "run's records/s"), (f"{store}+tap", store, TAP_GOAL, "untapped records for the same CPU")):
            share = ratio(results, kind, other)
            if share is not None:
                print(f"{NAMES[kind]:32}{share:>10.2f} of {of}: {'met' if share >= goal else 'MISSED'} ({goal})")


def summarise(kind, runs, floor):
    cpu = [1e6 * run["cpu_seconds"] / RECORDS for run in runs]
    best = min(runs, key=lambda run: run["cpu_seconds"])
    return {
        "name": NAMES[kind],
        "cpu_us_min": round(min(cpu), 3),
        "cpu_us_median": round(statistics.median(cpu), 3),
        "user_us": round(1e6 * best["user_seconds"] / RECORDS, 3),
        "records_per_second": round(RECORDS / min(run["seconds"] for run in runs)),
        "cpu_busy": round(best["cpu_seconds"] / best["seconds"], 2),
        "peak_rss_bytes": max(run["peak_rss_bytes"] for run in runs),
        "ratio_to_floor": round(min(cpu) / floor, 2) if floor else None,
        "goal_cpu_us": GOALS.get(kind),
        "runs": runs,
    }


def verdict(result):
    if result["goal_cpu_us"] is None:
        return ""
    met = result["cpu_us_min"] <= result["goal_cpu_us"] and result["peak_rss_bytes"] <= RSS_GOAL
    return f"{'met' if met else 'MISSED'} ({result['goal_cpu_us']} us, 96 MiB)"


def print_table(results):
    print(f"\n{RECORDS} records of 177 bytes, {PARTITIONS} partitions, {COMPRESSION}; {ROUNDS} rounds\n")
    print(f"{'':32}{'CPU us/record':>20}{'records/s':>12}{'CPUs':>6}{'peak RSS':>11}{'x floor':>9}  goal")
    print(f"{'':32}{'min':>10}{'median':>10}")
    for result in results.values():
        ratio = result["ratio_to_floor"]
        print(f"{result['name']:32}{result['cpu_us_min']:>10.2f}{result['cpu_us_median']:>10.2f}"
              f"{result['records_per_second']:>12,}{result['cpu_busy']:>6.2f}"
              f"{result['peak_rss_bytes'] / 2**20:>7.0f} MiB{'' if ratio is None else format(ratio, '.2f'):>9}  {verdict(result)}")


def main():
    kinds = [kind for kind in os.environ.get("PIPELINES", ",".join(NAMES)).split(",") if kind in NAMES]
    produce("--topic", RUN, "--records", str(RECORDS), "--compression", COMPRESSION, "--customers", f"{SCRATCH}/customers.csv")
    # Once around for nobody: the broker's page cache and JIT are warm then for all alike.
    run_floor("warm")
    runs = {kind: [] for kind in kinds}
    for number in range(ROUNDS):
        for kind in kinds:
            runs[kind].append(run(kind, number))
            last = runs[kind][-1]
            print(f"round {number + 1}: {NAMES[kind]:32}{1e6 * last['cpu_seconds'] / RECORDS:6.2f} us, {last['seconds']:.1f} s", flush=True)
    floor = min(1e6 * run["cpu_seconds"] / RECORDS for run in runs["floor"]) if "floor" in runs else None
    results = {kind: summarise(kind, runs[kind], floor) for kind in kinds}
    print_table(results)
    print_ratios(results)
    path = os.path.join(BUILD, "bench.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"records": RECORDS, "partitions": PARTITIONS, "compression": COMPRESSION, "rounds": ROUNDS,
                   "cpus": os.cpu_count(), "results": results}, file, indent=2)
        file.write("\n")
    print(f"\nwritten to {os.path.relpath(path)}")


main()
