// Row expressions that users write for a rule: checked, and brought into one canonical text.
//
// Such an expression is evaluated with the rights of the table's owner, possibly on behalf of
// others (a silver dataset). So it may only look at its row: no subquery, no aggregate, and only
// functions, operators and types that the server itself brings and that are not volatile. Errors
// are 22023. Main thread, inside a transaction.
#pragma once

#include <cstdint>
#include <string>

namespace bitvelocity::quality {

// `text` as a boolean expression over the columns of `relation`; columns come back unqualified.
[[nodiscard]] std::string CheckedFilter(std::uint32_t relation, const std::string& text);

}  // namespace bitvelocity::quality
