# work.sh: where the parts of `make check` work, and the servers they share. Sourced by bash scripts.
#
# BV_WORK: build/check, or a directory below /var/tmp when the account of the servers cannot enter the
# checkout. BV_SERVER: the dev-server script.

BV_SOURCE_TREE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export BV_SERVER=$BV_SOURCE_TREE/test/check/dev-server

# state_directory NAME: a directory for servers that their account can enter.
state_directory() {
    local wanted=$BV_SOURCE_TREE/build/$1
    mkdir -p "$wanted"
    if ! "$BV_SERVER" as-owner test -x "$wanted" 2>/dev/null; then
        wanted=/var/tmp/bitvelocity-$(printf '%s' "$BV_SOURCE_TREE" | cksum | cut -d ' ' -f 1)/$1
        mkdir -p "$wanted"
    fi
    echo "$wanted"
}

export BV_WORK=${BV_WORK:-$(state_directory check)}

# The shared servers start from nothing in every run: `full` has the library preloaded and logical WAL,
# `plain` has neither.
work_begin() {
    local name
    for name in full plain; do
        "$BV_SERVER" stop "$BV_WORK/$name" immediate
        rm -rf "$BV_WORK/$name/data"
    done
}

work_stop_servers() {
    local name
    for name in full plain; do
        "$BV_SERVER" stop "$BV_WORK/$name" fast || "$BV_SERVER" stop "$BV_WORK/$name" immediate
    done
}

# use_server full|plain: starts it unless it runs, and sets PATH, PGHOST, PGPORT, PGUSER.
use_server() {
    local dir=$BV_WORK/$1 settings=()
    if [ "$1" = plain ]; then
        settings=(shared_preload_libraries= wal_level=replica)
    fi
    if [ ! -s "$dir/data/postmaster.pid" ]; then
        "$BV_SERVER" up "$dir" 5432 "${settings[@]}" fsync=off || return 1
    fi
    eval "$("$BV_SERVER" env "$dir")"
}
