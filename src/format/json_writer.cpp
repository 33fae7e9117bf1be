#include "format/json_writer.hpp"

#include <algorithm>

#include "format/calendar.hpp"
#include "format/short_text.hpp"
#include "format/utf8.hpp"

namespace bitvelocity::format {

namespace {

constexpr std::size_t kFirstCapacity = 4096;
// A buffer above this is given back once messages are small again.
constexpr std::size_t kKeptCapacity = std::size_t{1} << 20;

constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
constexpr std::uint64_t kHighs = 0x8080808080808080ULL;

// The high bit of each byte that is a control character, a quote, a backslash or not ASCII. Bytes
// above the first hit may be marked wrongly (borrows run upwards), so only the lowest mark is used.
constexpr std::uint64_t SpecialBytes(std::uint64_t word) {
    const std::uint64_t control = word - kOnes * 0x20;
    const std::uint64_t quote = (word ^ (kOnes * '"')) - kOnes;
    const std::uint64_t backslash = (word ^ (kOnes * '\\')) - kOnes;
    return (control | quote | backslash | word) & kHighs;
}

constexpr bool IsSpecial(unsigned char c) {
    return c < 0x20 || c >= 0x80 || c == '"' || c == '\\';
}

char* PutTwoDigits(char* at, unsigned value) {
    at[0] = static_cast<char>('0' + value / 10);
    at[1] = static_cast<char>('0' + value % 10);
    return at + 2;
}

}  // namespace

JsonWriter::JsonWriter() : data_(new char[kFirstCapacity]), capacity_(kFirstCapacity) {}

void JsonWriter::Clear() {
    if (capacity_ > kKeptCapacity && size_ < kKeptCapacity / 4) {
        data_.reset(new char[kFirstCapacity]);
        capacity_ = kFirstCapacity;
    }
    size_ = 0;
    invalid_utf8_ = false;
}

void JsonWriter::Grow(std::size_t bytes) {
    const std::size_t capacity = std::max(capacity_ * 2, size_ + bytes + kSlack);
    std::unique_ptr<char[]> data(new char[capacity]);
    std::memcpy(data.get(), data_.get(), size_);
    data_ = std::move(data);
    capacity_ = capacity;
}

// Not inline, or compilers take it for a copy of more than short pieces have.
void JsonWriter::CopyLong(char* to, const char* from, std::size_t size) {
    std::memcpy(to, from, size);
}

bool JsonWriter::CopyPlain(char* to, std::string_view text) {
    const std::size_t size = text.size();
    if (size < 8) {
        if (size == 0) {
            return true;
        }
        Copy(to, text.data(), size);
        return SpecialBytes(ShortWord(text, ' ')) == 0;
    }
    std::uint64_t special = 0;
    const auto take = [&](std::size_t place) {
        const std::uint64_t word = LoadWord(text.data() + place);
        std::memcpy(to + place, &word, sizeof(word));
        special |= SpecialBytes(word);
    };
    for (std::size_t place = 0; place + 8 < size; place += 8) {
        take(place);
    }
    take(size - 8);
    return special == 0;
}

void JsonWriter::Escaped(std::string_view text) {
    Ensure(text.size());
    const char* next = text.data();
    const char* const end = next + text.size();
    while (true) {
        char* out = data_.get() + size_;
        const char* const start = next;
        while (end - next >= 8) {
            const std::uint64_t word = LoadWord(next);
            std::memcpy(out, &word, sizeof(word));
            if (const std::uint64_t special = SpecialBytes(word); special != 0) {
                next += __builtin_ctzll(special) / 8;
                break;
            }
            next += 8;
            out += 8;
        }
        if (end - next < 8) {
            out = data_.get() + size_ + (next - start);
            while (next != end && !IsSpecial(static_cast<unsigned char>(*next))) {
                *out++ = *next++;
            }
        }
        size_ += static_cast<std::size_t>(next - start);
        if (next == end) {
            return;
        }
        next += Special({next, static_cast<std::size_t>(end - next)});
        Ensure(static_cast<std::size_t>(end - next));
    }
}

void JsonWriter::Embedded(std::string_view json) {
    if (!IsUtf8(json)) {
        invalid_utf8_ = true;
        return;
    }
    Raw(json);
}

std::size_t JsonWriter::Special(std::string_view text) {
    static constexpr char kHex[] = "0123456789abcdef";
    const auto c = static_cast<unsigned char>(text.front());
    Ensure(8);
    char* out = data_.get() + size_;
    if (c >= 0x80) {
        // A run of non-ASCII text is taken at once.
        std::size_t length = 0;
        while (length < text.size() && static_cast<unsigned char>(text[length]) >= 0x80) {
            const std::size_t sequence = Utf8SequenceLength(text.substr(length));
            if (sequence == 0) {
                invalid_utf8_ = true;
                return std::max<std::size_t>(length, 1);
            }
            length += sequence;
        }
        Raw(text.substr(0, length));
        return length;
    }
    *out++ = '\\';
    switch (c) {
        case '"':
        case '\\':
            *out++ = static_cast<char>(c);
            break;
        case '\n':
            *out++ = 'n';
            break;
        case '\r':
            *out++ = 'r';
            break;
        case '\t':
            *out++ = 't';
            break;
        default:
            *out++ = 'u';
            *out++ = '0';
            *out++ = '0';
            *out++ = kHex[c >> 4];
            *out++ = kHex[c & 0xf];
    }
    size_ = static_cast<std::size_t>(out - data_.get());
    return 1;
}

void JsonWriter::LsnText(core::Lsn lsn) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    Ensure(17);
    char* out = data_.get() + size_;
    const auto put = [&out](std::uint32_t value) {
        int shift = value == 0 ? 0 : (31 - __builtin_clz(value)) / 4 * 4;
        for (; shift >= 0; shift -= 4) {
            *out++ = kHex[(value >> shift) & 0xf];
        }
    };
    put(static_cast<std::uint32_t>(lsn.value >> 32));
    *out++ = '/';
    put(static_cast<std::uint32_t>(lsn.value));
    size_ = static_cast<std::size_t>(out - data_.get());
}

