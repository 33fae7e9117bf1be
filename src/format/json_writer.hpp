// JsonWriter: the one place that writes JSON text.
//
// An append-only byte buffer that its owner clears and reuses; it grows by doubling and gives
// memory back after an unusually large message. It checks no structure: commas and brackets are the
// caller's. Strings must be UTF-8; one that is not makes invalid_utf8() true until Clear (the
// caller then refuses the whole message, for replacing bytes silently would change data). One
// thread.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "core/change.hpp"
#include "core/lsn.hpp"

namespace bitvelocity::format {

class JsonWriter {
  public:
    JsonWriter();

    void Clear();
    [[nodiscard]] std::string_view view() const { return {data_.get(), size_}; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool invalid_utf8() const { return invalid_utf8_; }
    // Takes back what was written since size() was `size`.
    void Truncate(std::size_t size) { size_ = size; }

    void Raw(std::string_view text) {
        Ensure(text.size());
        Copy(data_.get() + size_, text.data(), text.size());
        size_ += text.size();
    }
    void Raw(char c) {
        Ensure(1);
        data_[size_++] = c;
    }
    // Turns the members written since size() was `start`, each with its leading comma, into an
    // object.
    void CloseObject(std::size_t start) {
        if (size_ == start) {
            Raw("{}");
            return;
        }
        data_[start] = '{';
        Raw('}');
    }
    // JSON that the server has checked; only its encoding is looked at.
    void Embedded(std::string_view json);
    void Null() { Raw(std::string_view("null")); }
    void Bool(bool value) { Raw(value ? std::string_view("true") : std::string_view("false")); }

    template <typename Integer>
    void Number(Integer value) {
        Ensure(24);
        char* const at = data_.get() + size_;
        size_ += static_cast<std::size_t>(std::to_chars(at, at + 24, value).ptr - at);
    }

    // With the quotes.
    void String(std::string_view text) {
        Ensure(text.size() + 2);
        char* const at = data_.get() + size_;
        *at = '"';
        if (text.size() <= kShortText && CopyPlain(at + 1, text)) [[likely]] {
            at[text.size() + 1] = '"';
            size_ += text.size() + 2;
            return;
        }
        ++size_;
        Escaped(text);
        Raw('"');
    }
    // A string, or null where it is empty.
    void StringOrNull(std::string_view text) { text.empty() ? Null() : String(text); }
    // Without quotes, for strings made of several pieces.
    void Escaped(std::string_view text);

    // "16/B374D848", without quotes.
    void LsnText(core::Lsn lsn);
    // Base64 with padding (RFC 4648), in the standard or the URL-safe alphabet, without quotes.
    void Base64(std::string_view bytes, bool url_safe = false);
    // Microseconds since the Unix epoch as 2024-01-15T10:35:00.123456Z, without quotes.
    void UtcTime(std::int64_t unix_us);
    // 36 characters, without quotes.
    void Uuid(const core::EventId& id);

  private:
    // Room behind every Ensure, so that eight bytes may be stored where fewer count.
    static constexpr std::size_t kSlack = 16;

    void Ensure(std::size_t bytes) {
        if (capacity_ - size_ < bytes + kSlack) [[unlikely]] {
            Grow(bytes);
        }
    }
    void Grow(std::size_t bytes);
    // Most pieces of a message are short, and most lengths are not known when this is compiled: two
    // copies that overlap cost less than a call.
    static void Copy(char* to, const char* from, std::size_t size) {
        if (size > 32) {
            CopyLong(to, from, size);
        } else if (size >= 16) {
            CopyEnds<16>(to, from, size);
        } else if (size >= 8) {
            CopyEnds<8>(to, from, size);
        } else if (size >= 4) {
            CopyEnds<4>(to, from, size);
        } else if (size != 0) {
            to[size / 2] = from[size / 2];
            to[0] = from[0];
            to[size - 1] = from[size - 1];
        }
    }
    static void CopyLong(char* to, const char* from, std::size_t size);
    template <std::size_t kBytes>
    static void CopyEnds(char* to, const char* from, std::size_t size) {
        char first[kBytes];
        char last[kBytes];
        std::memcpy(first, from, kBytes);
        std::memcpy(last, from + size - kBytes, kBytes);
        std::memcpy(to, first, kBytes);
        std::memcpy(to + size - kBytes, last, kBytes);
    }
    // Not longer than this, a text is copied first and looked at meanwhile.
    static constexpr std::size_t kShortText = 64;
    // False: something in it does not stand for itself, and what was written does not count.
    static bool CopyPlain(char* to, std::string_view text);
    // Writes the character at `text` that does not stand for itself; returns its length, at
    // least 1.
    std::size_t Special(std::string_view text);

    std::unique_ptr<char[]> data_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
    bool invalid_utf8_ = false;
};

}  // namespace bitvelocity::format
