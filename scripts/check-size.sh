#!/bin/sh
# List functions of more than 60 lines and files of more than 450: they want to be split. What has a reason to be longer is
# named, with the reason, in scripts/size-exceptions.txt (PATH or PATH:FUNCTION, then the reason). An exception that is no
# longer needed is an error too, so that the list does not outlive its reasons.
set -eu
cd "$(dirname "$0")/.."

find processor config stages connectors admin scenario cli tests -name '*.[ch]' -o -name '*.cpp' 2>/dev/null | LC_ALL=C sort | xargs -r awk '
function too_long(what, lines) {
    if (what in excepted) {
        used[what] = 1
        return
    }
    printf "%s:%d: the function %s has %d lines, at most 60 are meant\n", FILENAME, began, name, lines
    found++
}

function end_of_file() {
    if (file != "" && length_of_file > 450) {
        if (file in excepted)
            used[file] = 1
        else {
            printf "%s:1: the file has %d lines, at most 450 are meant\n", file, length_of_file
            found++
        }
    }
}

BEGIN {
    list = "scripts/size-exceptions.txt"
    while ((getline line < list) > 0) {
        split(line, word, " ")
        if (line !~ /^#/ && word[1] != "") {
            excepted[word[1]] = 1
            if (word[2] == "") {
                printf "%s: %s is named without a reason\n", list, word[1]
                found++
            }
        }
    }
}

FNR == 1 { end_of_file(); file = FILENAME; began = 0; name = "" }
{ length_of_file = FNR }

# A function starts at a line in column 1 with a name before a bracket, and its body at a { in column 1.
/^[A-Za-z_].*\(/ && !/;[ \t]*$/ && !began {
    name = $0
    sub(/\(.*/, "", name)
    sub(/.*[ *]/, "", name)
    starts = FNR
}
(/^\{/ || /^[A-Za-z_].*\).*\{[ \t]*$/) && name != "" && !began { began = starts }
/^\}/ && began {
    if (FNR - began + 1 > 60)
        too_long(FILENAME ":" name, FNR - began + 1)
    began = 0
    name = ""
}

END {
    end_of_file()
    for (what in excepted)
        if (!(what in used)) {
            printf "%s: %s is named, but is not too long (any more)\n", list, what
            found++
        }
    if (found) {
        printf "check-size: %d findings\n", found
        exit 1
    }
}' >&2
