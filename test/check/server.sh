# server.sh: what everything shares that runs a private server, perhaps with a broker beside it: where it
# lives, its ports, its connection file, stopping both. Sourced by bash scripts.
#
# BV_SOURCE_TREE: the checkout. BV_SERVER: the dev-server script. BV_BROKER: the kafka-broker script.

BV_SOURCE_TREE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export BV_SERVER=$BV_SOURCE_TREE/test/check/dev-server
BV_BROKER=$BV_SOURCE_TREE/test/broker/kafka-broker

# state_directories NAME: where state_directory may have put it.
state_directories() {
    echo "$BV_SOURCE_TREE/build/$1"
    echo "/var/tmp/bitvelocity-$(printf '%s' "$BV_SOURCE_TREE" | cksum | cut -d ' ' -f 1)/$1"
}

# state_directory NAME: a directory for servers that their account can enter; made.
state_directory() {
    local wanted
    while IFS= read -r wanted; do
        mkdir -p "$wanted"
        if "$BV_SERVER" as-owner test -x "$wanted" 2>/dev/null; then
            break
        fi
    done < <(state_directories "$1")
    echo "$wanted"
}

# free_port FIRST: the first port from there on that nobody listens on.
free_port() {
    local port=$1
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        port=$((port + 1))
    done
    echo "$port"
}

# write_connections FILE PORT: a connection file for a broker at that port, readable for the server alone.
write_connections() {
    {
        echo "# Brokers and secrets of the streams: bitvelocity.connection_file"
        echo "[default]"
        echo "bootstrap.servers = 127.0.0.1:$2"
    } >"$1"
    chmod 600 "$1"
    [ "$(id -u)" != 0 ] || chown "${BV_ACCOUNT:-postgres}" "$1"
}

# stop_both DIR: the server in DIR and the broker in DIR/kafka; nothing happens where none runs.
stop_both() {
    "$BV_BROKER" stop "$1/kafka"
    "$BV_SERVER" stop "$1" fast || "$BV_SERVER" stop "$1" immediate
}
