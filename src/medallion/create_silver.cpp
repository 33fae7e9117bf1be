// create_silver: a bronze table becomes a typed, judged table that keeps the last good state per
// key.

#include <algorithm>
#include <set>

#include "core/nearest.hpp"
#include "core/sql_text.hpp"
#include "medallion/arguments.hpp"
#include "medallion/dataset.hpp"
#include "medallion/events.hpp"
#include "medallion/projection.hpp"
#include "medallion/target.hpp"
#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::medallion {

namespace {

struct Origin {
    Oid bronze = 0;
    Oid table = 0;  // the table that bronze mirrors; 0: unknown
};

struct Request {
    std::string name;
    std::vector<std::string> key;
    std::string query;
    std::string mapping;
    std::string options;
    std::string target;
    std::string row_type;
    Origin origin;
    Oid owner = 0;
    std::string schema;
};

bool IsBronze(pg::SpiScope& spi, Oid relation) {
    const pg::CatalogScope catalog;
    return spi.Execute(
                  "SELECT count(*) FROM pg_attribute WHERE attrelid = $1 AND attname = ANY "
                  "('{event_id,operation_type,raw_payload,before_payload,source_epoch,"
                  "commit_lsn,ordinal,part,sequence}') AND NOT attisdropped",
                  {pg::Param::OidValue(relation)})
               .Int(0, 1) == 9;
}

Origin FindOrigin(pg::SpiScope& spi, Oid source) {
    const bool bronze = IsBronze(spi, source);
    const pg::CatalogScope catalog;
    const pg::Rows rows = spi.Execute(
        std::string(
            "SELECT bronze, relation FROM bitvelocity.stream_table WHERE bronze IS NOT NULL "
            "AND ") +
            (bronze ? "bronze" : "relation") + " = $1",
        {pg::Param::OidValue(source)});
    if (!rows.empty()) {
        return {rows.OidValue(0, 1), rows.size() == 1 ? rows.OidValue(0, 2) : InvalidOid};
    }
    if (bronze) {
        return {source, InvalidOid};
    }
    const std::string name = pg::QualifiedName(source);
    pg::Throw(core::kObjectNotInPrerequisiteState, "table " + name + " has no bronze table", {},
              "Run SELECT bitvelocity.create_bronze(" + core::QuoteText(name).substr(1) + ").");
}

std::set<std::string> Names(const std::vector<SourceColumn>& columns) {
    std::set<std::string> names;
    for (const SourceColumn& column : columns) {
        names.insert(column.name);
    }
    return names;
}

// Names and types of the source row.
std::vector<SourceColumn> SourceColumns(pg::SpiScope& spi, Request& request, Oid target) {
    Oid model = request.origin.table;
    if (!request.row_type.empty()) {
        model = FindTable(spi, request.row_type, request.schema);
        if (model == InvalidOid) {
            pg::Throw(core::kInvalidParameter,
                      "table \"" + request.row_type + "\" of option row_type does not exist");
        }
        request.origin.table = model;
    } else if (model == InvalidOid) {
        model = target;
    }
    if (model == InvalidOid) {
        pg::Throw(
            core::kInvalidParameter,
            "types of the rows in " + pg::QualifiedName(request.origin.bronze) + " are not known",
            "No stream writes this bronze table, and the target does not exist.",
            "Name a table with the columns of the source in the option row_type, or create the "
            "target table first.");
    }
    std::set<std::string> own;
    for (const auto& column : kQualityColumns) {
        own.insert(column[0]);
    }
    std::vector<SourceColumn> columns;
    for (const TargetColumn& column : ColumnsOf(spi, model)) {
        if (model != target || !own.contains(column.name)) {
            columns.push_back({column.name, column.type, false});
        }
    }
    return columns;
}

std::vector<std::string> PrimaryKey(pg::SpiScope& spi, Oid relation) {
    const pg::CatalogScope catalog;
    const pg::Rows rows = spi.Execute(
        "SELECT a.attname::text FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH "
        "ORDINALITY AS k(attnum, n) JOIN pg_attribute a ON a.attrelid = i.indrelid "
        "AND a.attnum = k.attnum WHERE i.indrelid = $1 AND i.indisprimary ORDER BY k.n",
        {pg::Param::OidValue(relation)});
    std::vector<std::string> key;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        key.push_back(*rows.Text(i, 1));
    }
    return key;
}

