#include "stream/snapshot_request.hpp"

#include <string_view>

#include "pg/boundary.hpp"
#include "pg/spi.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::stream {

namespace {

std::vector<std::string> ReadArray(pg::SpiScope& spi, std::int64_t id, const char* column) {
    std::vector<std::string> values;
    const pg::Rows rows = spi.Execute("SELECT unnest(" + std::string(column) +
                                          ") FROM bitvelocity.stream_snapshot WHERE snapshot_id = "
                                          "$1",
                                      {pg::Param::Bigint(id)});
    for (std::size_t i = 0; i < rows.size(); ++i) {
        values.push_back(rows.Text(i, 1).value_or(""));
    }
    return values;
}

std::string Unhex(const std::string& hex) {
    std::string bytes(hex.size() / 2, '\0');
    pg::Call([from = hex.data(), length = hex.size(), to = bytes.data()]() {
        hex_decode(from, length, to);
    });
    return bytes;
}

std::vector<std::string> ReadMoved(pg::SpiScope& spi, std::int64_t id) {
    std::vector<std::string> keys;
    const pg::Rows rows = spi.Execute(
        "SELECT encode(key, 'hex') FROM bitvelocity.stream_moved_row WHERE snapshot_id = $1 ORDER "
        "BY n",
        {pg::Param::Bigint(id)});
    for (std::size_t i = 0; i < rows.size(); ++i) {
        keys.push_back(Unhex(rows.Text(i, 1).value_or("")));
    }
    return keys;
}

std::string ArrayText(const std::vector<std::string>& values) {
    std::string array = "ARRAY[";
    for (const std::string& value : values) {
        array += (array.back() == '[' ? "" : ", ") + pg::QuoteLiteral(value);
    }
    return array + "]::text[]";
}

}  // namespace

std::vector<SnapshotRequest> LoadSnapshotRequests(std::int32_t stream_id) {
    pg::SpiScope spi;
    spi.Execute(
        "INSERT INTO bitvelocity.stream_snapshot (stream_id, relation, first_load) SELECT "
        "t.stream_id, t.relation, true FROM bitvelocity.stream_table t WHERE t.stream_id = $1 AND "
        "t.existing_rows = 'pending' AND NOT EXISTS (SELECT FROM bitvelocity.stream_snapshot s "
        "WHERE s.stream_id = t.stream_id AND s.relation = t.relation AND s.first_load AND "
        "s.finished_at IS NULL) ORDER BY t.relation",
        {pg::Param::Int(stream_id)});
    // Estimated anew at every start: the table may have grown. Its size is asked for under a lock,
    // and the stream is not to wait for whoever has a stronger one, or wants it.
    spi.Execute(
        "UPDATE bitvelocity.stream_snapshot s SET rows_estimated = greatest(rows_read, (SELECT "
        "coalesce(sum(CASE WHEN c.reltuples > 0 AND c.relpages > 0 THEN c.reltuples::float8 / "
        "c.relpages ELSE 60 END * (pg_relation_size(c.oid) / "
        "current_setting('block_size')::int)), 0) FROM pg_class c WHERE c.relkind = 'r' AND (c.oid "
        "= s.relation OR c.oid IN (SELECT relid FROM pg_partition_tree(s.relation)))))::bigint "
        "WHERE stream_id = $1 AND finished_at IS NULL AND NOT EXISTS (WITH RECURSIVE tree (oid) AS "
        "(SELECT s.relation::oid UNION ALL SELECT i.inhrelid FROM pg_inherits i JOIN tree ON "
        "i.inhparent = tree.oid) SELECT FROM tree JOIN pg_locks l ON l.relation = tree.oid AND "
        "l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.database = (SELECT oid "
        "FROM pg_database WHERE datname = current_database()))",
        {pg::Param::Int(stream_id)});
    std::vector<SnapshotRequest> requests;
    const pg::Rows rows = spi.Execute(
        "SELECT snapshot_id, relation, coalesce(filter, ''), rows_read, rows_sent, "
        "coalesce(rows_estimated, 0) FROM bitvelocity.stream_snapshot WHERE stream_id = $1 AND "
        "finished_at IS NULL ORDER BY first_load DESC, snapshot_id",
        {pg::Param::Int(stream_id)});
    for (std::size_t i = 0; i < rows.size(); ++i) {
        SnapshotRequest request;
        request.id = rows.Int(i, 1);
        request.relation = rows.OidValue(i, 2);
        request.filter = rows.Text(i, 3).value_or("");
        request.rows_read = static_cast<std::uint64_t>(rows.Int(i, 4));
        request.rows_sent = static_cast<std::uint64_t>(rows.Int(i, 5));
        request.estimate = static_cast<std::uint64_t>(rows.Int(i, 6));
        requests.push_back(std::move(request));
    }
    for (SnapshotRequest& request : requests) {
        request.place.columns = ReadArray(spi, request.id, "place_columns");
        request.place.values = ReadArray(spi, request.id, "place_values");
        request.moved = ReadMoved(spi, request.id);
    }
    return requests;
}

void NoteMovedRow(std::int64_t id, const std::string& key) {
    pg::SpiScope spi;
    spi.Execute("INSERT INTO bitvelocity.stream_moved_row (snapshot_id, key) VALUES ($1, $2)",
                {pg::Param::Bigint(id), pg::Param::Bytes(key)});
}

void SaveSnapshotRequest(std::int32_t stream_id, const SnapshotRequest& request, std::size_t moved,
                         bool finished) {
    pg::SpiScope spi;
    spi.Execute("UPDATE bitvelocity.stream_snapshot SET place_columns = " +
                    ArrayText(request.place.columns) +
                    ", place_values = " + ArrayText(request.place.values) +
                    ", rows_read = $2, rows_sent = $3, started_at = "
                    "coalesce(started_at, now()), "
                    "finished_at = CASE WHEN $4 THEN clock_timestamp() END WHERE snapshot_id = $1",
                {pg::Param::Bigint(request.id),
                 pg::Param::Bigint(static_cast<std::int64_t>(request.rows_read)),
                 pg::Param::Bigint(static_cast<std::int64_t>(request.rows_sent)),
                 pg::Param::Bool(finished)});
    if (moved > 0) {
        spi.Execute(
            "DELETE FROM bitvelocity.stream_moved_row WHERE snapshot_id = $1 AND n <= (SELECT n "
            "FROM "
            "bitvelocity.stream_moved_row WHERE snapshot_id = $1 ORDER BY n OFFSET $2 - 1 LIMIT 1)",
            {pg::Param::Bigint(request.id), pg::Param::Bigint(static_cast<std::int64_t>(moved))});
    }
    if (finished) {
        spi.Execute(
            "UPDATE bitvelocity.stream_table t SET existing_rows = 'copied' FROM "
            "bitvelocity.stream_snapshot s WHERE s.snapshot_id = $2 AND s.first_load AND "
            "t.stream_id = $1 AND t.relation = s.relation AND t.existing_rows = 'pending'",
            {pg::Param::Int(stream_id), pg::Param::Bigint(request.id)});
    }
}

void FailSnapshotRequest(std::int64_t id, const std::string& error) {
    pg::SpiScope spi;
    spi.Execute(
        "UPDATE bitvelocity.stream_snapshot SET error = $2, finished_at = clock_timestamp() WHERE "
        "snapshot_id = $1",
        {pg::Param::Bigint(id), pg::Param::Text(error)});
}

}  // namespace bitvelocity::stream
