#!/bin/bash
# `make gate`: instructions per record of what gate.c runs, under callgrind, against gate.baseline; more than 10 % above it is a failure.
#   tests/bench/gate.sh --update   write the baseline anew, after a change that is worth what it costs
#
# Counts must be the same on every machine: simdjson and glibc would choose code by the CPU, so both are told. Another compiler may give others.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=${WEIR_BUILD:-$here/../../build}
baseline=$here/gate.baseline
limit=10
machine=$(uname -m)

scratch=$(mktemp -d "${TMPDIR:-/tmp}/weir-gate.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

[ "$machine" != x86_64 ] || export SIMDJSON_FORCE_IMPLEMENTATION=westmere \
    GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM
valgrind --quiet --tool=callgrind --collect-atstart=no --callgrind-out-file="$scratch/dump" \
    "$build/tests/bench/gate" >"$scratch/out" || {
    cat "$scratch/out" >&2
    echo "gate: the run failed" >&2
    exit 1
}

# Each part is a dump: its name behind the trigger, its instructions behind "totals:".
records=$(sed -n 's/^records //p' "$scratch/out")
counts=$(awk -v records="$records" -v machine="$machine" '
    /^desc: Trigger: Client Request: / {name = $NF}
    /^totals: / && name != "" {printf "%s %s %.1f\n", machine, name, $2 / records; name = ""}' "$scratch"/dump.*)
if [ "$(wc -l <<<"$counts")" -ne 2 ]; then
    echo "gate: expected two dumps, found: $counts" >&2
    exit 1
fi

if [ "${1:-}" = --update ]; then
    {
        echo "# Instructions per record, by machine: tests/bench/gate.sh --update writes it. Debian 12's gcc, -O2."
        grep -v -e '^#' -e "^$machine " "$baseline" 2>/dev/null || true
        echo "$counts"
    } >"$scratch/baseline"
    cp "$scratch/baseline" "$baseline"
    cat "$baseline"
    exit 0
fi

failed=0
while read -r _ name count; do
    expected=$(awk -v machine="$machine" -v name="$name" '$1 == machine && $2 == name {print $3}' "$baseline" 2>/dev/null || true)
    if [ -z "$expected" ]; then
        echo "gate: $baseline has nothing about $name on $machine; tests/bench/gate.sh --update adds it" >&2
        failed=1
        continue
    fi
    verdict=$(awk -v a="$count" -v b="$expected" -v limit=$limit 'BEGIN {
        change = 100 * (a - b) / b
        verdict = "ok"
        if (change > limit)
            verdict = "FAILED: more than " limit " % above the baseline"
        if (change < -limit)
            verdict = "better: worth an --update"
        printf "%+.1f %%, %s", change, verdict}')
    printf 'gate: %-10s %10.1f instructions a record, baseline %10.1f: %s\n' "$name" "$count" "$expected" "$verdict"
    case $verdict in *FAILED*) failed=1 ;; esac
done <<<"$counts"
exit $failed
