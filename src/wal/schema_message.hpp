// The content of a schema-change message (prefix kSchemaPrefix): what DDL made of a table.
//
// Layout: the secret, the names of the streams that asked (each followed by a comma), each ended by
// a zero byte; then the event: its key, a zero byte, its value, both JSON objects. Anybody may emit
// logical messages, so only the right secret makes one count. Any thread.
#pragma once

#include <string_view>

namespace bitvelocity::wal {

// The event, if `content` is well-formed, carries `secret`, which must not be empty, and is for
// `stream`; else empty.
[[nodiscard]] std::string_view ReadSchemaMessage(std::string_view content, std::string_view secret,
                                                 std::string_view stream);

}  // namespace bitvelocity::wal
