#include "stream/published_tables.hpp"

#include <algorithm>

#include "pg/boundary.hpp"
#include "pg/parse.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "trail/bronze_table.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::stream {

namespace {

std::string FullName(const std::string& stream) {
    return "bitvelocity_" + stream;
}
std::string InsertName(const std::string& stream) {
    return "bitvelocity_" + stream + "_insert";
}

bool PublicationExists(pg::SpiScope& spi, const std::string& name) {
    return !spi.Execute("SELECT 1 FROM pg_catalog.pg_publication WHERE pubname = $1",
                        {pg::Param::Name(name)})
                .empty();
}

}  // namespace

void RequirePublishable(core::Oid table) {
    if (pg::Call([table]() { return get_rel_relkind(table); }) == '\0') {
        pg::Throw("42P01", "relation with OID " + std::to_string(table) + " does not exist");
    }
    pg::RequireOwner(table);
    struct Facts {
        char kind;
        char persistence;
        bool partition;
    };
    const Facts facts = pg::Call([table]() -> Facts {
        return {get_rel_relkind(table), get_rel_persistence(table), get_rel_relispartition(table)};
    });
    const std::string name = pg::QualifiedName(table);
    if (facts.kind != RELKIND_RELATION && facts.kind != RELKIND_PARTITIONED_TABLE) {
        pg::Throw("42809", name + " is not a table", "Only tables have changes in the WAL.",
                  "Name the tables behind it.");
    }
    if (facts.persistence != RELPERSISTENCE_PERMANENT) {
        pg::Throw("42809", "table " + name + " is not logged",
                  "Changes of temporary and unlogged tables are not in the WAL.",
                  "ALTER TABLE " + name + " SET LOGGED.");
    }
    if (facts.partition) {
        pg::Throw("42809", "table " + name + " is a partition",
                  "Changes of partitions are delivered as changes of the partitioned table.",
                  "Name the partitioned table at the root.");
    }
    if (pg::RelationSchema(table) == "bitvelocity") {
        pg::Throw("42809", "table " + name + " belongs to the extension", {},
                  "Name a table of your own.");
    }
    if (trail::IsBronzeTable(table)) {
        pg::Throw("42809", "table " + name + " is a bronze table",
                  "What a stream writes is in no stream.", "Name the table that it comes from.");
    }
}

bool HandleMissingKey(core::Oid table, const std::string& on_missing_key) {
    std::vector<core::Oid> missing;
    {
        pg::SpiScope spi;
        // The table itself, or the leaves of a partitioned one: their own identity is what counts.
        const pg::Rows rows = spi.Execute(
            "SELECT c.oid FROM pg_class c WHERE c.relkind = 'r' AND (c.oid = $1 OR c.oid IN "
            "(SELECT relid FROM pg_partition_tree($1))) AND (c.relreplident = 'n' OR "
            "c.relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid "
            "AND i.indisprimary AND i.indisvalid) OR c.relreplident = 'i' AND NOT EXISTS (SELECT "
            "FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident))",
            {pg::Param::OidValue(table)});
        for (std::size_t i = 0; i < rows.size(); ++i) {
            missing.push_back(rows.OidValue(i, 1));
        }
    }
    if (missing.empty()) {
        return false;
    }
    const std::string name = pg::QualifiedName(table);
    if (on_missing_key == "insert_only") {
        return true;
    }
    if (on_missing_key == "full") {
        pg::OwnerScope as_owner(pg::OwnerOf(table));
        pg::SpiScope spi;
        for (const core::Oid leaf : missing) {
            spi.Execute("ALTER TABLE " + pg::QualifiedName(leaf) + " REPLICA IDENTITY FULL");
        }
        // Changes of partitions are described by the root's identity.
        if (std::find(missing.begin(), missing.end(), table) == missing.end()) {
            spi.Execute("ALTER TABLE " + pg::QualifiedName(table) + " REPLICA IDENTITY FULL");
        }
        return false;
    }
    pg::Throw(
        "55000", "table " + name + " has no key that identifies its rows",
        "Once it is published, every UPDATE and DELETE of it would fail.",
        "Add a primary key, or pass on_missing_key => 'full' (REPLICA IDENTITY FULL, more WAL) or "
        "'insert_only'.");
}

void EnsurePublications(const std::string& stream) {
    pg::CatalogScope as_extension;
    pg::SpiScope spi;
    for (const bool insert_only : {false, true}) {
        const std::string name = insert_only ? InsertName(stream) : FullName(stream);
        if (!PublicationExists(spi, name)) {
            spi.Execute("CREATE PUBLICATION " + pg::QuoteIdentifier(name) +
                        " WITH (publish_via_partition_root = true, publish = " +
                        (insert_only ? "'insert'" : "'insert, update, delete, truncate'") + ")");
        }
    }
}

void PublishTables(const std::string& stream, const std::vector<core::Oid>& tables,
                   bool insert_only) {
    if (tables.empty()) {
        return;
    }
    std::string list;
    for (const core::Oid table : tables) {
        list += (list.empty() ? "" : ", ") + pg::QualifiedName(table);
    }
    const std::string name = insert_only ? InsertName(stream) : FullName(stream);
    pg::CatalogScope as_extension;
    pg::SpiScope spi;
    spi.Execute("ALTER PUBLICATION " + pg::QuoteIdentifier(name) + " ADD TABLE " + list);
}

