// Row: the columns of one tuple -> the record of its compiled Type.
//
// A value that is not in the WAL, or that its field has no form for, is null in its field and told
// in Extras under the column's name; without Extras, or where the field must not be null, it is an
// error of the change (22003), for nothing is ever made up. One thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/change.hpp"
#include "format/avro/type.hpp"

namespace bitvelocity::format::avro {

// The fields behind a row's own.
inline constexpr std::string_view kUnchangedField = "_unchanged";
inline constexpr std::string_view kTextField = "_text";

struct Extras {
    std::vector<std::string_view> unchanged;
    std::vector<std::pair<std::string_view, std::string_view>> texts;
};

// 22021 for what is no UTF-8. `extras` may be null.
[[nodiscard]] core::Status AppendRow(std::string& out, const Type& record,
                                     const core::Change& change, core::Tuple tuple, Extras* extras);

// The two fields as they stand in a schema, and as they are written.
[[nodiscard]] Json ExtraFields();
void AppendExtras(std::string& out, const Extras& extras);

}  // namespace bitvelocity::format::avro
