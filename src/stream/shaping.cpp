#include "stream/shaping.hpp"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "core/nearest.hpp"
#include "pipeline/stream_options.hpp"
#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "stream/published_tables.hpp"
#include "stream/transport_loader.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::stream {

namespace {

struct Member {
    core::Oid relation = 0;
    std::string name;  // schema.table
};

std::vector<Member> MembersOf(std::int32_t stream_id) {
    pg::CatalogScope as_extension;
    pg::SpiScope spi;
    const pg::Rows rows = spi.Execute(
        "SELECT s.relation, n.nspname || '.' || c.relname FROM bitvelocity.stream_table s JOIN "
        "pg_class c ON c.oid = s.relation JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
        "s.stream_id = $1",
        {pg::Param::Int(stream_id)});
    std::vector<Member> members;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        members.push_back({rows.OidValue(i, 1), rows.Text(i, 2).value_or("")});
    }
    return members;
}

// The table as its next change will describe it.
core::RelationSchema Describe(const Member& member) {
    core::RelationSchema relation;
    relation.oid = member.relation;
    relation.name = member.name;
    pg::SpiScope spi;
    const pg::Rows rows = spi.Execute(
        "SELECT a.attname, a.attnum, t.oid, t.typcategory::text, "
        "c.relreplident = 'f' OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND "
        "a.attnum = ANY (i.indkey) AND (c.relreplident = 'd' AND i.indisprimary OR c.relreplident "
        "= 'i' AND i.indisreplident)), EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND "
        "a.attnum = ANY (i.indkey) AND i.indisprimary), c.relreplident = 'f' "
        "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = "
        "a.atttypid WHERE c.oid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = "
        "'' ORDER BY a.attnum",
        {pg::Param::OidValue(member.relation)});
    for (std::size_t i = 0; i < rows.size(); ++i) {
        auto type = std::make_shared<core::TypeDescription>();
        type->oid = rows.OidValue(i, 3);
        type->category = rows.Text(i, 4).value_or("U").front();
        core::Column column;
        column.name = rows.Text(i, 1).value_or("");
        column.number = static_cast<std::int16_t>(rows.Int(i, 2));
        column.type = std::move(type);
        column.key = rows.Bool(i, 5);
        column.primary_key = rows.Bool(i, 6);
        if (rows.Bool(i, 7)) {
            relation.replica_identity = core::ReplicaIdentity::kFull;
        }
        relation.columns.push_back(std::move(column));
    }
    return relation;
}

void Check(const Definition& definition, const pipeline::TableShape& shape,
           const core::RelationSchema& relation) {
    const pipeline::ShapePlan plan =
        pg::ValueOrThrow(pipeline::CompileShape(shape, relation, true));
    if (!plan.key_in_old_row && PublishesOldRows(definition.publications, relation.oid)) {
        pg::Throw(
            core::kInvalidParameter,
            "key column \"" + plan.missing_key + "\" of table \"" + shape.table +
                "\" is not part of the replica identity",
            "An update or delete would not say which key it had before.",
            "ALTER TABLE ... REPLICA IDENTITY FULL, or name key_columns that are part of it.");
    }
    if (!shape.filter.empty() && !definition.own_publications) {
        pg::Throw(core::kInvalidParameter,
                  "option \"filter\" does not apply to a publication of yours", {},
                  "Use ALTER PUBLICATION ... SET TABLE ... WHERE (...).");
    }
}

// The outbox's table and columns, as ApplyShaping checks those of `tables`.
void CheckOutbox(const Definition& definition, const std::vector<Member>& members,
                 const std::set<std::string>& names) {
    if (definition.sink == "bronze" || definition.sink == "memory") {
        return;
    }
    const auto options =
        pg::ValueOrThrow(pipeline::ParseBrokerOptions(definition.format, definition.options_json));
    if (!options.outbox || options.outbox->table.empty()) {
        return;
    }
    const auto member = std::find_if(
        members.begin(), members.end(),
        [&options](const Member& candidate) { return candidate.name == options.outbox->table; });
    if (member == members.end()) {
        pg::Throw(
            core::kInvalidParameter,
            "table \"" + options.outbox->table + "\" is not in stream \"" + definition.name + "\"",
            "The option \"outbox\" names it.",
            core::NearestHint(options.outbox->table, names, "tables"));
    }
    std::set<std::string> columns;
    for (const core::Column& column : Describe(*member).columns) {
        columns.insert(column.name);
    }
    for (const std::string& name : options.outbox->RequiredColumns()) {
        if (columns.count(name) == 0) {
            pg::Throw(
                core::kInvalidParameter,
                "the outbox table \"" + options.outbox->table + "\" has no column \"" + name + "\"",
                {}, core::NearestHint(name, columns, "columns"));
        }
    }
}