namespace {

// More than one expression could publish other tables with our rights.
void RequireExpression(const std::string& statement, const std::string& filter) {
    const bool single = pg::Call([text = statement.c_str()]() {
        List* parsed = pg::ParseText(text);
        if (list_length(parsed) != 1) {
            return false;
        }
        Node* node = linitial_node(RawStmt, parsed)->stmt;
        return IsA(node, AlterPublicationStmt) &&
               list_length(reinterpret_cast<AlterPublicationStmt*>(node)->pubobjects) == 1;
    });
    if (!single) {
        pg::Throw(core::kInvalidParameter, "filter must be one boolean expression",
                  "It is: " + filter);
    }
}

// A column that the old row does not hold makes every UPDATE and DELETE fail.
void RequireIdentityColumns(pg::SpiScope& spi, const std::string& publication, core::Oid table) {
    const pg::Rows rows = spi.Execute(
        "SELECT a.attname FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid "
        "JOIN pg_class c ON c.oid = r.prrelid JOIN pg_depend d ON d.classid = "
        "'pg_publication_rel'::regclass AND d.objid = r.oid AND d.refclassid = "
        "'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid > 0 JOIN pg_attribute a ON "
        "a.attrelid = c.oid AND a.attnum = d.refobjsubid WHERE p.pubname = $1 AND c.oid = $2 AND "
        "(p.pubupdate OR p.pubdelete) AND c.relreplident <> 'f' AND NOT EXISTS (SELECT FROM "
        "pg_index i WHERE i.indrelid = c.oid AND a.attnum = ANY (i.indkey) AND (c.relreplident = "
        "'d' AND i.indisprimary OR c.relreplident = 'i' AND i.indisreplident))",
        {pg::Param::Name(publication), pg::Param::OidValue(table)});
    if (!rows.empty()) {
        pg::Throw(core::kInvalidParameter,
                  "the filter of table " + pg::QualifiedName(table) + " uses column \"" +
                      rows.Text(0, 1).value_or("") + "\"",
                  "It is not part of the replica identity: every UPDATE and DELETE would fail.",
                  "Use columns of the key, or ALTER TABLE ... REPLICA IDENTITY FULL first.");
    }
}

}  // namespace

void SetFilter(const std::string& stream, core::Oid table, const std::string& filter) {
    for (const std::string& name : {FullName(stream), InsertName(stream)}) {
        pg::CatalogScope as_extension;
        pg::SpiScope spi;
        const pg::Rows member = spi.Execute(
            "SELECT r.prqual IS NOT NULL FROM pg_publication_rel r JOIN pg_publication p ON p.oid "
            "= r.prpubid WHERE p.pubname = $1 AND r.prrelid = $2",
            {pg::Param::Name(name), pg::Param::OidValue(table)});
        if (member.empty() || (filter.empty() && !member.Bool(0, 1))) {
            continue;
        }
        const std::string change = "ALTER PUBLICATION " + pg::QuoteIdentifier(name);
        // The line feed ends a comment inside the filter.
        const std::string add = change + " ADD TABLE " + pg::QualifiedName(table) +
                                (filter.empty() ? "" : " WHERE (" + filter + "\n)");
        if (!filter.empty()) {
            RequireExpression(add, filter);
        }
        spi.Execute(change + " DROP TABLE " + pg::QualifiedName(table));
        spi.Execute(add);
        RequireIdentityColumns(spi, name, table);
    }
}

bool PublishesOldRows(const std::vector<std::string>& publications, core::Oid table) {
    return std::any_of(publications.begin(), publications.end(), [table](const std::string& name) {
        pg::SpiScope spi;
        return !spi.Execute(
                       "SELECT 1 FROM pg_publication p JOIN pg_publication_tables t ON "
                       "t.pubname = p.pubname JOIN pg_namespace n ON n.nspname = t.schemaname "
                       "JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename "
                       "WHERE p.pubname = $1 AND c.oid = $2 AND (p.pubupdate OR p.pubdelete)",
                       {pg::Param::Name(name), pg::Param::OidValue(table)})
                    .empty();
    });
}

void UnpublishTable(const std::string& stream, core::Oid table) {
    pg::CatalogScope as_extension;
    pg::SpiScope spi;
    for (const std::string& name : {FullName(stream), InsertName(stream)}) {
        const pg::Rows member = spi.Execute(
            "SELECT 1 FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid "
            "WHERE p.pubname = $1 AND r.prrelid = $2",
            {pg::Param::Name(name), pg::Param::OidValue(table)});
        if (!member.empty()) {
            spi.Execute("ALTER PUBLICATION " + pg::QuoteIdentifier(name) + " DROP TABLE " +
                        pg::QualifiedName(table));
        }
    }
}

void DropPublications(const std::string& stream) {
    pg::CatalogScope as_extension;
    pg::SpiScope spi;
    for (const std::string& name : {FullName(stream), InsertName(stream)}) {
        if (PublicationExists(spi, name)) {
            spi.Execute("DROP PUBLICATION " + pg::QuoteIdentifier(name));
        }
    }
}

std::vector<core::Oid> TablesOfPublication(const std::string& publication) {
    std::vector<core::Oid> tables;
    pg::SpiScope spi;
    const pg::Rows rows = spi.Execute(
        "SELECT DISTINCT c.oid FROM pg_publication_tables p JOIN pg_namespace n ON n.nspname = "
        "p.schemaname JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename "
        "WHERE p.pubname = $1 AND p.schemaname <> 'bitvelocity' ORDER BY 1",
        {pg::Param::Name(publication)});
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (!trail::IsBronzeTable(rows.OidValue(i, 1))) {
            tables.push_back(rows.OidValue(i, 1));
        }
    }
    return tables;
}

std::vector<std::string> PublicationsOf(const std::string& stream) {
    return {FullName(stream), InsertName(stream)};
}

}  // namespace bitvelocity::stream
