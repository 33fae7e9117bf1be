#include "partition/convert.hpp"

#include "pg/boundary.hpp"
#include "pg/spi.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::partition {

namespace {

std::vector<std::string> Texts(pg::SpiScope& spi, const std::string& sql, std::uint32_t relation) {
    const pg::Rows rows = spi.Execute(sql, {pg::Param::OidValue(relation)});
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (const auto text = rows.Text(i, 1)) {
            texts.push_back(*text);
        }
    }
    return texts;
}

void RefuseRows(pg::SpiScope& spi, std::uint32_t relation, const std::string& table,
                const std::string& control, const std::string& every) {
    if (spi.Execute("SELECT 1 FROM ONLY " + table + " LIMIT 1").empty()) {
        return;
    }
    const std::string name = pg::QuoteIdentifier(pg::RelationName(relation));
    const std::string old_name = pg::QuoteIdentifier(pg::RelationName(relation) + "_old");
    const std::string schema = pg::QuoteIdentifier(pg::RelationSchema(relation));
    const std::string column = pg::QuoteIdentifier(control);
    pg::Throw(core::kObjectNotInPrerequisiteState,
              "table " + table + " is not partitioned and has rows",
              "Rows have to move into partitions, which locks the table for long.",
              "Choose a quiet time and run: BEGIN; ALTER TABLE " + table + " RENAME TO " +
                  old_name + "; CREATE TABLE " + table + " (LIKE " + schema + "." + old_name +
                  " INCLUDING ALL) PARTITION BY RANGE (" + column +
                  "); SELECT bitvelocity.partition_table('" + schema + "." + name + "', " +
                  pg::QuoteLiteral(control) + ", " + pg::QuoteLiteral(every) +
                  ", since => (SELECT min(" + column + ") FROM " + schema + "." + old_name +
                  ")); INSERT INTO " + table + " SELECT * FROM " + schema + "." + old_name +
                  "; COMMIT; every key must include " + column + ".");
}

// What would be left pointing at the old table.
void RefuseDependents(pg::SpiScope& spi, std::uint32_t relation, const std::string& table) {
    const std::vector<std::string> dependents = Texts(
        spi,
        "SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, 0) "
        "FROM pg_catalog.pg_depend d WHERE d.deptype = 'n' AND ((d.refclassid = "
        "'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = $1) OR (d.refclassid = "
        "'pg_catalog.pg_type'::pg_catalog.regclass AND d.refobjid IN (SELECT t.oid FROM "
        "pg_catalog.pg_type t WHERE t.typrelid = $1 OR t.typelem IN (SELECT e.oid FROM "
        "pg_catalog.pg_type e WHERE e.typrelid = $1)))) AND NOT (d.classid = "
        "'pg_catalog.pg_constraint'::pg_catalog.regclass AND EXISTS (SELECT FROM "
        "pg_catalog.pg_constraint c WHERE c.oid = d.objid AND c.conrelid = $1 AND c.confrelid <> "
        "$1)) AND NOT (d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND EXISTS (SELECT "
        "FROM pg_catalog.pg_attrdef f WHERE f.oid = d.objid AND f.adrelid = $1)) "
        "UNION SELECT 'publication ' || p.pubname FROM pg_catalog.pg_publication_rel r JOIN "
        "pg_catalog.pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = $1 "
        "UNION SELECT 'policy ' || polname FROM pg_catalog.pg_policy WHERE polrelid = $1 "
        "UNION SELECT 'rule ' || rulename FROM pg_catalog.pg_rewrite WHERE ev_class = $1 "
        "UNION SELECT 'inheritance' FROM pg_catalog.pg_inherits WHERE inhrelid = $1 OR inhparent = "
        "$1 "
        "UNION SELECT 'its audit' FROM pg_catalog.pg_trigger WHERE tgrelid = $1 AND tgname IN "
        "('bitvelocity_audit', 'bitvelocity_soft_delete') ORDER BY 1",
        relation);
    if (dependents.empty()) {
        return;
    }
    std::string list;
    for (const std::string& dependent : dependents) {
        list += (list.empty() ? "" : ", ") + dependent;
    }
    pg::Throw(core::kObjectNotInPrerequisiteState,
              "table " + table + " cannot be made partitioned in place",
              "These hang on it: " + list + ".",
              "Take them off the table, partition it, then put them back.");
}

// A key of a partitioned table includes what it is partitioned by.
void RequireControlInKeys(pg::SpiScope& spi, std::uint32_t relation, const std::string& table,
                          const std::string& control) {
    const pg::Rows lacking = spi.Execute(
        "SELECT pg_catalog.format('%I', c.relname), i.indisprimary, (SELECT "
        "pg_catalog.string_agg(pg_catalog.format('%I', a.attname), ', ' ORDER BY k.at) FROM "
        "pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS k (n, at) JOIN "
        "pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n WHERE k.at <= "
        "i.indnkeyatts) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = "
        "i.indexrelid "
        "WHERE i.indrelid = $1 AND i.indisunique AND NOT EXISTS (SELECT FROM "
        "pg_catalog.pg_attribute a WHERE a.attrelid = $1 AND a.attname = $2 AND a.attnum = ANY "
        "(i.indkey::pg_catalog.int2[])) ORDER BY i.indisprimary DESC LIMIT 1",
        {pg::Param::OidValue(relation), pg::Param::Name(control)});
    if (lacking.empty()) {
        return;
    }
    const std::string name = *lacking.Text(0, 1);
    const std::string columns =
        lacking.Text(0, 3).value_or("") + ", " + pg::QuoteIdentifier(control);
    pg::Throw("42P16", "unique index " + name + " does not include column \"" + control + "\"",
              "A unique key of a partitioned table includes the column it is partitioned by.",
              "Run ALTER TABLE " + table + " DROP CONSTRAINT " + name + ", ADD " +
                  (lacking.Bool(0, 2) ? "PRIMARY KEY" : "UNIQUE") + " (" + columns + ");");
}

