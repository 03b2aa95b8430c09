#!/bin/sh
# Stop the broker that start.sh started on DIR: tests/broker/stop.sh DIR. Asks first, kills it after 15 s. The data stay.
set -eu

dir=${1:?usage: stop.sh DIR}
. "$(dirname "$0")/common.sh"

if broker_runs "$dir"; then
    pid=$(cat "$dir/broker.pid")
    kill -TERM "$pid" 2>/dev/null || true
    n=0
    while broker_runs "$dir" && [ $n -lt 150 ]; do
        sleep 0.1
        n=$((n + 1))
    done
    ! broker_runs "$dir" || kill -KILL "$pid" 2>/dev/null || true
fi
rm -f "$dir/broker.pid"
