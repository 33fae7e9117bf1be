// Registry: which tables are audited, and how (table bitvelocity.audit_table), with the plans that
// the row trigger uses. A plan lives until its relation or the registry's entry changes. Main
// thread, in a transaction.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "trail/trail_writer.hpp"

struct RelationData;

namespace bitvelocity::audit {

// The audit of this very table; nothing where it has none.
[[nodiscard]] std::optional<trail::TrailOptions> Find(std::uint32_t relation);

void Add(const trail::TrailOptions& options, std::string_view mode);
void Remove(std::uint32_t relation);

// The plan for rows of `relation`: of the table itself, or of the partitioned table above it.
// Throws 55000 where neither is audited.
[[nodiscard]] std::shared_ptr<trail::TrailPlan> PlanOf(RelationData* relation);

}  // namespace bitvelocity::audit
