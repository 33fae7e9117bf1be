#!/usr/bin/env bash
# The boundary between C++ exceptions and ereport: what is raised on one side arrives whole on the
# other, destructors run, and the backend goes on.
. "$(dirname "$0")/../check/script.sh"

module=$BV_TMP/boundary.so
${CXX:-g++} -std=c++20 -O1 -g -Wall -Wextra -Werror -fPIC -shared -fvisibility=hidden \
    -I"$BV_SOURCE/src" -I"$(${PG_CONFIG:-pg_config} --includedir-server)" -D_GNU_SOURCE \
    -o "$module" "$BV_SOURCE"/test/t/boundary/module.cpp \
    "$BV_SOURCE"/src/pg/{boundary,scopes,spi}.cpp "$BV_SOURCE"/src/core/lsn.cpp -lstdc++ || exit 1
chmod 755 "$module"
server a

verbose() {
    "$BV_SERVER" psql "$BV_TMP/a" -qAtX -v VERBOSITY=verbose "$@" 2>&1 | grep -v '^LOCATION'
}
# name, wanted, got
expect() { is "$1" "$3" "$2"; }
functions=
for entry in "error_below_frames() void" "destroyed() int" "throw(int) void" \
    "throw_in_callback() void" "survive() text"; do
    name=${entry%%(*}
    arguments=${entry#*(}
    functions+="CREATE FUNCTION boundary_$name(${arguments%%)*}) RETURNS ${entry##* } LANGUAGE c"
    functions+=" AS '$module', 'boundary_$name';"
done
verbose -c "$functions"

below='ERROR:  23P01: raised below three frames
DETAIL:  The detail is kept.
HINT:  The hint is kept.
3
still here'
expect "an ERROR keeps SQLSTATE, DETAIL and HINT, and three destructors ran" "$below" \
    "$(verbose -c "SELECT boundary_error_below_frames()" -c "SELECT boundary_destroyed()" \
        -c "SELECT 'still here'")"
expect "an error of ours keeps all its parts" 'ERROR:  22023: thrown as a status
DETAIL:  A detail of ours.
HINT:  A hint of ours.
1' "$(verbose -c "SELECT boundary_throw(1)" -c "SELECT boundary_destroyed()")"
expect "a standard exception becomes an internal error" \
    'ERROR:  XX000: thrown as a standard exception
1' "$(verbose -c "SELECT boundary_throw(2)" -c "SELECT boundary_destroyed()")"
expect "an unknown exception becomes an internal error" 'ERROR:  XX000: unknown C++ exception
1' "$(verbose -c "SELECT boundary_throw(3)" -c "SELECT boundary_destroyed()")"
expect "no memory is SQLSTATE 53200" 'ERROR:  53200: out of memory
1' "$(verbose -c "SELECT boundary_throw(4)" -c "SELECT boundary_destroyed()")"
expect "an exception in a callback crosses the C frames as an ERROR" \
    'ERROR:  P0001: thrown inside a callback
DETAIL:  Detail of the callback.
HINT:  Hint of the callback.
2
still here' "$(verbose -c "SELECT boundary_throw_in_callback()" -c "SELECT boundary_destroyed()" \
        -c "SELECT 'still here'")"
expect "an ERROR survived in a subtransaction leaves SPI working" '22012 and 6 * 7 is 42' \
    "$(verbose -c "SELECT boundary_survive()")"
expect "a thousand of them in one session leave it working" '0
42' "$(verbose -c "DO \$\$ BEGIN FOR i IN 1..1000 LOOP BEGIN PERFORM boundary_throw(1 + i % 4);
    EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END \$\$" \
        -c "SELECT boundary_destroyed() - 1000" -c "SELECT 6 * 7")"

finish
