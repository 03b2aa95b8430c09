#!/bin/bash
# Run cmocka test programs and close as one cmocka run would.
#
#   scripts/run-tests.sh PROGRAM|FOLDER... [--servers PROGRAM...]
#
# A folder has scenarios in it, which `weir test` runs (WEIR_BIN is the program): each counts as a test.
#
# The programs after --servers get real servers, started once: a Kafka broker in WEIR_TEST_BROKER (HOST:PORT) and PostgreSQL in
# WEIR_TEST_POSTGRES (libpq's keyword form). Set these variables to test against servers of your own. Each program gets a TMPDIR
# that is removed at the end.
#
# TEST_JOBS programs (3) run at a time, as they wait more than they work; those with servers, which they share, run in turn.
#
# A line per program; the whole output only of those that fail. A program fails when a test of it fails, when it exits
# non-zero, prints no closing line, or takes longer than TEST_TIMEOUT seconds (600). A skipped test is a failure too,
# unless tests/skips.txt names it (a line each: PROGRAM TEST REASON).
set -uo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
limit=${TEST_TIMEOUT:-600}
run=0 passed=0
failed=() skipped=()
declare -A programs=() begins=() # of those that run now, by pid
broker= postgres=

tmp=$(mktemp -d "${TMPDIR:-/tmp}/weir-test.XXXXXX")
# PostgreSQL has a user of its own where we are root, who must be able to enter.
chmod 711 "$tmp"

