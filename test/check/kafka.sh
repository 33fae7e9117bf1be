# kafka.sh: what a script with a real broker begins with; sourced after script.sh.
#
#   needs PROGRAM...         else the script is skipped
#   own FILE...              gives files to the server's account
#   free_port FIRST          $port is the first one from FIRST on that is free, with the two after it
#   connections LINES        the file $connection, which only the server's account reads
#   $broker                  kafka-broker; one that runs in $BV_TMP/kafka is ended with the script

broker=${BASH_SOURCE[0]%/*}/../broker/kafka-broker
export BV_KAFKA_WAIT=${BV_KAFKA_WAIT:-180}

needs() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || {
            echo "$program is not installed"
            exit 77
        }
    done
}

end_with_broker() {
    local status=$?
    "$broker" stop "$BV_TMP/kafka" KILL
    ! declare -F end_more >/dev/null || end_more
    (exit "$status")
    script_end
}
trap end_with_broker EXIT

port_is_free() {
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

own() {
    [ "$(id -u)" != 0 ] || chown "${BV_ACCOUNT:-postgres}" "$@"
}

connections() {
    mkdir -p "$BV_TMP/secrets"
    connection=$BV_TMP/secrets/connections
    (umask 077 && printf '%s\n' "$1" >"$connection")
    own "$connection" "$BV_TMP/secrets"
}

free_port() {
    port=$1
    until port_is_free "$port" && port_is_free $((port + 1)) && port_is_free $((port + 2)); do
        port=$((port + 4))
    done
}
