# Sourced behind lib.sh: one store that all members share, of the kind $STORE (sqlite, postgres, file, kafka).
#
#   make_store       what must be there before weir starts
#   store_yaml       its config
#   stored           how many records it has, about: cheap, for waiting
#   dump_store       order, customer, tier, total, partition and offset of each, in the order of storing, into $scratch/store.tsv
#   restart_server   kills the server behind it and starts it again; not for files
STORE=${STORE:-sqlite}
postgres=

start_postgres() {
    postgres=$scratch/postgres
    # PostgreSQL's own user has to come through.
    chmod a+x "$scratch"
    "$root/tests/postgres/start.sh" "$postgres" || fail "no PostgreSQL"
}

stop_stores() {
    [ -z "$postgres" ] || "$root/tests/postgres/stop.sh" "$postgres"
    cleanup
}
trap stop_stores EXIT

sql() {
    psql -X -q -At -v ON_ERROR_STOP=1 "$(cat "$postgres/conninfo")" -c "$1"
}

make_store() {
    case $STORE in
    postgres)
        [ -n "$postgres" ] || start_postgres
        sql 'DROP TABLE IF EXISTS orders, weir_offsets' 2>"$scratch/psql.log" &&
            sql 'CREATE TABLE orders (row bigserial, order_id text, customer_id text, tier text, total numeric, partition int, "offset" bigint)' ||
            fail "could not make the table"
        ;;
    kafka)
        "$produce" --brokers "$broker" --topic "$topic.out" --partitions 1 --records 0 >/dev/null || fail "no topic for what is stored"
        ;;
    file) rm -rf "$scratch/out" ;;
    sqlite) rm -f "$scratch"/shared.db* ;;
    *) fail "no store is called $STORE" ;;
    esac
}

store_yaml() {
    local columns='{order_id: .order_id, customer_id: .customer_id, tier: .tier, total: .total, partition: .partition, offset: .offset}'
    case $STORE in
    postgres)
        echo "      postgres:"
        echo "        dsn: $(cat "$postgres/conninfo")"
        echo "        table: orders"
        echo "        columns: $columns"
        ;;
    kafka) echo "      kafka: {topic: $topic.out}" ;;
    file) echo "      file: {path: \"$scratch/out/orders-%p-%o.ndjson\", compression: none, rotate: {every: 5s}}" ;;
    sqlite)
        echo "      sqlite:"
        echo "        path: $scratch/shared.db"
        echo "        table: orders"
        echo "        columns: $columns"
        ;;
    esac
}

stored() {
    case $STORE in
    postgres) sql 'SELECT last_value FROM orders_row_seq' 2>/dev/null || echo 0 ;;
    kafka) "$read_topic" ends "$broker" "$topic.out" | awk '{n += $3} END {print n + 0}' ;;
    file) cat "$scratch"/out/*.ndjson* 2>/dev/null | wc -l ;;
    sqlite) sqlite3 -readonly "$scratch/shared.db" 'SELECT coalesce(max(rowid), 0) FROM orders' 2>/dev/null || echo 0 ;;
    esac
}

# The columns of orders as JSON, each behind what else is in its line.
tsv_of_json() {
    python3 -c '
import json, sys
for line in sys.stdin:
    at = line.find("{")
    if at < 0:
        continue
    order = json.loads(line[at:])
    print(*(order.get(name) for name in ("order_id", "customer_id", "tier", "total", "partition", "offset")), sep="\t")'
}

dump_store() {
    case $STORE in
    postgres) sql 'COPY (SELECT order_id, customer_id, tier, total, partition, "offset" FROM orders ORDER BY row) TO STDOUT' ;;
    kafka) "$read_topic" dump "$broker" "$topic.out" | tsv_of_json ;;
    # Within a partition by the offset in the name.
    file) find "$scratch/out" -name '*.ndjson' | sort -t- -k2,2n -k3,3n | xargs cat | tsv_of_json ;;
    sqlite)
        sqlite3 -readonly -separator "$(printf '\t')" "$scratch/shared.db" \
            'SELECT order_id, customer_id, tier, total, partition, offset FROM orders ORDER BY rowid'
        ;;
    esac >"$scratch/store.tsv" || fail "could not read the store"
}

restart_server() {
    case $STORE in
    postgres)
        kill -KILL "$(head -n 1 "$postgres/postmaster.pid")"
        "$root/tests/postgres/start.sh" "$postgres" || fail "PostgreSQL did not come back"
        ;;
    kafka)
        "$broker_scripts/stop.sh" "$own_broker"
        "$broker_scripts/start.sh" "$own_broker" || fail "the broker did not come back"
        ;;
    *) fail "$STORE has no server" ;;
    esac
}
