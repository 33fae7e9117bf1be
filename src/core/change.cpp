#include "core/change.hpp"

namespace bitvelocity::core {

namespace {

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every input bit reaches every output bit.
std::uint64_t Mix(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

std::uint64_t HashText(std::string_view text, std::uint64_t seed) {
    std::uint64_t h = seed ^ 0xcbf29ce484222325ULL;  // FNV-1a, then mixed
    for (const char c : text) {
        h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    return Mix(h);
}

std::uint64_t TransactionHash(const Identity& identity) {
    std::uint64_t h = 0;
    if (identity.source != nullptr) {
        h = HashText(identity.source->stream, identity.source->system_identifier);
        h = Mix(h ^ identity.source->database_oid);
        h = Mix(h ^ static_cast<std::uint32_t>(identity.source->epoch));
    }
    h = Mix(h ^ identity.commit_lsn.value);
    return Mix(h ^ identity.xid);
}

// A TRUNCATE of a whole schema has a part per table.
constexpr int kPartBits = 20;

}  // namespace

EventId MakeEventId(const Identity& identity) {
    return EventIds().Make(identity);
}

EventId EventIds::Make(const Identity& identity) {
    if (!known_ || identity.source != source_ || identity.commit_lsn != commit_lsn_ ||
        identity.xid != xid_) {
        known_ = true;
        source_ = identity.source;
        commit_lsn_ = identity.commit_lsn;
        xid_ = identity.xid;
        hash_ = TransactionHash(identity);
    }
    const std::uint64_t lsn60 = identity.commit_lsn.value >> 4;
    const std::uint64_t position = (identity.ordinal << kPartBits) + identity.part;
    const std::uint64_t high = ((lsn60 >> 12) << 16) | (8ULL << 12) | (lsn60 & 0xfffULL);
    const std::uint64_t low = (2ULL << 62) | ((hash_ + position) & 0x3fffffffffffffffULL);

    EventId id{};
    for (int i = 0; i < 8; ++i) {
        id.bytes[i] = static_cast<std::uint8_t>(high >> (56 - 8 * i));
        id.bytes[8 + i] = static_cast<std::uint8_t>(low >> (56 - 8 * i));
    }
    return id;
}

void AppendUuid(std::string& out, const EventId& id) {
    static constexpr char kHex[] = "0123456789abcdef";
    for (int i = 0; i < 16; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            out.push_back('-');
        }
        out.push_back(kHex[id.bytes[i] >> 4]);
        out.push_back(kHex[id.bytes[i] & 0xf]);
    }
}

std::string_view OperationName(Operation operation) {
    switch (operation) {
        case Operation::kInsert:
            return "INSERT";
        case Operation::kUpdate:
            return "UPDATE";
        case Operation::kDelete:
            return "DELETE";
        case Operation::kTruncate:
            return "TRUNCATE";
        case Operation::kRead:
            return "READ";
        case Operation::kMessage:
            return "MESSAGE";
    }
    return "UNKNOWN";
}

}  // namespace bitvelocity::core
