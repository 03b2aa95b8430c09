# Sourced by the scripts of this folder: a broker, a topic of known orders, weir as a process, and how a run is judged.
#
# Every script takes its size from the environment (each says which), prints its seed, and exits 0 only when what it wants to show has happened and
# nothing was lost. With WEIR_TEST_BROKER=HOST:PORT that broker is used, else one is started. KEEP=1 leaves the folder with configs and logs behind.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${WEIR_BUILD:-$root/build}
weir=${WEIR_BIN:-$build/weir}
produce=$build/tests/bench/produce
verify=$build/tests/chaos/verify
read_topic=$build/tests/chaos/read_topic
broker_scripts=$root/tests/broker

name=$(basename "$0" .sh)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/weir-$name.XXXXXX")
partitions=6
topic=$name-$$
group=$name-$$
memory=${MEMORY:-64MiB}
broken=${BROKEN:-1000}
commit_ms=100
SEED=${SEED:-$(($(od -An -N4 -tu4 /dev/urandom) % 1000000))}
RANDOM=$SEED

# What runs: pid by name. Everything in it is ours.
declare -A pid port
own_broker=

note() {
    echo "$name: $*"
}

fail() {
    local log
    note "FAILED: $*" >&2
    for log in "$scratch"/*.log; do
        [ -s "$log" ] || continue
        echo "--- the end of $(basename "$log")" >&2
        tail -n "${LOG_LINES:-25}" "$log" >&2
    done
    exit 1
}

cleanup() {
    local member
    for member in "${!pid[@]}"; do
        kill -KILL "${pid[$member]}" 2>/dev/null
    done
    [ -z "$own_broker" ] || "$broker_scripts/stop.sh" "$own_broker"
    if [ -n "${KEEP:-}" ]; then
        note "left behind: $scratch"
    else
        rm -rf "$scratch"
    fi
}
trap cleanup EXIT
trap 'exit 130' HUP INT TERM

# ---- waiting ------------------------------------------------------------------------------------------------------------

# wait_until SECONDS WHAT COMMAND...: until the command succeeds.
wait_until() {
    local seconds=$1 what=$2 until
    shift 2
    until=$(($(date +%s%N) + seconds * 1000000000))
    while ! "$@"; do
        [ "$(date +%s%N)" -lt $until ] || fail "waited $seconds s in vain: $what"
        sleep 0.02
    done
}

at_least() { # at_least N COMMAND...: does it print N or more?
    local least=$1
    shift
    [ "$("$@")" -ge "$least" ]
}

has_ended() { # has_ended MEMBER
    ! grep -qs '^State:[[:space:]]*[^ZX]' "/proc/${pid[$1]}/status"
}

# wait_exit MEMBER SECONDS: its exit status is in $status then.
wait_exit() {
    wait_until "$2" "the end of $1" has_ended "$1"
    wait "${pid[$1]}"
    status=$?
    unset "pid[$1]"
}

# background NAME COMMAND...: something that runs beside, with its output in NAME.log.
background() {
    local what=$1
    shift
    "$@" >>"$scratch/$what.log" 2>&1 &
    pid[$what]=$!
}

# ---- broker and topic -----------------------------------------------------------------------------------------------------

start_own_broker() {
    own_broker=$scratch/broker
    "$broker_scripts/start.sh" "$own_broker" || fail "no broker"
    broker=$(cat "$own_broker/bootstrap")
}

if [ -n "${WEIR_TEST_BROKER:-}" ] && [ -z "${NEEDS_OWN_BROKER:-}" ]; then
    broker=$WEIR_TEST_BROKER
else
    start_own_broker
fi
note "seed $SEED"

# orders RECORDS [OPTION...]: into the topic, which is made; BROKEN in a million (1000) are broken JSON.
orders() {
    local records=$1
    shift
    "$produce" --brokers "$broker" --topic "$topic" --partitions $partitions --records "$records" --broken "$broken" "$@"
}

prepare() {
    "$produce" --customers "$scratch/customers.csv" || fail "no table"
    "$produce" --brokers "$broker" --topic "$topic.dlq" --partitions $partitions --records 0 >/dev/null || fail "no topic for dead letters"
    "$produce" --brokers "$broker" --topic "$topic" --partitions $partitions --records 0 >/dev/null || fail "no topic"
}

lag() { # what the group has not committed, over all partitions; -1 when that could not be told
    "$read_topic" offsets "$broker" "$topic" "$group" | awk -v partitions=$partitions '{n += $4} END {print NR == partitions ? n + 0 : -1}'
}

lag_is_zero() {
    [ "$(lag)" -eq 0 ]
}

# ---- weir -------------------------------------------------------------------------------------------------------------------

# store_yaml MEMBER: its store, a database of its own; stores.sh has others.
store_yaml() {
    cat <<END
      sqlite:
        path: $scratch/$1.db
        table: orders
        columns: {order_id: .order_id, customer_id: .customer_id, tier: .tier, total: .total, partition: "{{partition}}", offset: "{{offset}}"}
END
}

# config MEMBER [LINE...]: writes MEMBER.yaml, with the lines (indented as they must be) in `source: kafka:`.
config() {
    local member=$1 line
    shift
    port[$member]=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    cat >"$scratch/$member.yaml" <<END
service: chaos
memory: $memory
delivery: ${delivery:-at_least_once}
source:
  kafka:
    brokers: $broker
    group: $group
    topics: [$topic]
    start: earliest
$(for line; do echo "    $line"; done)
    properties: {auto.commit.interval.ms: $commit_ms, session.timeout.ms: ${session_ms:-45000}, max.poll.interval.ms: ${poll_ms:-300000}}
stages:
  - decode: {format: json}
    queue: {records: 8192}
  - enrich:
      - lookup: {table: customers.csv, match: customer_id, fields: [tier]}
      - set: {partition: "{{partition}}", offset: "{{offset}}"}
    queue: {records: 8192}
  - store:
$(store_yaml "$member")
errors:
  retry: {max: 5, backoff: 50ms..1s}
  dead_letter: {topic: $topic.dlq}
shutdown: ${shutdown:-30s}
admin: {listen: "127.0.0.1:${port[$member]}"}
END
}

# start MEMBER [OPTION...]
start() {
    local member=$1
    shift
    background "$member" "$weir" run "$scratch/$member.yaml" --receipt "$scratch/$member.receipt" "$@"
}

# stop MEMBER: a clean end.
stop() {
    kill -TERM "${pid[$1]}"
    wait_exit "$1" 60
    [ $status -eq 0 ] || fail "$1 exited with $status after SIGTERM"
}

# kill_hard MEMBER: as a crash.
kill_hard() {
    kill -KILL "${pid[$1]}" || fail "$1 had ended by itself"
    wait "${pid[$1]}" 2>/dev/null
    unset "pid[$1]"
}

rows() { # rows MEMBER: how many its store has
    sqlite3 -readonly "$scratch/$1.db" 'SELECT coalesce(max(rowid), 0) FROM orders' 2>/dev/null || echo 0
}

# metric MEMBER NAME [LABEL]: the sum of its values (of those with the label in them); 0 when the process does not answer.
metric() {
    curl -sf --max-time 2 "http://127.0.0.1:${port[$1]}/metrics" | awk -v name="$2" -v label="${3:-}" '
        (index($0, name "{") == 1 || index($0, name " ") == 1) && index($0, label) {n += $NF}
        END {printf "%d\n", n}'
}

http_status() { # http_status MEMBER PATH: 000 when nobody answers
    curl -s --max-time 5 -o "$scratch/answer" -w '%{http_code}' "http://127.0.0.1:${port[$1]}$2"
}

is_ready() {
    [ "$(http_status "$1" /readyz)" = 200 ]
}

is_not_ready() {
    [ "$(http_status "$1" /readyz)" = 503 ]
}

receipt() { # receipt MEMBER FIELD
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$scratch/$1.receipt" "$2"
}

# lock_store MEMBER: blocks its store by another connection's write lock, until unlock_store. Under full load there may be no gap to take it in.
lock_store() {
    background lock python3 -c '
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(100000)' "$scratch/$1.db"
    wait_until 60 "the lock on the store of $1" grep -qs locked "$scratch/lock.log"
}

unlock_store() {
    kill -TERM "${pid[lock]}"
    wait_exit lock 10
    rm "$scratch/lock.log"
}

# replayable MEMBER: records that its store has beyond what the group has committed: a crash now makes so many duplicates.
replayable() {
    {
        "$read_topic" offsets "$broker" "$topic" "$group" | awk '{print "committed", $1, $3 < 0 ? 0 : $3}'
        sqlite3 -readonly -separator ' ' "$scratch/$1.db" 'SELECT "stored", partition, max(offset) + 1 FROM orders GROUP BY partition'
    } | awk '
        $1 == "committed" {committed[$2] = $3}
        $1 == "stored" && $3 > committed[$2] {n += $3 - committed[$2]}
        END {print n + 0}'
}

# judge RECORDS DUPLICATES DEAD_DUPLICATES MEMBER...: the oracle has the last word. A member stands for its database; anything with a slash in it is a file.
judge() {
    local records=$1 duplicates=$2 dead_duplicates=$3 member stores=()
    shift 3
    for member; do
        case $member in
        */*) stores+=("$member") ;;
        *) stores+=("$scratch/$member.db") ;;
        esac
    done
    "$verify" --brokers "$broker" --topic "$topic" --group "$group" --dead-letters "$topic.dlq" --records "$records" --broken "$broken" \
        --partitions $partitions --duplicates "$duplicates" --dead-duplicates "$dead_duplicates" "${stores[@]}" || fail "the oracle says no"
    note "passed"
}
