#include "wal/context_message.hpp"

#include "wal/schema_message.hpp"
#include "wal/watermark_message.hpp"

#include <cstddef>
#include <string>

namespace bitvelocity::wal {

namespace {

// Takes the same time wherever the first difference is.
bool SameSecret(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) {
        return false;
    }
    unsigned char difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        difference = static_cast<unsigned char>(difference | (a[i] ^ b[i]));
    }
    return difference == 0;
}

bool IsUuid(std::string_view text) {
    if (text.size() != 36) {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (dash ? c != '-' : !hex) {
            return false;
        }
    }
    return true;
}

// False if there is no zero byte; else cuts the field and its end off `rest`.
bool TakeField(std::string_view& rest, std::string_view& field) {
    const std::size_t zero = rest.find('\0');
    if (zero == std::string_view::npos) {
        return false;
    }
    field = rest.substr(0, zero);
    rest.remove_prefix(zero + 1);
    return true;
}

}  // namespace

std::string_view ReadSchemaMessage(std::string_view content, std::string_view secret,
                                   std::string_view stream) {
    std::string_view claimed;
    std::string_view streams;
    if (secret.empty() || !TakeField(content, claimed) || !SameSecret(claimed, secret) ||
        !TakeField(content, streams) || content.find('\0') == std::string_view::npos) {
        return {};
    }
    while (!streams.empty()) {
        const std::size_t comma = streams.find(',');
        if (streams.substr(0, comma) == stream) {
            return content;
        }
        streams.remove_prefix(comma == std::string_view::npos ? streams.size() : comma + 1);
    }
    return {};
}

std::string_view ReadWatermark(std::string_view content, std::string_view secret,
                               std::string_view stream) {
    std::string_view claimed;
    std::string_view name;
    if (secret.empty() || !TakeField(content, claimed) || !SameSecret(claimed, secret) ||
        !TakeField(content, name) || name != stream) {
        return {};
    }
    return content;
}

bool ReadContext(std::string_view content, std::string_view secret, core::Context& context) {
    std::string_view claimed;
    std::string_view actor;
    std::string_view correlation_id;
    std::string_view traceparent;
    if (secret.empty() || !TakeField(content, claimed) || !SameSecret(claimed, secret) ||
        !TakeField(content, actor) || !TakeField(content, correlation_id) ||
        !TakeField(content, traceparent) || !content.empty()) {
        return false;
    }
    context.actor = actor;
    context.correlation_id = IsUuid(correlation_id) ? correlation_id : std::string_view{};
    context.traceparent = traceparent;
    return true;
}

}  // namespace bitvelocity::wal
