// Frame: the byte stream between decoder and deliverer, self-contained so that it can be recorded
// and replayed without a server.
//
// A batch is a sequence of frames: uint32 length | uint64 lsn | `length` bytes, all in host byte
// order (both ends are processes of one machine). `lsn` is the change's LSN, which pgoutput's bytes
// do not carry. The bytes are one message: pgoutput's own (PostgreSQL documentation, "Logical
// Replication Message Formats", protocol version 1, text), or one of ours, told apart by the first
// byte:
//
//   'x'  types of the Relation message just before:
//        Int32 relation oid, Int16 columns, then per column Int8 flags (1 not null, 2 primary key,
//        and what follows: 4 Int16 attribute number, 8 Int8 place in the key's index, from 1,
//        16 String default as pg_get_expr prints it), type
//        type: Int32 oid, String schema, String name, Int8 kind (core::TypeKind), Int8
//        category,
//              Int8 delimiter, Int32 base typmod, Int8 has_element [type],
//              Int16 labels {String}, Int16 attributes {String name, Int32 typmod, type}
//        (big-endian and zero-terminated strings, as pgoutput's; at most kMaxTypeDepth deep)
//   'w'  nothing is in flight: the WAL is read up to `lsn`, nothing before it is missing
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "core/lsn.hpp"

namespace bitvelocity::wal {

inline constexpr char kTypesTag = 'x';
inline constexpr char kProgressTag = 'w';
inline constexpr std::size_t kFrameHeader = sizeof(std::uint32_t) + sizeof(std::uint64_t);
inline constexpr int kMaxTypeDepth = 16;

struct Frame {
    core::Lsn lsn;
    std::string_view bytes;
};

// Takes frames off a batch. A batch always ends at a frame boundary; one that does not is refused.
class FrameReader {
  public:
    explicit FrameReader(std::span<const std::byte> batch) : rest_(batch) {}

    // False at the end of the batch and at a frame that is cut off (see broken()).
    [[nodiscard]] bool Next(Frame& frame) {
        if (rest_.size() < kFrameHeader) {
            broken_ = !rest_.empty();
            return false;
        }
        std::uint32_t length = 0;
        std::memcpy(&length, rest_.data(), sizeof(length));
        std::memcpy(&frame.lsn.value, rest_.data() + sizeof(length), sizeof(frame.lsn.value));
        if (rest_.size() - kFrameHeader < length) {
            broken_ = true;
            return false;
        }
        frame.bytes = {reinterpret_cast<const char*>(rest_.data()) + kFrameHeader, length};
        rest_ = rest_.subspan(kFrameHeader + length);
        return true;
    }
    [[nodiscard]] bool broken() const { return broken_; }

  private:
    std::span<const std::byte> rest_;
    bool broken_ = false;
};

// For tests and recordings; the decoder writes the same bytes from C-like code.
inline void AppendFrame(std::string& batch, core::Lsn lsn, std::string_view bytes) {
    const auto length = static_cast<std::uint32_t>(bytes.size());
    batch.append(reinterpret_cast<const char*>(&length), sizeof(length));
    batch.append(reinterpret_cast<const char*>(&lsn.value), sizeof(lsn.value));
    batch.append(bytes);
}

}  // namespace bitvelocity::wal
