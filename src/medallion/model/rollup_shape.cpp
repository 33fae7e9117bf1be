#include "medallion/model/rollup_shape.hpp"

#include <nlohmann/json.hpp>

#include "core/sql_text.hpp"

namespace bitvelocity::medallion {

using core::Join;
using core::QuoteName;
using core::QuoteText;
using nlohmann::json;

namespace {

std::string Number(std::size_t i) {
    return "k" + std::to_string(i + 1);
}

std::string Definition(const std::vector<RollupColumn>& groups) {
    std::vector<std::string> list;
    for (std::size_t i = 0; i < groups.size(); ++i) {
        list.push_back(Number(i) + " " + groups[i].type);
    }
    return Join(list, ", ");
}

// a.column = b.kN (or b.column), and IS NULL where the pattern says so.
std::string Match(const std::vector<RollupColumn>& groups, const NullPattern& nulls,
                  const std::string& a, const std::string& b, bool numbered) {
    std::vector<std::string> list;
    for (std::size_t i = 0; i < groups.size(); ++i) {
        const std::string left = a + "." + QuoteName(groups[i].name);
        const std::string right = b + "." + (numbered ? Number(i) : QuoteName(groups[i].name));
        list.push_back(nulls[i] == '1'
                           ? left + " IS NULL" + (numbered ? "" : " AND " + right + " IS NULL")
                           : left + " = " + right);
    }
    return Join(list, " AND ");
}

std::string Names(const std::vector<RollupColumn>& columns, const std::string& prefix = {}) {
    std::vector<std::string> list;
    for (const RollupColumn& column : columns) {
        list.push_back(prefix + QuoteName(column.name));
    }
    return Join(list, ", ");
}

}  // namespace

std::string ToJson(const RollupShape& shape) {
    json columns = json::array();
    for (const RollupColumn& column : shape.columns) {
        columns.push_back({{"name", column.name},
                           {"type", column.type},
                           {"expression", column.expression},
                           {"grouped", column.grouped}});
    }
    return json{
        {"incremental", shape.incremental}, {"why_full", shape.why_full}, {"columns", columns}}
        .dump();
}

core::Result<RollupShape> RollupShapeFromJson(std::string_view text) {
    try {
        const json parsed = json::parse(text);
        RollupShape shape;
        shape.incremental = parsed.at("incremental");
        shape.why_full = parsed.at("why_full");
        for (const json& column : parsed.at("columns")) {
            shape.columns.push_back({column.at("name"), column.at("type"), column.at("expression"),
                                     column.at("grouped")});
        }
        return shape;
    } catch (const json::exception& error) {
        return core::Status::Fail(core::kInternalError, "definition of the dataset is damaged",
                                  error.what());
    }
}

std::vector<RollupColumn> GroupColumns(const RollupShape& shape) {
    std::vector<RollupColumn> groups;
    for (const RollupColumn& column : shape.columns) {
        if (column.grouped) {
            groups.push_back(column);
        }
    }
    return groups;
}

std::string GroupCondition(const RollupShape& shape, const NullPattern& nulls) {
    const std::vector<RollupColumn> groups = GroupColumns(shape);
    std::vector<std::string> conditions;
    std::vector<std::string> values;
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < groups.size(); ++i) {
        if (nulls[i] == '1') {
            conditions.push_back("(" + groups[i].expression + ") IS NULL");
        } else {
            values.push_back("(" + groups[i].expression + ")");
            keys.push_back("bv_touched." + Number(i));
        }
    }
    if (!values.empty()) {
        conditions.push_back("(" + Join(values, ", ") + ") IN (SELECT " + Join(keys, ", ") +
                             " FROM jsonb_to_recordset($1) AS bv_touched(" + Definition(groups) +
                             "))");
    }
    return Join(conditions, " AND ");
}

std::string RecomputeSql(const RollupShape& shape, const std::string& target,
                         const std::string& restricted, const NullPattern& nulls) {
    const std::vector<RollupColumn> groups = GroupColumns(shape);
    std::vector<std::string> updates;
    std::vector<std::string> old_values;
    std::vector<std::string> new_values;
    for (const RollupColumn& column : shape.columns) {
        const std::string name = QuoteName(column.name);
        updates.push_back(name + " = excluded." + name);
        old_values.push_back("g." + name);
        new_values.push_back("excluded." + name);
    }
    // Compared as bytes: a type without equality, or 1.0 against 1.00, must not hide a change.
    return "WITH touched AS MATERIALIZED (SELECT * FROM jsonb_to_recordset($1) AS t(" +
           Definition(groups) + ")), fresh AS MATERIALIZED (" + restricted +
           "), gone AS (DELETE FROM " + target + " g USING touched t WHERE " +
           Match(groups, nulls, "g", "t", true) + " AND NOT EXISTS (SELECT FROM fresh f WHERE " +
           Match(groups, nulls, "g", "f", false) + ") RETURNING 1), put AS (INSERT INTO " + target +
           " AS g (" + Names(shape.columns) + ") SELECT " + Names(shape.columns, "f.") +
           " FROM fresh f ON CONFLICT (" + Names(groups) + ") DO UPDATE SET " +
           Join(updates, ", ") + " WHERE CAST(ROW(" + Join(old_values, ", ") +
           ") AS record) *<> CAST(ROW(" + Join(new_values, ", ") +
           ") AS record) RETURNING 1) SELECT (SELECT count(*) FROM put), (SELECT count(*) FROM "
           "gone)";
}

std::string TouchedSql(const RollupShape& shape, const std::vector<std::string>& rows) {
    std::vector<std::string> values;
    for (const RollupColumn& column : GroupColumns(shape)) {
        values.push_back("to_jsonb(" + column.expression + ")");
    }
    std::vector<std::string> parts;
    for (const std::string& table : rows) {
        parts.push_back("SELECT DISTINCT jsonb_build_array(" + Join(values, ", ") + ") FROM " +
                        table);
    }
    return Join(parts, " UNION ");
}

std::string PatternSql(const RollupShape& shape) {
    const std::size_t count = GroupColumns(shape).size();
    std::vector<std::string> pattern;
    std::vector<std::string> members;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string element = "g -> " + std::to_string(i);
        pattern.push_back("CASE WHEN " + element + " = 'null' THEN '1' ELSE '0' END");
        members.push_back(QuoteText(Number(i)) + "::text, " + element);
    }
    return "SELECT " + Join(pattern, " || ") + " AS pattern, jsonb_agg(jsonb_build_object(" +
           Join(members, ", ") + ")) FROM jsonb_array_elements($1) AS e(g) GROUP BY 1 ORDER BY 1";
}

std::string FillSql(const RollupShape& shape, const std::string& target, const std::string& query) {
    return "INSERT INTO " + target + " (" + Names(shape.columns) + ") " + query;
}

}  // namespace bitvelocity::medallion
