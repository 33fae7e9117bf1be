// Percent: percent-encoding of URIs (RFC 3986).
#pragma once

#include <string>
#include <string_view>

namespace bitvelocity::core {

// A value inside one segment of a URI's path: every byte but letters, digits and "-._~" becomes
// "%XX". Any thread.
[[nodiscard]] std::string PercentEncoded(std::string_view text);

}  // namespace bitvelocity::core
