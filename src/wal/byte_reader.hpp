// ByteReader: a bounds-checked cursor over one message, big-endian as PostgreSQL's protocol.
//
// Reading past the end sets failed() for good and yields zeroes and empty views, so a caller may
// check once after several reads. Views borrow from the message. One thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace bitvelocity::wal {

class ByteReader {
  public:
    explicit ByteReader(std::string_view bytes)
        : next_(bytes.data()), end_(bytes.data() + bytes.size()) {}

    std::uint8_t U8() {
        if (next_ == end_) {
            return Fail();
        }
        return static_cast<std::uint8_t>(*next_++);
    }
    std::uint16_t U16() { return __builtin_bswap16(Load<std::uint16_t>()); }
    std::uint32_t U32() { return __builtin_bswap32(Load<std::uint32_t>()); }
    std::uint64_t U64() { return __builtin_bswap64(Load<std::uint64_t>()); }

    // Zero-terminated.
    std::string_view Text() {
        const void* zero = next_ == end_ ? nullptr : std::memchr(next_, 0, left());
        if (zero == nullptr) {
            Fail();
            return {};
        }
        const std::string_view text(next_, static_cast<const char*>(zero) - next_);
        next_ += text.size() + 1;
        return text;
    }

    std::string_view Bytes(std::size_t length) {
        if (left() < length) {
            Fail();
            return {};
        }
        const std::string_view bytes(next_, length);
        next_ += length;
        return bytes;
    }

    [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - next_); }
    [[nodiscard]] bool failed() const { return failed_; }
    // Everything was there and nothing is left over.
    [[nodiscard]] bool complete() const { return !failed_ && next_ == end_; }

  private:
    template <typename T>
    T Load() {
        static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the swaps assume little endian");
        if (left() < sizeof(T)) {
            return Fail();
        }
        T value;
        std::memcpy(&value, next_, sizeof(value));
        next_ += sizeof(value);
        return value;
    }

    std::uint8_t Fail() {
        failed_ = true;
        next_ = end_;
        return 0;
    }

    const char* next_;
    const char* end_;
    bool failed_ = false;
};

}  // namespace bitvelocity::wal
