#!/usr/bin/env bash
# quickstart.sh: the whole path, on real data, on a private server.
#
#   quickstart.sh start     packages, build, install, server, data, tour (KAFKA=1: with a real broker)
#   quickstart.sh stop      stops server and broker; the data stays until the next start
#
# The server has its own data folder (build/quickstart, or a folder below /var/tmp where its account
# cannot enter the checkout), its own socket and a free port, and no other cluster is touched. Run by
# root it belongs to the account postgres. BV_PRIVATE=1 installs the extension for this server alone,
# BV_STATE names another folder.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../../test/check/server.sh"
jobs=$(nproc 2>/dev/null || echo 2)
began=$(date +%s%N)

fail() {
    echo "quickstart: $*" >&2
    exit 1
}

step() {
    local now
    now=$((($(date +%s%N) - began) / 100000000))
    printf '\n== %3d.%d s  %s\n' $((now / 10)) $((now % 10)) "$*"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Shows the output only when the command fails.
quietly() {
    local log=$state/$1.log
    shift
    "$@" >"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        fail "failed: $* (see $log)"
    }
}

sql() {
    (cd "$here" && psql -X -v ON_ERROR_STOP=1 "$@")
}

start() {
    step "packages"
    "$BV_SOURCE_TREE/test/check/deps" build
    [ -z "${KAFKA:-}" ] || "$BV_SOURCE_TREE/test/check/deps" kafka
    state=${BV_STATE:-$(state_directory quickstart)}
    mkdir -p "$state"
    stop_all

    if [ -n "${BV_PRIVATE:-}" ]; then
        step "building and installing for this server alone"
        "$BV_SERVER" install "$state"
    else
        step "building (the first time takes a minute or two)"
        quietly build make -s -C "$BV_SOURCE_TREE" -j"$jobs" all
        step "installing"
        # The programs of a private installation made earlier would hide the one installed now.
        rm -rf "$state/pg"
        quietly install as_root make -s -C "$BV_SOURCE_TREE" install
    fi

    step "starting a private server"
    rm -rf "$state/data"
    kafka_port=$(free_port 19092)
    write_connections "$state/connections.conf" "$kafka_port"
    "$BV_SERVER" start "$state" "$(free_port 54321)" \
        "bitvelocity.connection_file=$state/connections.conf"
    eval "$("$BV_SERVER" env "$state")"
    echo "PostgreSQL $(sql -Atc 'SHOW server_version'), socket in $PGHOST, port $PGPORT"
    createdb retail
    export PGDATABASE=retail
    sql -q -c "SET client_min_messages = warning" -c "CREATE SCHEMA partman" \
        -c "CREATE EXTENSION pg_partman SCHEMA partman" -c "CREATE EXTENSION bitvelocity"

    if [ -n "${KAFKA:-}" ]; then
        step "starting a broker"
        "$BV_BROKER" start "$state/kafka" "$kafka_port"
    fi

    step "the shop: its tables (load.sql)"
    sql -q -f load.sql
    step "the tour (tour.sql): audit, partitions, bronze, quality, silver, gold"
    sql -q -f tour.sql
    step "some life (life.sql): status changes, corrections, deletions, late arrivals"
    sql -q -f life.sql
    step "what can be seen now (look.sql)"
    sql -q -f look.sql
    if [ -n "${KAFKA:-}" ]; then
        step "the same changes in a Kafka topic (kafka.sql)"
        sql -q -f kafka.sql
        show_topic
    fi

    step "done"
    local program
    program=$(command -v psql)
    case $program in "$state"/*) ;; *) program=psql ;; esac
    cat <<END

Look around:   $program -h $PGHOST -p $PGPORT -U postgres retail
Stop it:       make stop
END
}

# The newest messages of the topic, as a consumer sees them.
show_topic() {
    local topic=shop.public.orders
    echo "kcat -b 127.0.0.1:$kafka_port -t $topic"
    kcat -q -b "127.0.0.1:$kafka_port" -t "$topic" -C -o beginning -e -f '.' | wc -c |
        sed "s/^/messages in $topic: /"
    kcat -q -b "127.0.0.1:$kafka_port" -t "$topic" -C -o -2 -e \
        -f '\noffset %o, key %k\n%s\n' | sed 's/},"metadata"/},\n "metadata"/; s/,"before"/,\n "before"/'
}

stop_all() {
    stop_both "$state"
    rm -rf "$state/kafka"
}

case ${1:-} in
    start) start ;;
    stop)
        # Nothing was ever started where there is no state.
        if [ -n "${BV_STATE:-}" ]; then
            states=("$BV_STATE")
        else
            mapfile -t states < <(state_directories quickstart)
        fi
        for state in "${states[@]}"; do
            [ ! -d "$state" ] || stop_all
        done
        ;;
    *) fail "usage: quickstart.sh start|stop" ;;
esac
