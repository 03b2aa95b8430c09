#!/bin/bash
# `make soak`: every script of this folder in its full size, each to its end, then one verdict. SCRIPTS="kill static" picks some.
# About half an hour, most of it the blocked store; needs 4 GB of disk.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)

failed=()
for script in ${SCRIPTS:-kill static sigterm rebalance broker-kill blocked-store}; do
    began=$SECONDS
    echo "=== $script"
    "$here/$script.sh" || failed+=("$script")
    echo "=== $script: $((SECONDS - began)) s"
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "=== failed: ${failed[*]}"
    exit 1
fi
echo "=== all passed"
