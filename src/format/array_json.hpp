// ArrayJson: an array's text form -> JSON arrays, nested as deep as the array has dimensions. The
// one place for every format; what an element becomes is the caller's.
#pragma once

#include <string>
#include <string_view>

#include "format/json_writer.hpp"
#include "core/text_forms.hpp"

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
// False: not an array; what was written counts for nothing.
template <typename WriteElement>
[[nodiscard]] bool WriteArray(JsonWriter& out, std::string_view text, char delimiter,
                              std::string& buffer, WriteElement&& write) {
    ArrayToJson<WriteElement> visitor(out, write);
    return core::VisitArray(text, delimiter, buffer, visitor);
}

}  // namespace bitvelocity::format
