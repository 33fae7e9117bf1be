// Value: the text of a column -> Avro's binary form; and the building blocks of that form.
//
// Everything appends to a buffer. Numbers are checked against the range of their type, never cut. A
// text that the type has no form for (NaN in a decimal, infinity in a timestamp, 24:00 in a time, a
// second dimension in an array, a label the schema does not know yet) is kNoForm, whatever was
// appended by then is the caller's to take back. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "format/avro/type.hpp"

namespace bitvelocity::format::avro {

// The branches of a union ["null", T].
inline constexpr std::int64_t kNullBranch = 0;
inline constexpr std::int64_t kValueBranch = 1;

void AppendLong(std::string& out, std::int64_t value);  // zigzag; also int and lengths
void AppendBytes(std::string& out, std::string_view bytes);
// A union ["null", "string"]: empty is null.
void AppendOptionalString(std::string& out, std::string_view text);

enum class Outcome : std::uint8_t { kWritten, kNoForm, kInvalidUtf8 };

// Without the branch of a union.
[[nodiscard]] Outcome AppendValue(std::string& out, const Type& type, std::string_view text);

}  // namespace bitvelocity::format::avro
