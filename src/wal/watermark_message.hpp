// The content of a watermark (prefix kWatermarkPrefix): a non-transactional message with which a
// stream that reads existing rows finds, in its own WAL, the place behind everything a chunk sees.
//
// Layout: the secret, the stream's name, each ended by a zero byte; then what the writer recognises
// its chunk by and the snapshot it was read under, as text. Anybody may emit logical messages, so
// only the right secret makes one count. Any thread.
#pragma once

#include <string_view>

namespace bitvelocity::wal {

// What stands behind the name, if `content` carries `secret`, which must not be empty, and is of
// `stream`; else empty.
[[nodiscard]] std::string_view ReadWatermark(std::string_view content, std::string_view secret,
                                             std::string_view stream);

}  // namespace bitvelocity::wal