// Statements that put back what LIKE leaves out; written down while the old table has its name.
std::vector<std::string> Rest(pg::SpiScope& spi, std::uint32_t relation, const std::string& table) {
    std::vector<std::string> statements;
    const auto add = [&](const std::string& sql) {
        for (std::string& text : Texts(spi, sql, relation)) {
            statements.push_back(std::move(text));
        }
    };
    const std::string literal = pg::QuoteLiteral(table);
    add("SELECT pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', " + literal +
        ", conname, pg_catalog.pg_get_constraintdef(oid)) FROM pg_catalog.pg_constraint WHERE "
        "conrelid = $1 AND contype = 'f' ORDER BY conname");
    add("SELECT pg_catalog.pg_get_triggerdef(oid) FROM pg_catalog.pg_trigger WHERE tgrelid = $1 "
        "AND "
        "NOT tgisinternal ORDER BY tgname");
    add("SELECT pg_catalog.format('ALTER TABLE %s %s TRIGGER %I', " + literal +
        ", CASE tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE "
        "'DISABLE' END, tgname) FROM pg_catalog.pg_trigger WHERE tgrelid = $1 AND NOT tgisinternal "
        "AND tgenabled <> 'O'");
    add("SELECT pg_catalog.format('GRANT %s ON %s TO %s%s', a.privilege_type, " + literal +
        ", CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident("
        "pg_catalog.pg_get_userbyid(a.grantee)) END, CASE WHEN a.is_grantable THEN ' WITH GRANT "
        "OPTION' ELSE '' END) FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a WHERE "
        "c.oid = $1 AND a.grantee <> c.relowner");
    add("SELECT pg_catalog.format('GRANT %s (%I) ON %s TO %s%s', a.privilege_type, t.attname, " +
        literal +
        ", CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident("
        "pg_catalog.pg_get_userbyid(a.grantee)) END, CASE WHEN a.is_grantable THEN ' WITH GRANT "
        "OPTION' ELSE '' END) FROM pg_catalog.pg_attribute t, pg_catalog.aclexplode(t.attacl) a "
        "WHERE t.attrelid = $1 AND NOT t.attisdropped");
    add("SELECT pg_catalog.format('COMMENT ON TABLE %s IS %L', " + literal +
        ", pg_catalog.obj_description($1, 'pg_class')) WHERE pg_catalog.obj_description($1, "
        "'pg_class') IS NOT NULL");
    add("SELECT pg_catalog.format('ALTER SEQUENCE %s OWNED BY %s.%I', "
        "d.objid::pg_catalog.regclass, " +
        literal +
        ", a.attname) FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class s ON s.oid = d.objid "
        "AND "
        "s.relkind = 'S' JOIN pg_catalog.pg_attribute a ON a.attrelid = $1 AND a.attnum = "
        "d.refobjsubid WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND "
        "d.refclassid "
        "= 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = $1 AND d.deptype = 'a'");
    add("SELECT pg_catalog.format('ALTER TABLE %s REPLICA IDENTITY %s', " + literal +
        ", CASE relreplident WHEN 'f' THEN 'FULL' ELSE 'NOTHING' END) FROM pg_catalog.pg_class "
        "WHERE "
        "oid = $1 AND relreplident IN ('f', 'n')");
    return statements;
}

}  // namespace

std::uint32_t ConvertEmptyTable(std::uint32_t relation, const std::string& control,
                                const std::string& every) {
    const std::string table = pg::QualifiedName(relation);
    const std::string schema = pg::RelationSchema(relation);
    std::string old_name = pg::RelationName(relation);
    old_name.resize(
        pg_mbcliplen(old_name.c_str(), static_cast<int>(old_name.size()), NAMEDATALEN - 1 - 10));
    old_name += "_unparted_";
    pg::SpiScope spi;
    pg::Call([relation]() { LockRelationOid(relation, AccessExclusiveLock); });
    RefuseRows(spi, relation, table, control, every);
    RefuseDependents(spi, relation, table);
    RequireControlInKeys(spi, relation, table, control);
    const std::vector<std::string> rest = Rest(spi, relation, table);
    const std::string old_table = pg::QuoteIdentifier(schema) + "." + pg::QuoteIdentifier(old_name);
    spi.Execute("ALTER TABLE " + table + " RENAME TO " + pg::QuoteIdentifier(old_name));
    // Indexes are named after the table, so the old ones make room first.
    const pg::Rows indexes = spi.Execute(
        "SELECT pg_catalog.format('ALTER INDEX %I.%I RENAME TO %I', n.nspname, c.relname, "
        "pg_catalog.left(c.relname, 50) || '_unparted_'), pg_catalog.format('ALTER INDEX %I.%I', "
        "n.nspname, c.relname) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = "
        "i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE i.indrelid = "
        "$1",
        {pg::Param::OidValue(relation)});
    for (std::size_t i = 0; i < indexes.size(); ++i) {
        spi.Execute(*indexes.Text(i, 1));
    }
    spi.Execute("CREATE TABLE " + table + " (LIKE " + old_table +
                " INCLUDING ALL) PARTITION BY RANGE (" + pg::QuoteIdentifier(control) + ")");
    for (const std::string& statement : rest) {
        spi.Execute(statement);
    }
    spi.Execute("DROP TABLE " + old_table);
    return spi
        .Execute("SELECT $1::pg_catalog.regclass::pg_catalog.oid",
                 {pg::Param::Text(std::string_view(table))})
        .OidValue(0, 1);
}

}  // namespace bitvelocity::partition
