#include "medallion/target.hpp"

#include "medallion/arguments.hpp"
#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::medallion {

namespace {

struct Parts {
    std::string schema;
    std::string table;
};

Parts SplitName(pg::SpiScope& spi, const std::string& name, const std::string& schema) {
    const pg::CatalogScope catalog;
    const pg::Rows rows = spi.Execute("SELECT p[1], p[2], cardinality(p) FROM parse_ident($1) p",
                                      {pg::Param::Text(name)});
    const std::int64_t count = rows.Int(0, 3);
    if (count > 2) {
        pg::Throw(core::kInvalidParameter, "\"" + name + "\" is not the name of a table");
    }
    return count == 2 ? Parts{*rows.Text(0, 1), *rows.Text(0, 2)} : Parts{schema, *rows.Text(0, 1)};
}

}  // namespace

std::string TypeName(pg::SpiScope& spi, std::uint32_t type, std::int32_t modifier) {
    const pg::CatalogScope catalog;
    return *spi.Execute("SELECT format_type($1, $2)",
                        {pg::Param::OidValue(type), pg::Param::Int(modifier)})
                .Text(0, 1);
}

std::string CollationName(pg::SpiScope& spi, std::uint32_t collation) {
    if (collation == InvalidOid || collation == DEFAULT_COLLATION_OID) {
        return {};
    }
    const pg::CatalogScope catalog;
    const pg::Rows rows = spi.Execute(
        "SELECT format('%I.%I', n.nspname, c.collname) FROM pg_collation c "
        "JOIN pg_namespace n ON n.oid = c.collnamespace WHERE c.oid = $1",
        {pg::Param::OidValue(collation)});
    return rows.empty() ? "" : *rows.Text(0, 1);
}

std::vector<TargetColumn> ColumnsOf(pg::SpiScope& spi, std::uint32_t relation) {
    const pg::CatalogScope catalog;
    const pg::Rows rows = spi.Execute(
        "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        {pg::Param::OidValue(relation)});
    std::vector<TargetColumn> columns;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        columns.push_back({*rows.Text(i, 1), *rows.Text(i, 2), {}});
    }
    return columns;
}

std::uint32_t FindTable(pg::SpiScope& spi, const std::string& name, const std::string& schema) {
    const Parts parts = SplitName(spi, name, schema);
    const pg::CatalogScope catalog;
    const pg::Rows rows = spi.Execute(
        "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = $1 AND c.relname = $2",
        {pg::Param::Text(parts.schema), pg::Param::Text(parts.table)});
    return rows.empty() ? InvalidOid : rows.OidValue(0, 1);
}

std::string NewTableName(pg::SpiScope& spi, const std::string& name, const std::string& schema) {
    const Parts parts = SplitName(spi, name, schema);
    return pg::QuoteIdentifier(parts.schema) + "." + pg::QuoteIdentifier(parts.table);
}

void CheckTarget(pg::SpiScope& spi, std::uint32_t target, std::uint32_t owner) {
    const std::string name = pg::QualifiedName(target);
    const char kind = pg::Call([target]() { return get_rel_relkind(target); });
    if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE) {
        pg::Throw("42809", name + " is not a table", {}, "Choose another target.");
    }
    if (pg::OwnerOf(target) != owner) {
        pg::Throw(core::kInsufficientPrivilege, "table " + name + " has another owner",
                  "A dataset and its table belong to the owner of its source.",
                  "Choose another target, or change the table's owner.");
    }
    const pg::CatalogScope catalog;
    const pg::Rows rows =
        spi.Execute("SELECT name FROM bitvelocity.dataset WHERE target = $1::regclass",
                    {pg::Param::OidValue(target)});
    if (!rows.empty()) {
        pg::Throw("55006",
                  "table " + name + " belongs to dataset \"" + *rows.Text(0, 1) + "\" already", {},
                  "Choose another target.");
    }
}

bool HasUniqueKey(pg::SpiScope& spi, std::uint32_t relation, const std::vector<std::string>& key) {
    const pg::CatalogScope catalog;
    const pg::Rows rows = spi.Execute(
        "SELECT FROM pg_index i WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid "
        "AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indimmediate "
        "AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text COLLATE \"C\") "
        "FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, n) "
        "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum "
        "WHERE k.n <= i.indnkeyatts) = (SELECT array_agg(c ORDER BY c COLLATE \"C\") "
        "FROM unnest($2::text[]) c)",
        {pg::Param::OidValue(relation), TextArrayParam(key)});
    return !rows.empty();
}

}  // namespace bitvelocity::medallion
