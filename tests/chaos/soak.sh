#!/bin/bash
# `make soak`: every script of this folder in its full size, each to its end, then one verdict. SCRIPTS="kill static" picks some.
# The scripts of exactly-once delivery run for each store. About an hour; needs 4 GB of disk.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)

failed=()
run() {
    local began=$SECONDS
    echo "=== $*${STORE:+ ($STORE)}"
    "$here/$1.sh" || failed+=("$1${STORE:+ ($STORE)}")
    echo "=== $1: $((SECONDS - began)) s"
}

for script in ${SCRIPTS:-kill static sigterm rebalance broker-kill blocked-store exactly-once zombie replay dlq archive}; do
    case $script in
    exactly-once) stores="postgres kafka file sqlite" ;;
    zombie) stores="postgres kafka file" ;;
    *)
        run "$script"
        continue
        ;;
    esac
    for store in $stores; do
        STORE=$store run "$script"
    done
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "=== failed: ${failed[*]}"
    exit 1
fi
echo "=== all passed"