// The SELECT over source that the mapping (or nothing) means.
std::string MappedQuery(pg::SpiScope& spi, const Request& request,
                        const std::vector<SourceColumn>& source, Oid target) {
    std::vector<std::pair<std::string, std::optional<std::string>>> mapping;
    if (!request.mapping.empty()) {
        mapping = Members(spi, request.mapping, "mapping");
    }
    std::set<std::string> wanted = Names(source);
    if (target != InvalidOid) {
        wanted.clear();
        for (const TargetColumn& column : ColumnsOf(spi, target)) {
            wanted.insert(column.name);
        }
    }
    std::vector<std::string> list;
    for (const SourceColumn& column : source) {
        const bool mapped = std::any_of(mapping.begin(), mapping.end(),
                                        [&](const auto& m) { return m.first == column.name; });
        if (!mapped && wanted.contains(column.name)) {
            list.push_back("source." + core::QuoteName(column.name));
        }
    }
    for (const auto& [column, expression] : mapping) {
        if (expression) {
            // The line feed ends a comment inside the expression.
            list.push_back("(" + *expression + "\n) AS " + core::QuoteName(column));
        }
    }
    return "SELECT " + core::Join(list, ", ") + " FROM source";
}

// How the query's column becomes the target's: nothing where an INSERT converts it by itself.
std::string CastTo(Oid from, Oid to) {
    if (from == to) {
        return {};
    }
    struct Path {
        bool assignment;
        bool explicit_cast;
    };
    const Path path = pg::Call([from, to]() {
        Oid source = from;
        return Path{can_coerce_type(1, &source, &to, COERCION_ASSIGNMENT),
                    can_coerce_type(1, &source, &to, COERCION_EXPLICIT)};
    });
    if (path.assignment) {
        return {};
    }
    return path.explicit_cast ? "plain" : "via text";
}

SilverShape ShapeOf(pg::SpiScope& spi, const Request& request, std::vector<SourceColumn> source,
                    const Projection& projection, Oid target) {
    SilverShape shape;
    shape.query = projection.query;
    shape.may_filter = projection.may_filter;
    shape.may_repeat = projection.may_repeat;
    shape.key = request.key;
    for (SourceColumn& column : source) {
        column.needed = std::find(projection.used.begin(), projection.used.end(), column.name) !=
                        projection.used.end();
    }
    shape.source = std::move(source);
    std::set<std::string> output;
    const std::vector<TargetColumn> existing =
        target == InvalidOid ? std::vector<TargetColumn>{} : ColumnsOf(spi, target);
    std::set<std::string> existing_names;
    for (const TargetColumn& column : existing) {
        existing_names.insert(column.name);
    }
    for (const ProjectedColumn& column : projection.columns) {
        OutputColumn made{
            column.name, {}, TypeName(spi, column.type, column.modifier), column.source};
        if (!output.insert(column.name).second) {
            pg::Throw("42701",
                      "column \"" + column.name + "\" appears more than once in the query");
        }
        if (target != InvalidOid) {
            if (!existing_names.contains(column.name)) {
                pg::Throw(
                    core::kInvalidParameter,
                    "table " + pg::QualifiedName(target) + " has no column \"" + column.name + "\"",
                    {}, core::NearestHint(column.name, existing_names, "columns"));
            }
            const std::string name = column.name;
            const Oid type = pg::Call([target, text = name.c_str()]() {
                return get_atttype(target, get_attnum(target, text));
            });
            made.type = TypeName(spi, type, -1);
            made.cast = CastTo(column.type, type);
            if (made.cast == "plain") {
                made.cast = made.type;
            }
        }
        shape.output.push_back(made);
    }
    for (const std::string& key : shape.key) {
        const auto found = std::find_if(shape.output.begin(), shape.output.end(),
                                        [&](const OutputColumn& c) { return c.name == key; });
        if (found == shape.output.end()) {
            pg::Throw(core::kInvalidParameter, "key column \"" + key + "\" does not exist", {},
                      core::NearestHint(key, output, "columns"));
        }
        if (found->source.empty()) {
            pg::Throw(core::kInvalidParameter, "key column \"" + key + "\" is computed",
                      "A deletion carries the columns of the source only.",
                      "Let the key be columns of the source, unchanged.");
        }
        shape.key_source.push_back(found->source);
    }
    return shape;
}