void Remember(const Definition& definition, core::Oid table, const pipeline::TableShape* shape,
              const core::RelationSchema& relation) {
    nlohmann::json numbers = nlohmann::json::object();
    if (shape != nullptr) {
        for (const std::string& name : shape->ColumnNames()) {
            for (const core::Column& column : relation.columns) {
                if (column.name == name) {
                    numbers[name] = column.number;
                }
            }
        }
    }
    pg::CatalogScope as_extension;
    pg::SpiScope spi;
    spi.Execute(
        "UPDATE bitvelocity.stream_table SET shaped_as = NULLIF($3, ''), column_numbers = "
        "$4::jsonb WHERE stream_id = $1 AND relation = $2",
        {pg::Param::Int(definition.stream_id), pg::Param::OidValue(table),
         pg::Param::Text(shape != nullptr ? shape->table : ""), pg::Param::Text(numbers.dump())});
}

// Schema-change events begin with what the tables are now.
void Describe(std::int32_t stream_id) {
    pg::CatalogScope as_extension;
    pg::SpiScope spi;
    spi.Execute(
        "UPDATE bitvelocity.stream_table t SET described = CASE WHEN s.options -> "
        "'schema_changes' = 'true' THEN bitvelocity.describe_table(t.relation) END FROM "
        "bitvelocity.stream s WHERE s.stream_id = t.stream_id AND s.stream_id = $1",
        {pg::Param::Int(stream_id)});
}

}  // namespace

void UpdateEventTriggers() {
    pg::CatalogScope as_extension;
    pg::SpiScope spi;
    const pg::Rows rows = spi.Execute(
        "SELECT evtname, asked FROM pg_event_trigger, (SELECT count(*) > 0 AS asked FROM "
        "bitvelocity.stream WHERE options -> 'schema_changes' = 'true') s WHERE evtname IN "
        "('bitvelocity_schema_changed', 'bitvelocity_schema_dropped') AND (evtenabled = 'D') = "
        "asked");
    for (std::size_t i = 0; i < rows.size(); ++i) {
        spi.Execute("ALTER EVENT TRIGGER " + pg::QuoteIdentifier(rows.Text(i, 1).value_or("")) +
                    (rows.Bool(i, 2) ? " ENABLE" : " DISABLE"));
    }
}

void ApplyShaping(std::int32_t stream_id) {
    Definition definition;
    {
        pg::CatalogScope as_extension;
        LoadDefinition(stream_id, &definition);
    }
    const std::vector<pipeline::TableShape> shapes =
        pg::ValueOrThrow(pipeline::ParseTableShapes(definition.sink, definition.options_json));
    const std::vector<Member> members = MembersOf(stream_id);
    std::set<std::string> names;
    for (const Member& member : members) {
        names.insert(member.name);
    }
    for (const pipeline::TableShape& shape : shapes) {
        if (names.count(shape.table) == 0) {
            pg::Throw(core::kInvalidParameter,
                      "table \"" + shape.table + "\" is not in stream \"" + definition.name + "\"",
                      "The option \"tables\" names it.",
                      core::NearestHint(shape.table, names, "tables"));
        }
    }
    CheckOutbox(definition, members, names);
    for (const Member& member : members) {
        const auto shape = std::find_if(
            shapes.begin(), shapes.end(),
            [&member](const pipeline::TableShape& s) { return s.table == member.name; });
        const bool shaped = shape != shapes.end();
        const core::RelationSchema relation = shaped ? Describe(member) : core::RelationSchema{};
        if (shaped) {
            Check(definition, *shape, relation);
        }
        Remember(definition, member.relation, shaped ? &*shape : nullptr, relation);
        if (definition.own_publications) {
            SetFilter(definition.name, member.relation, shaped ? shape->filter : std::string());
        }
    }
    Describe(stream_id);
    UpdateEventTriggers();
    if (pipeline::NeedsSalt(shapes)) {
        LoadSalt(definition);
    }
}

std::vector<pipeline::TableShape> LoadShapes(const Definition& definition) {
    std::vector<pipeline::TableShape> shapes =
        pg::ValueOrThrow(pipeline::ParseTableShapes(definition.sink, definition.options_json));
    for (pipeline::TableShape& shape : shapes) {
        for (const StreamTable& table : definition.tables) {
            if (table.shaped_as == shape.table) {
                shape.relation = table.relation;
                const auto numbers = nlohmann::json::parse(table.column_numbers, nullptr, false);
                for (const auto& [name, number] : numbers.items()) {
                    shape.numbers[name] = number.is_number() ? number.get<std::int16_t>() : 0;
                }
            }
        }
    }
    return shapes;
}

}  // namespace bitvelocity::stream
