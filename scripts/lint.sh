#!/bin/bash
# All static checks, each to its end, then one verdict. `--fix` only lets clang-format repair the layout.
#   CPPFLAGS   what the compiler is told about includes (the Makefile sets it)
set -uo pipefail
cd "$(dirname "$0")/.."

mapfile -t c < <(find processor config stages connectors admin scenario cli tests -name '*.c' 2>/dev/null | LC_ALL=C sort)
mapfile -t all < <(find processor config stages connectors admin scenario cli tests -name '*.[ch]' -o -name '*.cpp' 2>/dev/null | LC_ALL=C sort)
if [ ${#c[@]} -eq 0 ]; then
    echo "lint: no sources" >&2
    exit 1
fi

if [ "${1:-}" = --fix ]; then
    clang-format -i "${all[@]}"
    exit
fi

bad=()
step() {
    local name=$1
    shift
    echo "lint: $name"
    "$@" || bad+=("$name")
}

tidy() {
    local sources
    mapfile -t sources < <(printf '%s\n' "${c[@]}" | grep -v '^tests/')
    # shellcheck disable=SC2086 -- CPPFLAGS is a list of words
    printf '%s\0' "${sources[@]}" | xargs -0 -n 4 -P "$(nproc)" sh -c '
        out=$(clang-tidy --quiet "$@" -- -std=gnu17 $CPPFLAGS 2>&1) || { printf "%s\n" "$out" | grep -v "warnings\? generated\|Suppressed\|Use -header-filter"; exit 1; }' tidy
}

check() {
    # cppcheck reads no system headers: it gets only what decides the meaning of our own.
    cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
        --suppress=missingIncludeSystem --suppress=unknownMacro \
        --template='{file}:{line}: {severity}: {message} [{id}]' \
        -j "$(nproc)" -D_GNU_SOURCE -D__GNUC__ -I. $(printf '%s\n' processor config stages connectors admin scenario cli | while read -r d; do [ -d "$d" ] && echo "$d"; done)
}

step check-deps scripts/check-deps.sh
step check-size scripts/check-size.sh
step clang-format clang-format --dry-run -Werror --ferror-limit=1 "${all[@]}"
step cppcheck check
step clang-tidy tidy

if [ ${#bad[@]} -gt 0 ]; then
    echo "lint: not clean: ${bad[*]}" >&2
    exit 1
fi
echo "lint: clean"