void JsonWriter::Base64(std::string_view bytes, bool url_safe) {
    static constexpr char kStandard[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static constexpr char kUrlSafe[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char* const alphabet = url_safe ? kUrlSafe : kStandard;
    Ensure((bytes.size() + 2) / 3 * 4);
    char* out = data_.get() + size_;
    const auto byte = [bytes](std::size_t i) {
        return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U;
    };
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
        *out++ = alphabet[group >> 18];
        *out++ = alphabet[group >> 12 & 63];
        *out++ = i + 1 < bytes.size() ? alphabet[group >> 6 & 63] : '=';
        *out++ = i + 2 < bytes.size() ? alphabet[group & 63] : '=';
    }
    size_ = static_cast<std::size_t>(out - data_.get());
}

void JsonWriter::UtcTime(std::int64_t unix_us) {
    std::int64_t seconds = unix_us / 1'000'000;
    std::int64_t micros = unix_us % 1'000'000;
    if (micros < 0) {
        micros += 1'000'000;
        --seconds;
    }
    std::int64_t days = seconds / 86'400;
    std::int64_t rest = seconds % 86'400;
    if (rest < 0) {
        rest += 86'400;
        --days;
    }
    const CivilDate date = CivilFromDays(days);
    Ensure(48);
    char* out = data_.get() + size_;
    if (date.year >= 0 && date.year <= 9999) {
        out = PutTwoDigits(out, static_cast<unsigned>(date.year / 100));
        out = PutTwoDigits(out, static_cast<unsigned>(date.year % 100));
    } else {  // ISO 8601 wants a sign before years of other lengths
        *out++ = date.year < 0 ? '-' : '+';
        out = std::to_chars(out, out + 20, date.year < 0 ? -date.year : date.year).ptr;
    }
    *out++ = '-';
    out = PutTwoDigits(out, date.month);
    *out++ = '-';
    out = PutTwoDigits(out, date.day);
    *out++ = 'T';
    out = PutTwoDigits(out, static_cast<unsigned>(rest / 3600));
    *out++ = ':';
    out = PutTwoDigits(out, static_cast<unsigned>(rest / 60 % 60));
    *out++ = ':';
    out = PutTwoDigits(out, static_cast<unsigned>(rest % 60));
    *out++ = '.';
    out = PutTwoDigits(out, static_cast<unsigned>(micros / 10'000));
    out = PutTwoDigits(out, static_cast<unsigned>(micros / 100 % 100));
    out = PutTwoDigits(out, static_cast<unsigned>(micros % 100));
    *out++ = 'Z';
    size_ = static_cast<std::size_t>(out - data_.get());
}

void JsonWriter::Uuid(const core::EventId& id) {
    static constexpr char kHex[] = "0123456789abcdef";
    Ensure(36);
    char* out = data_.get() + size_;
    for (int i = 0; i < 16; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *out++ = '-';
        }
        *out++ = kHex[id.bytes[i] >> 4];
        *out++ = kHex[id.bytes[i] & 0xf];
    }
    size_ += 36;
}

}  // namespace bitvelocity::format
