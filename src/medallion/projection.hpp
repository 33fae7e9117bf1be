// What a user's query says, found in the server's own analyzed query tree, never in its text.
//
// Names are resolved as the caller sees them (its search_path) and come back qualified. Main
// thread, inside a transaction, as the caller.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "medallion/analyzed_query.hpp"
#include "medallion/model/silver_shape.hpp"

namespace bitvelocity::medallion {

struct ProjectedColumn : QueryColumn {
    std::string source;  // the source column it is; empty: computed
};

struct Projection {
    std::string query;  // SELECT ... FROM source ..., without the source's definition
    std::vector<ProjectedColumn> columns;
    std::vector<std::string> used;         // source columns that the query reads
    std::vector<std::uint32_t> relations;  // other tables it reads
    bool may_filter = false;
    bool may_repeat = false;
};

// `query`: one SELECT over a relation called source. Throws 0A000 for what cannot be applied row by
// row (aggregates, DISTINCT, LIMIT, set operations, WITH, volatile functions).
[[nodiscard]] Projection AnalyzeProjection(const std::vector<SourceColumn>& source,
                                           const std::string& query);

}  // namespace bitvelocity::medallion
