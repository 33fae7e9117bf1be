// ContainersJson: the text forms of containers -> JSON; the one place for every format, what an
// element becomes is the caller's. Arrays nest as deep as the array has dimensions. False: the text
// is no such container, and what was written counts for nothing.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "core/text_forms.hpp"
#include "format/json_writer.hpp"

namespace bitvelocity::format {

template <typename WriteElement>
class ArrayToJson final : public core::ArrayVisitor {
  public:
    ArrayToJson(JsonWriter& out, WriteElement& write) : out_(out), write_(write) {}

    void OnOpen() override {
        Separate();
        out_.Raw('[');
        first_ = true;
    }
    void OnClose() override {
        out_.Raw(']');
        first_ = false;
    }
    void OnElement(bool is_null, std::string_view text) override {
        Separate();
        if (is_null) {
            out_.Null();
        } else {
            write_(text);
        }
    }

  private:
    void Separate() {
        if (!first_) {
            out_.Raw(',');
        }
        first_ = false;
    }

    JsonWriter& out_;
    WriteElement& write_;
    bool first_ = true;
};

// write(text) writes one element that is not NULL. `buffer` is used for elements that are escaped.
template <typename WriteElement>
[[nodiscard]] bool WriteArray(JsonWriter& out, std::string_view text, char delimiter,
                              std::string& buffer, WriteElement&& write) {
    ArrayToJson<WriteElement> visitor(out, write);
    return core::VisitArray(text, delimiter, buffer, visitor);
}

// int2vector, oidvector: elements with one blank between them, as an array.
template <typename WriteElement>
[[nodiscard]] bool WriteVector(JsonWriter& out, std::string_view text, WriteElement&& write) {
    out.Raw('[');
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        write(text.substr(0, end));
        text.remove_prefix(end);
        if (!text.empty()) {
            out.Raw(',');
            text.remove_prefix(1);
            if (text.empty()) {
                return false;
            }
        }
    }
    out.Raw(']');
    return true;
}

// An hstore, as an object of strings and nulls. The buffers are used for what is escaped.
[[nodiscard]] inline bool WriteHstore(JsonWriter& out, std::string_view text,
                                      std::string& key_buffer, std::string& value_buffer) {
    core::HstoreReader in(text, key_buffer, value_buffer);
    const std::size_t start = out.size();
    while (!in.done()) {
        std::string_view key;
        std::string_view value;
        bool is_null = false;
        if (!in.Next(key, is_null, value)) {
            return false;
        }
        out.Raw(',');
        out.String(key);
        out.Raw(':');
        if (is_null) {
            out.Null();
        } else {
            out.String(value);
        }
    }
    out.CloseObject(start);
    return true;
}

}  // namespace bitvelocity::format
