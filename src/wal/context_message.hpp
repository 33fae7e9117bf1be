// The content of a context message (prefix kContextPrefix): what a transaction says of its writer.
//
// Layout: the secret, actor, correlation id, traceparent, each ended by a zero byte; empty:
// unknown. Anybody may emit logical messages, so only the right secret makes one count. Any thread.
#pragma once

#include <string_view>

#include "core/change.hpp"

namespace bitvelocity::wal {

// Replaces `context` and returns true if `content` is well-formed and carries `secret`, which must
// not be empty. A correlation id that is no UUID is left out rather than handed to sinks that need
// one.
bool ReadContext(std::string_view content, std::string_view secret, core::Context& context);

}  // namespace bitvelocity::wal
