// The table of a dataset: found, made or completed, always with the rights of the dataset's owner.
// Main thread, inside a transaction.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pg/spi.hpp"

namespace bitvelocity::medallion {

struct TargetColumn {
    std::string name;
    std::string type;       // as format_type writes it, with its modifier
    std::string collation;  // quoted, or empty
};

// format_type of a type, qualified where it is not PostgreSQL's own.
[[nodiscard]] std::string TypeName(pg::SpiScope& spi, std::uint32_t type, std::int32_t modifier);
// Quoted name of a collation that is not its type's usual one; empty otherwise.
[[nodiscard]] std::string CollationName(pg::SpiScope& spi, std::uint32_t collation);
// The columns of a table, in its order; no system columns.
[[nodiscard]] std::vector<TargetColumn> ColumnsOf(pg::SpiScope& spi, std::uint32_t relation);
// The table called `name` ("schema"."table", or a name in `schema`); 0: there is none.
[[nodiscard]] std::uint32_t FindTable(pg::SpiScope& spi, const std::string& name,
                                      const std::string& schema);
// "schema"."table" of a table to be made.
[[nodiscard]] std::string NewTableName(pg::SpiScope& spi, const std::string& name,
                                       const std::string& schema);
// Throws unless the existing table may be a dataset's target: an ordinary or partitioned table of
// `owner`, no other dataset's.
void CheckTarget(pg::SpiScope& spi, std::uint32_t target, std::uint32_t owner);
// A unique index on exactly these columns exists.
[[nodiscard]] bool HasUniqueKey(pg::SpiScope& spi, std::uint32_t relation,
                                const std::vector<std::string>& key);
}  // namespace bitvelocity::medallion
