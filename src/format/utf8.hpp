// Utf8: well-formedness by RFC 3629, and the refusal of what is not.
//
// The server guarantees UTF-8 except in databases of encoding SQL_ASCII, where any bytes may come.
// Any thread.
#pragma once

#include <cstddef>
#include <string_view>

#include "core/change.hpp"
#include "core/status.hpp"

namespace bitvelocity::format {

// Length of the sequence that `text`, not empty, begins with; 0 if it is not well-formed.
[[nodiscard]] std::size_t Utf8SequenceLength(std::string_view text);
[[nodiscard]] bool IsUtf8(std::string_view text);
// Every name that a message about this relation spells.
[[nodiscard]] bool NamesAreUtf8(const core::RelationSchema& relation);
// 22021, naming the table.
[[nodiscard]] core::Status InvalidEncoding(const core::Change& change);

}  // namespace bitvelocity::format
