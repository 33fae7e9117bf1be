#include "format/utf8.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

namespace bitvelocity::format {

namespace {

bool TypeNamesAreUtf8(const core::TypeDescription& type) {
    return (type.element == nullptr || TypeNamesAreUtf8(*type.element)) &&
           std::all_of(type.labels.begin(), type.labels.end(),
                       [](const std::string& label) { return IsUtf8(label); }) &&
           std::all_of(type.attributes.begin(), type.attributes.end(),
                       [](const core::TypeAttribute& attribute) {
                           return IsUtf8(attribute.name) && TypeNamesAreUtf8(*attribute.type);
                       });
}

}  // namespace

std::size_t Utf8SequenceLength(std::string_view text) {
    const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto follows = [&](std::size_t count) {
        if (text.size() <= count) {
            return false;
        }
        for (std::size_t i = 1; i <= count; ++i) {
            if ((byte(i) & 0xc0) != 0x80) {
                return false;
            }
        }
        return true;
    };
    const unsigned char first = byte(0);
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        return follows(1) ? 2 : 0;
    }
    if (first >= 0xe0 && first <= 0xef) {
        const bool overlong = first == 0xe0 && text.size() > 1 && byte(1) < 0xa0;
        const bool surrogate = first == 0xed && text.size() > 1 && byte(1) > 0x9f;
        return follows(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        const bool overlong = first == 0xf0 && text.size() > 1 && byte(1) < 0x90;
        const bool too_large = first == 0xf4 && text.size() > 1 && byte(1) > 0x8f;
        return follows(3) && !overlong && !too_large ? 4 : 0;
    }
    return 0;
}

bool IsUtf8(std::string_view text) {
    constexpr std::uint64_t kHighs = 0x8080808080808080ULL;
    std::size_t i = 0;
    while (i < text.size()) {
        std::uint64_t word = 0;
        if (text.size() - i >= sizeof(word)) {
            std::memcpy(&word, text.data() + i, sizeof(word));
            if ((word & kHighs) == 0) {
                i += sizeof(word);
                continue;
            }
        }
        const std::size_t length = Utf8SequenceLength(text.substr(i));
        if (length == 0) {
            return false;
        }
        i += length;
    }
    return true;
}

bool NamesAreUtf8(const core::RelationSchema& relation) {
    return IsUtf8(relation.schema) && IsUtf8(relation.name) &&
           std::all_of(relation.columns.begin(), relation.columns.end(),
                       [](const core::Column& column) {
                           return IsUtf8(column.name) && TypeNamesAreUtf8(*column.type);
                       });
}

core::Status InvalidEncoding(const core::Change& change) {
    std::string detail = "The change at WAL position " + core::ToString(change.lsn);
    if (change.relation != nullptr) {
        detail += " of table \"" + change.relation->schema + "\".\"" + change.relation->name + "\"";
    }
    detail += " holds bytes that are no text.";
    return core::Status::Fail("22021", "invalid byte sequence for encoding \"UTF8\"",
                              std::move(detail),
                              "A database of encoding SQL_ASCII stores any bytes; store this text "
                              "as UTF-8 or as bytea.");
}

}  // namespace bitvelocity::format
