#!/bin/sh
# Install the Debian packages of the named groups (see scripts/packages.txt) that are missing.
# Near free when nothing is missing: one dpkg-query, no network.
#
#   scripts/deps.sh build test      install what is missing
#   scripts/deps.sh --check build   only say what is missing; exit 1 when anything is
set -eu

here=$(cd "$(dirname "$0")" && pwd)
check=no
if [ "${1:-}" = --check ]; then
    check=yes
    shift
fi
if [ $# -eq 0 ]; then
    echo "usage: deps.sh [--check] GROUP...   (groups: $(awk '!/^#/ && NF == 2 {print $1}' "$here/packages.txt" | sort -u | tr '\n' ' '))" >&2
    exit 64
fi

wanted=
for group; do
    packages=$(awk -v g="$group" '!/^#/ && $1 == g {print $2}' "$here/packages.txt")
    if [ -z "$packages" ]; then
        echo "deps: no group '$group' in scripts/packages.txt" >&2
        exit 64
    fi
    wanted="$wanted $packages"
done

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "deps: this is no Debian system (no dpkg-query). Install the equivalents of:$(printf ' %s' $wanted)" >&2
    [ $check = yes ] && exit 1
    echo "deps: going on, in the hope that they are there" >&2
    exit 0
fi

installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null | awk '$1 == "installed" {print $2}') || true
missing=$(printf '%s\n' $wanted | sort -u | grep -vxF "$installed") || true
[ -n "$missing" ] || exit 0
missing=$(echo $missing)

if [ $check = yes ]; then
    echo "missing packages: $missing" >&2
    echo "'make deps' installs them (as root or with sudo)" >&2
    exit 1
fi

sudo=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "deps: these packages are missing, and installing them takes root or sudo:" >&2
        echo "    apt-get install $missing" >&2
        exit 1
    fi
    sudo=sudo
fi

echo "deps: installing $missing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
    if ! $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" </dev/null >"$log" 2>&1; then
        cat "$log" >&2
        echo "deps: 'apt-get $*' failed; its output is above" >&2
        exit 1
    fi
}
apt update
# PostgreSQL's package would start a server of its own; the tests start theirs. The setting is for this installation alone.
clusters=/etc/postgresql-common/createcluster.conf
ours='create_main_cluster = false # while weir installs its packages'
case " $missing " in
*" postgresql "*)
    apt install --no-install-recommends postgresql-common
    echo "$ours" | $sudo tee -a "$clusters" >/dev/null
    trap 'rm -f "$log"; $sudo sed -i "/^$ours\$/d" "$clusters"' EXIT
    ;;
esac
apt install --no-install-recommends $missing
