#!/bin/sh
# Stop the server that start.sh started on DIR: tests/postgres/stop.sh DIR. Asks first, kills what is left after 15 s. The data stay.
set -eu

dir=${1:?usage: stop.sh DIR}
. "$(dirname "$0")/common.sh"
[ -d "$dir" ] || exit 0
dir=$(cd "$dir" && pwd -P)

if pid=$(postmaster "$dir"); then
    # SIGINT: a fast shutdown, which ends what clients have under way. A test may have left it stopped.
    kill -INT "$pid" 2>/dev/null || true
    kill -CONT $(processes "$dir") 2>/dev/null || true
fi
if ! none_left "$dir" 150; then
    kill -KILL $(processes "$dir") 2>/dev/null || true
    none_left "$dir" 50
fi
