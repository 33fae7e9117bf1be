// SchemaChange: the event trigger behind the stream option schema_changes: what DDL did to a table
// of a stream goes into the WAL, between the changes before and after it.
//
// Backend of whoever runs the DDL, as the owner of the extension for our tables only. What the
// columns were before is what bitvelocity.stream_table remembers of the last time.

#include <string>
#include <vector>

#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "stream/context.hpp"
#include "wal/parser.hpp"
#include "pg/postgres.hpp"

#include "stream/shared.hpp"

namespace bitvelocity::stream {

namespace {

// Tables that a command touched, as they are behind it; null columns: dropped.
constexpr const char* kChanged =
    "SELECT DISTINCT objid AS oid FROM pg_event_trigger_ddl_commands() WHERE classid = "
    "'pg_class'::regclass";
constexpr const char* kDropped =
    "SELECT DISTINCT objid AS oid FROM pg_event_trigger_dropped_objects() WHERE classid = "
    "'pg_class'::regclass AND objsubid = 0";

struct Event {
    std::int64_t relation = 0;
    std::string streams;
    std::string key;
    std::string value;
};

std::vector<Event> CollectEvents(bool dropped, const std::string& tag, const std::string& ddl) {
    pg::SpiScope spi;
    const pg::Rows rows = spi.Execute(
        std::string("WITH touched AS (") + (dropped ? kDropped : kChanged) +
            "), member AS (SELECT t.relation::oid AS oid, string_agg(s.stream_name || ',', '') AS "
            "streams, (array_agg(t.described))[1] AS before FROM bitvelocity.stream_table t JOIN "
            "bitvelocity.stream s USING (stream_id) JOIN touched ON touched.oid = t.relation::oid "
            "WHERE s.options -> 'schema_changes' = 'true' GROUP BY 1), event AS (SELECT oid, "
            "streams, before, bitvelocity.describe_table(oid) AS after FROM member) SELECT "
            "oid::bigint, streams, jsonb_build_object('schema', coalesce(after, before) -> "
            "'schema', 'table', coalesce(after, before) -> 'table')::text, "
            "json_build_object('tag', $1, 'ddl', NULLIF($2, ''), 'before', before, 'after', "
            "after)::text FROM event WHERE before IS DISTINCT FROM after",
        {pg::Param::Text(tag), pg::Param::Text(ddl)});
    std::vector<Event> events;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        events.push_back({rows.Int(i, 1), rows.Text(i, 2).value_or(""),
                          rows.Text(i, 3).value_or(""), rows.Text(i, 4).value_or("")});
    }
    for (const Event& event : events) {
        spi.Execute(
            "UPDATE bitvelocity.stream_table SET described = bitvelocity.describe_table($1::oid) "
            "WHERE relation = $1::oid::regclass",
            {pg::Param::OidValue(static_cast<Oid>(event.relation))});
    }
    return events;
}

void Emit(const Event& event) {
    std::string content = GetShared()->context_secret;
    content += '\0';
    content += event.streams;
    content += '\0';
    content += event.key;
    content += '\0';
    content += event.value;
    pg::Call([text = content.data(), length = static_cast<int>(content.size())]() {
        // Zero bytes are no part of any multi-byte character.
        StringInfoData utf8;
        initStringInfo(&utf8);
        for (int at = 0; at <= length;) {
            const auto piece = static_cast<int>(std::strlen(text + at));
            const char* converted = pg_server_to_any(text + at, piece, PG_UTF8);
            appendBinaryStringInfo(&utf8, converted, static_cast<int>(std::strlen(converted)));
            at += piece + 1;
            if (at <= length) {
                appendStringInfoChar(&utf8, '\0');
            }
        }
        pg::compat::EmitMessage(wal::kSchemaPrefix.data(), utf8.data,
                                static_cast<std::size_t>(utf8.len), true);
        pfree(utf8.data);
    });
}

}  // namespace

// (event, tag) of the event trigger that calls it; outside of one the look-up of what was touched
// fails.
BV_FUNCTION(bitvelocity_emit_schema_changes) {
    // Nobody decodes on a server that does not preload us or has no logical WAL.
    if (GetShared() == nullptr || !XLogLogicalInfoActive() || creating_extension) {
        PG_RETURN_VOID();
    }
    struct Arguments {
        const char* event;
        const char* tag;
    };
    const Arguments given = pg::Call([fcinfo]() -> Arguments {
        return {text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1))};
    });
    std::vector<Event> events;
    {
        pg::CatalogScope as_extension;
        events =
            CollectEvents(std::string_view(given.event) == "sql_drop", given.tag, StatementText());
    }
    for (const Event& event : events) {
        Emit(event);
    }
    PG_RETURN_VOID();
}

}  // namespace bitvelocity::stream
