// SilverShape: how a row of a source table becomes a row of a silver table.
//
// Pure: names, types and the query are text that medallion/projection found in the catalogue and in
// the analyzed query. Kept as JSON with the dataset. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/status.hpp"

namespace bitvelocity::medallion {

struct SourceColumn {
    std::string name;
    std::string type;     // as format_type writes it, with its modifier
    bool needed = false;  // the query reads it
};

struct OutputColumn {
    std::string name;    // of the target table
    std::string cast;    // empty, or what to cast the query's column to
    std::string type;    // of the target's column, as format_type writes it
    std::string source;  // the source column it copies unchanged; empty: computed
};

struct SilverShape {
    std::vector<SourceColumn> source;
    std::vector<OutputColumn> output;     // in the order of the query's columns
    std::vector<std::string> key;         // columns of the target
    std::vector<std::string> key_source;  // the source columns they copy, in the same order
    std::string query;                    // SELECT over a relation called source, names qualified
    bool may_filter = false;              // the query can return no row
    bool may_repeat = false;              // the query can return several rows
};

[[nodiscard]] std::string ToJson(const SilverShape& shape);
[[nodiscard]] core::Result<SilverShape> SilverShapeFromJson(std::string_view json);

// Columns that the server adds to every silver table.
inline constexpr const char* kQualityColumns[][2] = {
    {"data_quality_score", "numeric"},
    {"quality_checks_passed", "text[]"},
    {"quality_issues", "text[]"},
    {"source_bronze_id", "uuid"},
    {"source_sequence", "bigint"},
    {"source_position", "bigint[]"},
    {"processed_at", "timestamp with time zone"},
    {"processing_version", "integer"},
};

}  // namespace bitvelocity::medallion
