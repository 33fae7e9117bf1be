#include "pipeline/json_members.hpp"

#include <nlohmann/json.hpp>

namespace bitvelocity::pipeline {

namespace {

// Over a text that is known to be JSON.
class Cursor {
  public:
    explicit Cursor(std::string_view text) : text_(text) {}

    void SkipBlank() {
        while (at_ < text_.size() &&
               std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) {
            ++at_;
        }
    }
    [[nodiscard]] char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    void Skip() { ++at_; }
    // A whole value: up to the comma or bracket that ends it on this level.
    std::string_view Value() {
        const std::size_t start = at_;
        int depth = 0;
        for (bool inside = false; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            if (inside) {
                at_ += c == '\\' ? 1 : 0;
                inside = c != '"';
            } else if (c == '"') {
                inside = true;
            } else if (c == '{' || c == '[') {
                ++depth;
            } else if (c == '}' || c == ']' || c == ',' || c == ':') {
                if (depth == 0) {
                    break;
                }
                depth -= c == '}' || c == ']' ? 1 : 0;
            }
        }
        std::string_view value = text_.substr(start, at_ - start);
        while (!value.empty() &&
               std::string_view(" \t\r\n").find(value.back()) != std::string_view::npos) {
            value.remove_suffix(1);
        }
        return value;
    }

  private:
    std::string_view text_;
    std::size_t at_ = 0;
};

std::string Unquoted(std::string_view text) {
    if (text.find('\\') == std::string_view::npos) {
        return std::string(text.substr(1, text.size() - 2));
    }
    return nlohmann::json::parse(text, nullptr, false).get<std::string>();
}

}  // namespace

bool FindJsonMember(std::string_view json, std::string_view name, JsonMember& member) {
    member = {};
    if (!nlohmann::json::accept(json)) {
        return false;
    }
    Cursor cursor(json);
    cursor.SkipBlank();
    if (cursor.Peek() != '{') {
        return false;
    }
    do {
        cursor.Skip();
        cursor.SkipBlank();
        if (cursor.Peek() == '}') {
            break;
        }
        const std::string key = Unquoted(cursor.Value());
        cursor.SkipBlank();
        cursor.Skip();  // the colon
        cursor.SkipBlank();
        const std::string_view value = cursor.Value();
        if (key == name) {
            member.found = true;
            member.null = value == "null";
            member.string = value.front() == '"';
            member.text = member.string ? Unquoted(value) : std::string(value);
        }
        cursor.SkipBlank();
    } while (cursor.Peek() == ',');
    return true;
}

}  // namespace bitvelocity::pipeline
