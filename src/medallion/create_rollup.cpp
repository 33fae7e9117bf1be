// create_rollup: a gold table from a query over silver (or gold) tables, filled at once.

#include <set>

#include "core/sql_text.hpp"
#include "medallion/aggregation.hpp"
#include "medallion/arguments.hpp"
#include "medallion/dataset.hpp"
#include "medallion/events.hpp"
#include "medallion/rollup.hpp"
#include "medallion/target.hpp"
#include "pg/boundary.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::medallion {

namespace {

struct Request {
    std::string name;
    std::string query;
    std::string options;
    std::string target;
    Oid owner = 0;
    std::string schema;
};

RollupShape ShapeOf(pg::SpiScope& spi, const Aggregation& found) {
    RollupShape shape;
    shape.incremental = found.why_full.empty();
    shape.why_full = found.why_full;
    std::set<std::string> names;
    for (const AggregatedColumn& column : found.columns) {
        if (!names.insert(column.name).second) {
            pg::Throw("42701", "column \"" + column.name + "\" appears more than once in the query",
                      {}, "Give it another name with AS.");
        }
        // Numbers of an aggregate keep the digits they have.
        shape.columns.push_back({column.name, TypeName(spi, column.type, column.modifier),
                                 column.expression, column.grouped});
    }
    return shape;
}

std::vector<std::string> KeyOf(const RollupShape& shape) {
    std::vector<std::string> key;
    if (shape.incremental) {
        for (const RollupColumn& column : GroupColumns(shape)) {
            key.push_back(column.name);
        }
    }
    return key;
}

std::string QuotedList(const std::vector<std::string>& names) {
    std::vector<std::string> quoted;
    for (const std::string& name : names) {
        quoted.push_back(core::QuoteName(name));
    }
    return core::Join(quoted, ", ");
}

Oid MakeTarget(pg::SpiScope& spi, const Request& request, const RollupShape& shape,
               const Aggregation& found) {
    std::vector<std::string> list;
    for (std::size_t i = 0; i < shape.columns.size(); ++i) {
        const std::string collation = CollationName(spi, found.columns[i].collation);
        list.push_back(core::QuoteName(shape.columns[i].name) + " " + shape.columns[i].type +
                       (collation.empty() ? "" : " COLLATE " + collation));
    }
    const std::vector<std::string> key = KeyOf(shape);
    if (!key.empty()) {
        list.push_back("UNIQUE NULLS NOT DISTINCT (" + QuotedList(key) + ")");
    }
    const std::string name = NewTableName(spi, request.target, request.schema);
    {
        const pg::OwnerScope owner(request.owner);
        spi.Execute("CREATE TABLE " + name + " (" + core::Join(list, ", ") + ")");
        spi.Execute("COMMENT ON TABLE " + name + " IS 'gold, kept up to date by bitvelocity'");
    }
    return FindTable(spi, request.target, request.schema);
}

void CheckExisting(pg::SpiScope& spi, const Request& request, const RollupShape& shape,
                   Oid target) {
    CheckTarget(spi, target, request.owner);
    std::set<std::string> have;
    for (const TargetColumn& column : ColumnsOf(spi, target)) {
        have.insert(column.name);
    }
    const std::string name = pg::QualifiedName(target);
    for (const RollupColumn& column : shape.columns) {
        if (!have.contains(column.name)) {
            pg::Throw(core::kInvalidParameter,
                      "table " + name + " has no column \"" + column.name + "\"");
        }
    }
    const std::vector<std::string> key = KeyOf(shape);
    if (!key.empty() && !HasUniqueKey(spi, target, key)) {
        pg::Throw(core::kObjectNotInPrerequisiteState,
                  "table " + name + " has no unique index on the GROUP BY columns", {},
                  "Run ALTER TABLE " + name + " ADD UNIQUE NULLS NOT DISTINCT (" + QuotedList(key) +
                      ").");
    }
}

void Store(pg::SpiScope& spi, const Request& request, const RollupShape& shape,
           const Aggregation& found, Oid target, bool made) {
    const std::string zone = TimeZoneNow();
    std::string sources = "{";
    for (const Oid relation : found.relations) {
        sources += (sources.size() == 1 ? "" : ",") + std::to_string(relation);
    }
    const pg::CatalogScope catalog;
    spi.Execute(
        "INSERT INTO bitvelocity.dataset (name, layer, kind, target, made_target, sources, query, "
        "key, options, definition, owner, time_zone) VALUES ($1, 'gold', 'rollup', $2::regclass, "
        "$3, $4::oid[]::regclass[], $5, $6, $7, $8, $9, $10)",
        {pg::Param::Text(request.name), pg::Param::OidValue(target), pg::Param::Bool(made),
         pg::Param::Text(sources + "}"), pg::Param::Text(found.query), TextArrayParam(KeyOf(shape)),
         pg::Param::Jsonb(request.options), pg::Param::Jsonb(ToJson(shape)),
         pg::Param::OidValue(request.owner), pg::Param::Text(zone)});
    for (const Oid relation : found.relations) {
        spi.Execute(
            "SELECT bitvelocity.record_lineage($1::regclass, $2::regclass, 'ROLLUP', "
            "jsonb_build_object('dataset', $3, 'query', $4))",
            {pg::Param::OidValue(relation), pg::Param::OidValue(target),
             pg::Param::Text(request.name), pg::Param::Text(found.query)});
    }
}

// The owner of all the sources; a mixture would read one owner's tables for another.
Oid OwnerOfSources(const std::vector<std::uint32_t>& relations) {
    const Oid owner = pg::OwnerOf(relations.front());
    for (const Oid relation : relations) {
        pg::RequireOwner(relation);
        if (pg::OwnerOf(relation) != owner) {
            pg::Throw(core::kInsufficientPrivilege, "the tables of a rollup must have one owner",
                      pg::QualifiedName(relations.front()) + " and " + pg::QualifiedName(relation) +
                          " have different owners.");
        }
    }
    return owner;
}

}  // namespace