// A deletion must carry the key: it has to be part of the source's replica identity.
void CheckIdentity(pg::SpiScope& spi, const Request& request, const SilverShape& shape) {
    if (request.origin.table == InvalidOid) {
        return;
    }
    const pg::CatalogScope catalog;
    const pg::Rows rows = spi.Execute(
        "SELECT c.relreplident::text, (SELECT array_to_string(array_agg(k ORDER BY k), ', ') "
        "FROM unnest($2::text[]) k WHERE NOT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a "
        "ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) WHERE i.indrelid = c.oid "
        "AND a.attname = k AND (CASE c.relreplident WHEN 'd' THEN i.indisprimary "
        "ELSE i.indisreplident END))), EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid "
        "AND (CASE c.relreplident WHEN 'd' THEN i.indisprimary ELSE i.indisreplident END)) "
        "FROM pg_class c WHERE c.oid = $1",
        {pg::Param::OidValue(request.origin.table), TextArrayParam(shape.key_source)});
    if (rows.empty() || rows.Text(0, 1) == "f" || !rows.Bool(0, 3)) {
        return;
    }
    if (const auto missing = rows.Text(0, 2)) {
        const std::string table = pg::QualifiedName(request.origin.table);
        pg::Throw(
            core::kObjectNotInPrerequisiteState, "deletions of " + table + " do not carry the key",
            "Not in its replica identity: " + *missing + ".",
            "Use its primary key as key, or run ALTER TABLE " + table + " REPLICA IDENTITY FULL.");
    }
}

Oid MakeTarget(pg::SpiScope& spi, const Request& request, const SilverShape& shape,
               const Projection& projection) {
    std::vector<std::string> list;
    std::set<std::string> names;
    for (std::size_t i = 0; i < shape.output.size(); ++i) {
        const std::string collation = CollationName(spi, projection.columns[i].collation);
        names.insert(shape.output[i].name);
        list.push_back(core::QuoteName(shape.output[i].name) + " " + shape.output[i].type +
                       (collation.empty() ? "" : " COLLATE " + collation));
    }
    for (const auto& column : kQualityColumns) {
        if (names.contains(column[0])) {
            pg::Throw("42701", std::string("column \"") + column[0] + "\" is the server's own", {},
                      "Rename or leave out the source's column in the mapping.");
        }
        list.push_back(core::QuoteName(column[0]) + " " + column[1]);
    }
    std::vector<std::string> key;
    for (const std::string& column : shape.key) {
        key.push_back(core::QuoteName(column));
    }
    const std::string name = NewTableName(spi, request.target, request.schema);
    {
        const pg::OwnerScope owner(request.owner);
        spi.Execute("CREATE TABLE " + name + " (" + core::Join(list, ", ") + ", PRIMARY KEY (" +
                    core::Join(key, ", ") + "))");
        spi.Execute("COMMENT ON TABLE " + name + " IS " +
                    core::QuoteText("silver of " + pg::QualifiedName(request.origin.bronze)));
    }
    return FindTable(spi, request.target, request.schema);
}

void CompleteTarget(pg::SpiScope& spi, const Request& request, const SilverShape& shape,
                    Oid target) {
    if (!HasUniqueKey(spi, target, shape.key)) {
        const std::string name = pg::QualifiedName(target);
        pg::Throw(
            core::kObjectNotInPrerequisiteState,
            "table " + name + " has no unique index on the key", {},
            "Run ALTER TABLE " + name + " ADD PRIMARY KEY (" + core::Join(shape.key, ", ") + ").");
    }
    const pg::OwnerScope owner(request.owner);
    for (const auto& column : kQualityColumns) {
        spi.Execute("ALTER TABLE " + pg::QualifiedName(target) + " ADD COLUMN IF NOT EXISTS " +
                    core::QuoteName(column[0]) + " " + column[1]);
    }
}

void ReadOptions(pg::SpiScope& spi, Request& request) {
    request.target = request.name;
    for (const auto& [key, value] :
         Options(spi, request.options, {"batch_size", "row_type", "target"})) {
        if (key == "target" && value) {
            request.target = *value;
        } else if (key == "row_type" && value) {
            request.row_type = *value;
        } else if (key == "batch_size") {
            const bool digits = value && !value->empty() && value->size() <= 7 &&
                                std::all_of(value->begin(), value->end(),
                                            [](char c) { return c >= '0' && c <= '9'; });
            if (!digits || std::stoi(*value) < 1) {
                pg::Throw(core::kInvalidParameter, "option batch_size must be a number of rows",
                          "It is between 1 and 9999999.");
            }
        }
    }
}

