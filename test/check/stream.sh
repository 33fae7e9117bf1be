# stream.sh: what the scripts about streams share; sourced after script.sh.
#
#   synced [STREAM [DATABASE]]      everything that is committed now is durable in the sink
#   state_is STATE [STREAM]         stream_status says so
#   pids decoder|deliverer          of the stream's processes
#   refused STATEMENT SQLSTATE TEXT  fails with this
#   same_state TABLE [KEY] [COLUMN] the last event of every key is the row of the table, but for that column

synced() {
    [ "$(sql -d "${2:-postgres}" -c "SELECT bitvelocity.wait_for_stream('${1:-bronze}', timeout => '${BV_HANG:-60} s')")" = t ]
}

state_is() {
    [ "$(sql -c "SELECT state FROM bitvelocity.stream_status WHERE stream = '${2:-bronze}'")" = "$1" ]
}

pids() {
    sql -c "SELECT pid FROM pg_stat_activity WHERE backend_type = 'bitvelocity $1'"
}

refused() {
    local output
    output=$(psql -XAtq -v VERBOSITY=verbose -c "$1" 2>&1) && {
        echo "accepted"
        return 1
    }
    grep -q "ERROR:  $2:" <<<"$output" && grep -q "$3" <<<"$output" || {
        echo "$output"
        return 1
    }
}

# Prints the keys that differ; a TRUNCATE empties the table.
differences() {
    local table=$1 key=${2:-id} but=${3:-}
    sql -c "
        WITH e AS (SELECT * FROM bronze_$table WHERE sequence > (
                       SELECT coalesce(max(sequence), 0) FROM bronze_$table WHERE operation_type = 'TRUNCATE')),
        touched AS (
            SELECT sequence, raw_payload->>'$key' AS key, raw_payload AS row FROM e WHERE raw_payload IS NOT NULL
            UNION ALL
            SELECT sequence, before_payload->>'$key', NULL FROM e
            WHERE before_payload->>'$key' IS DISTINCT FROM raw_payload->>'$key' AND before_payload IS NOT NULL),
        last AS (SELECT DISTINCT ON (key) key, row FROM touched ORDER BY key, sequence DESC)
        SELECT coalesce(l.key, t.$key::text), l.row, to_jsonb(t)
        FROM (SELECT * FROM last WHERE row IS NOT NULL) l FULL JOIN $table t ON l.key = t.$key::text
        WHERE l.row - '$but' IS DISTINCT FROM to_jsonb(t) - '$but' LIMIT 20"
}

same_state() {
    local output
    output=$(differences "$@") && [ -z "$output" ] || {
        echo "$output"
        return 1
    }
}
