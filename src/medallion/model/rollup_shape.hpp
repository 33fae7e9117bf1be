// RollupShape: how a gold table follows from its query, and the statements that keep it so.
//
// Incremental: one table, grouped; only touched groups are recomputed, by the query itself with a
// condition on its GROUP BY expressions. Otherwise the whole result is recomputed. Group values
// travel as JSON and are compared as values of their types; groups with NULLs are handled by null
// pattern, because NULL is in no list. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/status.hpp"

namespace bitvelocity::medallion {

struct RollupColumn {
    std::string name;
    std::string type;        // as format_type writes it
    std::string expression;  // group columns of an incremental rollup: over the source's columns
    bool grouped = false;
};

struct RollupShape {
    bool incremental = false;
    std::string why_full;  // where not incremental: the reason, for people
    std::vector<RollupColumn> columns;
};

[[nodiscard]] std::string ToJson(const RollupShape& shape);
[[nodiscard]] core::Result<RollupShape> RollupShapeFromJson(std::string_view json);

[[nodiscard]] std::vector<RollupColumn> GroupColumns(const RollupShape& shape);

// Which group columns are NULL, one character each: '1' NULL, '0' a value.
using NullPattern = std::string;

// The condition that restricts the query to the groups in $1 (jsonb [{"k1": ..., ...}]).
[[nodiscard]] std::string GroupCondition(const RollupShape& shape, const NullPattern& nulls);
// Recomputes the groups in $1; `restricted`: the query with that condition.
// Returns (rows put, rows removed).
[[nodiscard]] std::string RecomputeSql(const RollupShape& shape, const std::string& target,
                                       const std::string& restricted, const NullPattern& nulls);
// DISTINCT groups (jsonb arrays) of the transition tables called in `rows`.
[[nodiscard]] std::string TouchedSql(const RollupShape& shape,
                                     const std::vector<std::string>& rows);
// Touched groups by null pattern: $1 jsonb array of groups. Returns (pattern, jsonb for
// RecomputeSql).
[[nodiscard]] std::string PatternSql(const RollupShape& shape);
// INSERT of the whole result.
[[nodiscard]] std::string FillSql(const RollupShape& shape, const std::string& target,
                                  const std::string& query);

}  // namespace bitvelocity::medallion
