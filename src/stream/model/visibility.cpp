#include "stream/model/visibility.hpp"

#include <algorithm>
#include <charconv>

namespace bitvelocity::stream::model {

namespace {

bool TakeNumber(std::string_view& text, std::uint64_t& value) {
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec != std::errc{}) {
        return false;
    }
    text.remove_prefix(static_cast<std::size_t>(result.ptr - text.data()));
    return true;
}

bool TakeCharacter(std::string_view& text, char c) {
    if (text.empty() || text.front() != c) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

}  // namespace

std::optional<Visibility> Visibility::Parse(std::string_view text) {
    Visibility snapshot;
    if (!TakeNumber(text, snapshot.xmin_) || !TakeCharacter(text, ':') ||
        !TakeNumber(text, snapshot.xmax_) || !TakeCharacter(text, ':')) {
        return std::nullopt;
    }
    while (!text.empty()) {
        std::uint64_t xid = 0;
        if (!TakeNumber(text, xid) || (!text.empty() && !TakeCharacter(text, ','))) {
            return std::nullopt;
        }
        snapshot.in_progress_.push_back(xid);
    }
    std::sort(snapshot.in_progress_.begin(), snapshot.in_progress_.end());
    return snapshot;
}

bool Visibility::Sees(std::uint32_t xid) const {
    // The 64-bit id with these low bits that lies nearest to xmax.
    const auto distance = static_cast<std::int32_t>(xid - static_cast<std::uint32_t>(xmax_));
    const std::uint64_t full =
        xmax_ + static_cast<std::uint64_t>(static_cast<std::int64_t>(distance));
    if (full < xmin_) {
        return true;
    }
    if (full >= xmax_) {
        return false;
    }
    return !std::binary_search(in_progress_.begin(), in_progress_.end(), full);
}

}  // namespace bitvelocity::stream::model