cleanup() {
    for child in "${!programs[@]}"; do
        kill -KILL -- "-$child" 2>/dev/null
    done
    [ -z "$broker" ] || "$root/tests/broker/stop.sh" "$broker"
    [ -z "$postgres" ] || "$root/tests/postgres/stop.sh" "$postgres"
    rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' HUP INT TERM

# So that a sanitizer's finding ends the program (and so counts), and what librdkafka does without TSan's knowledge does not.
export ASAN_OPTIONS="detect_leaks=1:detect_stack_use_after_return=1:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1:${UBSAN_OPTIONS:-}"
export LSAN_OPTIONS="suppressions=$root/tests/lsan.supp:print_suppressions=0:${LSAN_OPTIONS:-}"
export TSAN_OPTIONS="suppressions=$root/tests/tsan.supp:halt_on_error=1:second_deadlock_stack=1:${TSAN_OPTIONS:-}"
# gcc 12's TSan cannot place its shadow memory where the kernel randomises addresses with more bits than it knows.
launcher=()
if [ "${SAN:-}" = thread ] && setarch -R true 2>/dev/null; then
    launcher=(setarch -R)
fi

# number LOG PATTERN: the sum of the numbers that the pattern's group catches in the log.
number() {
    sed -nE "s/$2/\\1/p" "$1" | awk '{n += $1} END {print n + 0}'
}

# names LOG WORD: the tests that cmocka's closing lines list as FAILED or SKIPPED.
names() {
    awk -v start="^\\[ +$2 +\\] [0-9]+ test\\(s\\), listed below:" -v line="^\\[ +$2 +\\] " '
        $0 ~ start {on = 1; next}
        on && $0 ~ line {sub(line, ""); print; next}
        {on = 0}' "$1"
}

may_skip() {
    [ -e "$root/tests/skips.txt" ] && awk '!/^#/ {print $1, $2}' "$root/tests/skips.txt" | grep -qxF "$1 $2"
}

start_broker() {
    [ -z "${WEIR_TEST_BROKER:-}" ] || return 0
    broker=$tmp/broker
    if ! "$root/tests/broker/start.sh" "$broker"; then
        failed+=("tests/broker/start.sh (the broker did not start)")
        return 1
    fi
    WEIR_TEST_BROKER=$(cat "$broker/bootstrap")
    # For the tests that end and restart it.
    export WEIR_TEST_BROKER WEIR_TEST_BROKER_DIR=$broker
}

start_postgres() {
    [ -z "${WEIR_TEST_POSTGRES:-}" ] || return 0
    postgres=$tmp/postgres
    if ! "$root/tests/postgres/start.sh" "$postgres"; then
        failed+=("tests/postgres/start.sh (PostgreSQL did not start)")
        return 1
    fi
    WEIR_TEST_POSTGRES=$(cat "$postgres/conninfo")
    export WEIR_TEST_POSTGRES WEIR_TEST_POSTGRES_DIR=$postgres
}

# Where a program's output goes, and its TMPDIR lies.
place_of() {
    local name=${1##*tests/}
    printf '%s' "$tmp/${name//\//.}"
}

launch() {
    local place
    place=$(place_of "$1")
    mkdir -p "$place"
    # timeout leads a process group of its own: what a test that died left running ends with it.
    TMPDIR=$place timeout --kill-after=10 "$limit" "${launcher[@]}" "$1" >"$place.log" 2>&1 </dev/null &
    programs[$!]=$1
    begins[$!]=$(date +%s%N)
}

# Waits until one of those that run has ended, and reports it.
finish_one() {
    local child status
    wait -n -p child "${!programs[@]}" 2>/dev/null
    status=$?
    kill -KILL -- "-$child" 2>/dev/null
    report "${programs[$child]}" "$status" "${begins[$child]}"
    unset "programs[$child]" "begins[$child]"
}

# run_at_once JOBS PROGRAM...
run_at_once() {
    local jobs=$1 program
    shift
    for program; do
        while [ ${#programs[@]} -ge "$jobs" ]; do
            finish_one
        done
        launch "$program"
    done
    while [ ${#programs[@]} -gt 0 ]; do
        finish_one
    done
}

report() {
    local program=$1 status=$2 name log seconds bad count
    name=${program##*tests/}
    log=$(place_of "$program").log
    bad=${#failed[@]}
    seconds=$(awk -v ns=$(($(date +%s%N) - $3)) 'BEGIN {printf "%.1f", ns / 1e9}')

    count=$(number "$log" '^\[={10}\] ([0-9]+) test\(s\) run\..*')
    run=$((run + count))
    passed=$((passed + $(number "$log" '^\[  PASSED  \] ([0-9]+) test\(s\)\..*')))
    while IFS= read -r test; do
        failed+=("$name: $test")
    done < <(names "$log" FAILED)
    while IFS= read -r test; do
        skipped+=("$name: $test")
        may_skip "$name" "$test" || failed+=("$name: $test (skipped)")
    done < <(names "$log" SKIPPED)
    if [ ${#failed[@]} -eq "$bad" ]; then
        local why=
        if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
            why="did not end within $limit s"
        elif [ "$status" -ne 0 ]; then
            why="exited with status $status"
        elif [ "$count" -eq 0 ]; then
            why="ran no test"
        fi
        if [ -n "$why" ]; then
            failed+=("$name ($why)")
            run=$((run + 1))
        fi
    fi

    if [ ${#failed[@]} -eq "$bad" ]; then
        printf 'ok      %-48s %4d tests %7s s\n' "$name" "$count" "$seconds"
    else
        printf 'FAILED  %-48s %4d tests %7s s; its whole output:\n' "$name" "$count" "$seconds"
        sed 's/^/    | /' "$log"
        printf 'end of %s (exit status %d)\n' "$name" "$status"
    fi
}

# What a folder of scenarios comes to, out of the summary that closes `weir test`.
run_folder() {
    local name=${1#"$root/"} log=$tmp/log status count passes
    TMPDIR=$tmp timeout --kill-after=10 "$limit" "${launcher[@]}" "$WEIR_BIN" test "$1" >"$log" 2>&1 </dev/null
    status=$?
    count=$(number "$log" '^([0-9]+) scenarios? in .*')
    passes=$(number "$log" '^[0-9]+ scenarios? in [^:]*: ([0-9]+) passed,.*')
    run=$((run + count))
    passed=$((passed + passes))
    if [ $status -eq 0 ] && [ "$count" -gt 0 ]; then
        printf 'ok      %-48s %4d tests %7s s\n' "$name" "$count" "$(sed -nE 's/^[0-9]+ scenarios? in .*\(([0-9.]+) s\)$/\1/p' "$log")"
        return
    fi
    local bad=${#failed[@]}
    while IFS= read -r test; do
        failed+=("$name: $test")
    done < <(sed -nE 's/^(FAILED|WRONG) +//p' "$log")
    [ ${#failed[@]} -gt "$bad" ] || failed+=("$name (weir test exited with status $status)")
    printf 'FAILED  %-48s %4d tests; its whole output:\n' "$name" "$count"
    sed 's/^/    | /' "$log"
}

alone=() served=() folders=() serve=
for argument; do
    if [ "$argument" = --servers ]; then
        serve=1
    elif [ -d "$argument" ]; then
        folders+=("$argument")
    elif [ -n "$serve" ]; then
        served+=("$argument")
    else
        alone+=("$argument")
    fi
done
run_at_once "${TEST_JOBS:-3}" "${alone[@]}"
for folder in "${folders[@]}"; do
    run_folder "$folder"
done
if [ ${#served[@]} -gt 0 ] && start_postgres && start_broker; then
    run_at_once 1 "${served[@]}"
fi

if [ $run -eq 0 ] && [ ${#failed[@]} -eq 0 ]; then
    failed+=("no test was run")
fi
printf '[==========] %d test(s) run.\n' $run
printf '[  PASSED  ] %d test(s).\n' $passed
if [ ${#skipped[@]} -gt 0 ]; then
    printf '[  SKIPPED ] %d test(s), listed below:\n' ${#skipped[@]}
    printf '[  SKIPPED ] %s\n' "${skipped[@]}"
fi
if [ ${#failed[@]} -gt 0 ]; then
    printf '[  FAILED  ] %d test(s), listed below:\n' ${#failed[@]}
    printf '[  FAILED  ] %s\n' "${failed[@]}"
    printf '\n %d FAILED TEST(S)\n' ${#failed[@]}
    exit 1
fi