// create_rollup(name, query, options, if_not_exists) RETURNS regclass
BV_FUNCTION(bitvelocity_create_rollup) {
    Request request;
    request.name = RequiredText(fcinfo, 0, "name");
    request.query = RequiredText(fcinfo, 1, "query");
    request.options = JsonArgument(fcinfo, 2, "{}");
    pg::SpiScope spi;
    {
        const pg::CatalogScope catalog;
        const pg::Rows rows =
            spi.Execute("SELECT target::oid FROM bitvelocity.dataset WHERE name = $1",
                        {pg::Param::Text(request.name)});
        if (!rows.empty() && BoolArgument(fcinfo, 3)) {
            PG_RETURN_OID(rows.OidValue(0, 1));
        }
        if (!rows.empty()) {
            pg::Throw("42710", "dataset \"" + request.name + "\" already exists", {},
                      "Drop it with drop_dataset, or choose another name.");
        }
    }
    request.target = request.name;
    for (const auto& [key, value] : Options(spi, request.options, {"target"})) {
        request.target = value.value_or(request.name);
    }
    const Aggregation found = AnalyzeAggregation(request.query);
    request.owner = OwnerOfSources(found.relations);
    request.schema = pg::RelationSchema(found.relations.front());
    const RollupShape shape = ShapeOf(spi, found);

    Oid target = FindTable(spi, request.target, request.schema);
    const bool exists = target != InvalidOid;
    if (exists) {
        CheckExisting(spi, request, shape, target);
    } else {
        target = MakeTarget(spi, request, shape, found);
    }
    Store(spi, request, shape, found, target, !exists);
    for (const Oid relation : found.relations) {
        TrackChanges(spi, relation);
    }
    Dataset dataset = LoadDataset(spi, request.name);
    TouchAll(spi, dataset);
    Progress progress;
    RefreshRollup(spi, dataset, progress);
    CatalogChanged();
    PG_RETURN_OID(target);
}

}  // namespace bitvelocity::medallion