void Store(pg::SpiScope& spi, const Request& request, const SilverShape& shape,
           const Projection& projection, Oid target, bool made) {
    const std::string zone = TimeZoneNow();
    const pg::CatalogScope catalog;
    spi.Execute(
        "INSERT INTO bitvelocity.dataset (name, layer, kind, target, made_target, sources, "
        "source_table, query, mapping, key, options, definition, owner, time_zone) "
        "VALUES ($1, 'silver', 'silver', $2::regclass, $3, ARRAY[$4::regclass], $5::regclass, $6, "
        "$7, $8, $9, $10, $11, $12)",
        {pg::Param::Text(request.name), pg::Param::OidValue(target), pg::Param::Bool(made),
         pg::Param::OidValue(request.origin.bronze),
         request.origin.table == InvalidOid ? pg::Param::Null(OIDOID)
                                            : pg::Param::OidValue(request.origin.table),
         pg::Param::Text(projection.query),
         request.mapping.empty() ? pg::Param::Null(JSONBOID) : pg::Param::Jsonb(request.mapping),
         TextArrayParam(shape.key), pg::Param::Jsonb(request.options),
         pg::Param::Jsonb(ToJson(shape)), pg::Param::OidValue(request.owner),
         pg::Param::Text(zone)});
    spi.Execute(
        "SELECT bitvelocity.record_lineage($1::regclass, $2::regclass, 'BRONZE_TO_SILVER', "
        "jsonb_build_object('dataset', $3, 'key', $4, 'query', $5))",
        {pg::Param::OidValue(request.origin.bronze), pg::Param::OidValue(target),
         pg::Param::Text(request.name), TextArrayParam(shape.key),
         pg::Param::Text(projection.query)});
    for (const Oid relation : projection.relations) {
        spi.Execute(
            "SELECT bitvelocity.record_lineage($1::regclass, $2::regclass, 'LOOKUP', "
            "jsonb_build_object('dataset', $3))",
            {pg::Param::OidValue(relation), pg::Param::OidValue(target),
             pg::Param::Text(request.name)});
    }
}

// The target of an existing dataset; 0: there is none of that name.
Oid Existing(pg::SpiScope& spi, const std::string& name) {
    const pg::CatalogScope catalog;
    const pg::Rows rows = spi.Execute("SELECT target::oid FROM bitvelocity.dataset WHERE name = $1",
                                      {pg::Param::Text(name)});
    return rows.empty() ? InvalidOid : rows.OidValue(0, 1);
}

}  // namespace

// create_silver(name, source, key, query, mapping, options, if_not_exists) RETURNS regclass
BV_FUNCTION(bitvelocity_create_silver) {
    Request request;
    request.name = RequiredText(fcinfo, 0, "name");
    const Oid source = RequiredRelation(fcinfo, 1, "source");
    request.key = TextArray(fcinfo, 2);
    request.query = TextArgument(fcinfo, 3).value_or("");
    request.mapping = JsonArgument(fcinfo, 4, "");
    request.options = JsonArgument(fcinfo, 5, "{}");
    pg::SpiScope spi;
    if (const Oid existing = Existing(spi, request.name); existing != InvalidOid) {
        if (BoolArgument(fcinfo, 6)) {
            PG_RETURN_OID(existing);
        }
        pg::Throw("42710", "dataset \"" + request.name + "\" already exists", {},
                  "Drop it with drop_dataset, or choose another name.");
    }
    if (!request.query.empty() && !request.mapping.empty()) {
        pg::Throw(core::kInvalidParameter, "query and mapping exclude each other");
    }
    ReadOptions(spi, request);
    request.origin = FindOrigin(spi, source);
    pg::RequireOwner(request.origin.bronze);
    request.owner = pg::OwnerOf(request.origin.bronze);
    request.schema = pg::RelationSchema(request.origin.table != InvalidOid ? request.origin.table
                                                                           : request.origin.bronze);

    Oid target = FindTable(spi, request.target, request.schema);
    const bool exists = target != InvalidOid;
    if (exists) {
        CheckTarget(spi, target, request.owner);
    }
    std::vector<SourceColumn> columns = SourceColumns(spi, request, target);
    if (request.key.empty()) {
        request.key =
            PrimaryKey(spi, request.origin.table != InvalidOid ? request.origin.table : target);
    }
    if (request.key.empty()) {
        pg::Throw(core::kInvalidParameter, "a silver table needs a key",
                  "The source has no primary key.", "Name the columns that identify a row in key.");
    }
    const std::string query =
        request.query.empty() ? MappedQuery(spi, request, columns, target) : request.query;
    const Projection projection = AnalyzeProjection(columns, query);
    const SilverShape shape = ShapeOf(spi, request, std::move(columns), projection, target);
    CheckIdentity(spi, request, shape);
    if (exists) {
        CompleteTarget(spi, request, shape, target);
    } else {
        target = MakeTarget(spi, request, shape, projection);
    }
    Store(spi, request, shape, projection, target, !exists);
    CatalogChanged();
    TableChanged(request.origin.bronze);
    PG_RETURN_OID(target);
}

}  // namespace bitvelocity::medallion
