# script.sh: what a script in test/t or test/broker begins with:
#
#   . "$(dirname "$0")/../check/script.sh"
#   server a [name=value ...]              a private server in $BV_TMP/a, environment set to it
#   use a                                  the environment of another one
#   check "name" COMMAND... ; pass ; failed ; skip ; finish     see tap.sh
#   is "name" GOT WANTED
#   eventually "name" COMMAND...           until it succeeds, at most BV_HANG (60) seconds
#
# Run by hand it builds, works in a folder of its own below /tmp and cleans up; `make check-t` and
# `make check-broker` give it BV_TMP and BV_PREFIX.

set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/tap.sh"
export BV_SOURCE=${BV_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
export BV_SERVER=${BV_SERVER:-$BV_SOURCE/test/check/dev-server}
script_own_tmp=
if [ -z "${BV_TMP:-}" ]; then
    BV_TMP=$(mktemp -d /tmp/bv-test.XXXXXX)
    script_own_tmp=yes
    chmod 755 "$BV_TMP"
fi
export BV_TMP
if [ -z "${BV_PREFIX:-}" ]; then
    "$BV_SERVER" install "$BV_TMP/prefix" || exit 1
    export BV_PREFIX=$BV_TMP/prefix/pg
fi

script_end() {
    local status=$? data
    for data in "$BV_TMP"/*/data; do
        [ ! -s "$data/postmaster.pid" ] || "$BV_SERVER" stop "$(dirname "$data")" immediate
    done
    [ -z "$script_own_tmp" ] || rm -rf "$BV_TMP"
    exit "$status"
}
trap script_end EXIT
trap 'exit 130' INT TERM

server() {
    local name=$1
    shift
    "$BV_SERVER" start "$BV_TMP/$name" 5432 fsync=off \
        ${BV_ROW_WRITER:+"bitvelocity.row_writer=$BV_ROW_WRITER"} "$@" || {
        failed "server $name starts" "$(tail -n 20 "$BV_TMP/$name/server.log")"
        finish
        exit 1
    }
    use "$name"
}

use() {
    eval "$("$BV_SERVER" env "$BV_TMP/$1")"
}

sql() {
    psql -XAtq -v ON_ERROR_STOP=1 "$@"
}

is() {
    if [ "$2" = "$3" ]; then
        pass "$1"
    else
        failed "$1" "got:    $2
wanted: $3"
    fi
}

eventually() {
    local name=$1 deadline=$((SECONDS + ${BV_HANG:-60})) output
    shift
    until output=$("$@" 2>&1 </dev/null); do
        if [ "$SECONDS" -ge "$deadline" ]; then
            failed "$name" "$output"
            return 1
        fi
        sleep 0.1
    done
    pass "$name"
}
