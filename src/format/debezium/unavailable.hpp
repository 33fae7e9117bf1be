// Unavailable: what stands for a value that the WAL does not hold. Any thread.
#pragma once

#include <string>

#include "core/schema.hpp"
#include "format/debezium/value.hpp"

namespace bitvelocity::format::debezium {

// JSON in a form that the schema of `plan`, which is that of `type`, allows.
[[nodiscard]] std::string Unavailable(const ValuePlan& plan, const core::TypeDescription& type,
                                      const DebeziumOptions& options);

}  // namespace bitvelocity::format::debezium
