# work.sh: where the parts of `make check` work, and the servers they share. Sourced by bash scripts.
#
# BV_WORK: build/check, or a directory below /var/tmp when the account of the servers cannot enter the
# checkout. The rest comes from server.sh.

. "$(dirname "${BASH_SOURCE[0]}")/server.sh"

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
