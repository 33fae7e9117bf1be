// Rules of a table, from the catalogue. Main thread, inside a transaction.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "quality/model/expression.hpp"
#include "quality/model/rule.hpp"

namespace bitvelocity::quality {

// The active rules of a table, in order of their names. Throws 42703 where a rule's column is gone.
[[nodiscard]] std::vector<Rule> LoadRules(std::uint32_t relation);

}  // namespace bitvelocity::quality
