// What a rollup's query says, found in the server's analyzed query tree.
//
// Main thread, inside a transaction, as the caller: names are resolved through its search_path and
// come back qualified.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "medallion/analyzed_query.hpp"
#include "medallion/model/rollup_shape.hpp"

namespace bitvelocity::medallion {

struct AggregatedColumn : QueryColumn {
    bool grouped = false;
    std::string expression;
};

struct Aggregation {
    std::string query;     // qualified
    std::string why_full;  // empty: incremental
    std::vector<AggregatedColumn> columns;
    std::vector<std::uint32_t> relations;  // every table it reads
};

// Throws 0A000 for what cannot be kept up to date (volatile or clock functions, views, foreign
// tables).
[[nodiscard]] Aggregation AnalyzeAggregation(const std::string& query);

// `query` with a further condition in its WHERE; both over qualified names, $1 is jsonb.
[[nodiscard]] std::string Restrict(const std::string& query, const std::string& condition);

}  // namespace bitvelocity::medallion
