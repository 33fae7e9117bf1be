// ConnectionFile: where brokers and secrets come from (setting bitvelocity.connection_file).
//
//   # a comment; values go to the end of the line and are taken as they are
//   [default]
//   bootstrap.servers = broker-1:9092,broker-2:9092
//   [billing]
//   ...
//
// Lines before the first section belong to [default]. Pure: text in, properties out; who reads the
// file also asks CheckConnectionFile. No value ever gets into an error message. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/status.hpp"

namespace bitvelocity::sink {

inline constexpr std::string_view kDefaultConnection = "default";

// In the order of the file.
using ConnectionProperties = std::vector<std::pair<std::string, std::string>>;

struct ConnectionFile {
    std::map<std::string, ConnectionProperties, std::less<>> connections;
};

// Errors (F0000) name the line.
[[nodiscard]] core::Result<ConnectionFile> ParseConnectionFile(std::string_view text);

// 22023 with the nearest name in the HINT.
[[nodiscard]] core::Result<ConnectionProperties> FindConnection(const ConnectionFile& file,
                                                                std::string_view name);

// The rule PostgreSQL has for ssl_key_file: a regular file; of the server's user without any right
// for group and others, or of root, who may let the server's group read. `mode` and `owner` are
// stat's.
[[nodiscard]] core::Status CheckConnectionFile(std::uint32_t mode, std::uint32_t owner,
                                               std::uint32_t server_user);

}  // namespace bitvelocity::sink
