#include "stream/definition.hpp"

#include "pg/boundary.hpp"
#include "pg/spi.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::stream {

bool LoadDefinition(std::int64_t stream_id, Definition* definition) {
    pg::SpiScope spi;
    const pg::Rows rows = spi.Execute(
        "SELECT stream_name, owner, sink, format, options::text, slot_name, epoch, phase, paused, "
        "version, own_publications FROM bitvelocity.stream WHERE stream_id = $1",
        {pg::Param::Int(static_cast<std::int32_t>(stream_id))});
    if (rows.empty()) {
        return false;
    }
    definition->stream_id = static_cast<std::int32_t>(stream_id);
    definition->name = rows.Text(0, 1).value_or("");
    definition->owner = rows.OidValue(0, 2);
    definition->sink = rows.Text(0, 3).value_or("");
    definition->format = rows.Text(0, 4).value_or("");
    definition->options_json = rows.Text(0, 5).value_or("{}");
    definition->slot_name = rows.Text(0, 6).value_or("");
    definition->epoch = static_cast<std::int32_t>(rows.Int(0, 7));
    definition->phase = rows.Text(0, 8).value_or("");
    definition->paused = rows.Bool(0, 9);
    definition->version = rows.Int(0, 10);
    definition->own_publications = rows.Bool(0, 11);

    definition->publications.clear();
    const pg::Rows names =
        spi.Execute("SELECT unnest(publications) FROM bitvelocity.stream WHERE stream_id = $1",
                    {pg::Param::Int(definition->stream_id)});
    for (std::size_t i = 0; i < names.size(); ++i) {
        definition->publications.push_back(names.Text(i, 1).value_or(""));
    }

    definition->tables.clear();
    const pg::Rows tables = spi.Execute(
        "SELECT relation, coalesce(bronze::oid, 0::oid), coalesce(shaped_as, ''), "
        "column_numbers::text FROM bitvelocity.stream_table "
        "WHERE stream_id = $1 ORDER BY relation",
        {pg::Param::Int(definition->stream_id)});
    for (std::size_t i = 0; i < tables.size(); ++i) {
        StreamTable table;
        table.relation = tables.OidValue(i, 1);
        table.bronze = tables.OidValue(i, 2);
        table.shaped_as = tables.Text(i, 3).value_or("");
        table.column_numbers = tables.Text(i, 4).value_or("{}");
        definition->tables.push_back(std::move(table));
    }
    return true;
}

std::string OriginName(std::int64_t stream_id) {
    return "bitvelocity_" + std::to_string(MyDatabaseId) + "_" + std::to_string(stream_id);
}

}  // namespace bitvelocity::stream
