#include "core/text_forms.hpp"

namespace bitvelocity::core {

namespace {

// `rest` begins behind an opening quote; cuts it behind the closing one. Backslash escapes the next
// byte. `buffer` is used only where something is escaped.
bool TakeQuoted(std::string_view& rest, std::string& buffer, std::string_view& text) {
    const std::size_t stop = rest.find_first_of("\"\\");
    if (stop == std::string_view::npos) {
        return false;
    }
    if (rest[stop] == '"') {
        text = rest.substr(0, stop);
        rest.remove_prefix(stop + 1);
        return true;
    }
    buffer.assign(rest.substr(0, stop));
    std::size_t i = stop;
    while (i < rest.size() && rest[i] != '"') {
        if (rest[i] == '\\' && ++i == rest.size()) {
            return false;
        }
        buffer.push_back(rest[i++]);
    }
    if (i == rest.size()) {
        return false;
    }
    rest.remove_prefix(i + 1);
    text = buffer;
    return true;
}

bool TakePrefix(std::string_view& rest, std::string_view prefix) {
    if (rest.substr(0, prefix.size()) != prefix) {
        return false;
    }
    rest.remove_prefix(prefix.size());
    return true;
}

class ArrayWalk {
  public:
    ArrayWalk(std::string_view text, char delimiter, std::string& buffer, ArrayVisitor& visitor)
        : rest_(text), delimiter_(delimiter), buffer_(buffer), visitor_(visitor) {}

    bool Run() {
        if (!rest_.empty() && rest_.front() == '[') {  // explicit bounds
            const std::size_t equals = rest_.find('=');
            if (equals == std::string_view::npos) {
                return false;
            }
            rest_.remove_prefix(equals + 1);
        }
        return Dimension(1) && rest_.empty();
    }

  private:
    bool Dimension(int depth) {
        if (depth > kMaxArrayDepth || !TakePrefix(rest_, "{")) {
            return false;
        }
        visitor_.OnOpen();
        if (!TakePrefix(rest_, "}")) {
            while (true) {
                if (rest_.empty() || !Item(depth) || rest_.empty()) {
                    return false;
                }
                const char c = rest_.front();
                rest_.remove_prefix(1);
                if (c == '}') {
                    break;
                }
                if (c != delimiter_) {
                    return false;
                }
            }
        }
        visitor_.OnClose();
        return true;
    }

    bool Item(int depth) {
        if (rest_.front() == '{') {
            return Dimension(depth + 1);
        }
        std::string_view text;
        if (rest_.front() == '"') {
            rest_.remove_prefix(1);
            if (!TakeQuoted(rest_, buffer_, text)) {
                return false;
            }
            visitor_.OnElement(false, text);
            return true;
        }
        std::size_t length = 0;
        while (length < rest_.size() && rest_[length] != delimiter_ && rest_[length] != '}') {
            ++length;
        }
        text = rest_.substr(0, length);
        rest_.remove_prefix(length);
        if (text.empty()) {
            return false;
        }
        visitor_.OnElement(text == "NULL", text);
        return true;
    }

    std::string_view rest_;
    char delimiter_;
    std::string& buffer_;
    ArrayVisitor& visitor_;
};

}  // namespace

bool VisitArray(std::string_view text, char delimiter, std::string& buffer, ArrayVisitor& visitor) {
    return ArrayWalk(text, delimiter, buffer, visitor).Run();
}

bool CompositeReader::Open() {
    first_ = true;
    return TakePrefix(rest_, "(");
}

bool CompositeReader::Next(bool& is_null, std::string_view& text) {
    if (!first_ && !TakePrefix(rest_, ",")) {
        return false;
    }
    first_ = false;
    const std::size_t stop = rest_.find_first_of(",)\"\\");
    if (stop == std::string_view::npos) {
        return false;
    }
    if (rest_[stop] == ',' || rest_[stop] == ')') {
        text = rest_.substr(0, stop);
        is_null = stop == 0;
        rest_.remove_prefix(stop);
        return true;
    }
    is_null = false;
    buffer_.clear();
    bool quoted = false;
    for (std::size_t i = 0; i < rest_.size(); ++i) {
        const char c = rest_[i];
        const bool more = i + 1 < rest_.size();
        if (c == '\\' && more) {
            buffer_.push_back(rest_[++i]);
        } else if (c == '"' && quoted && more && rest_[i + 1] == '"') {
            buffer_.push_back('"');
            ++i;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == ',' || c == ')')) {
            rest_.remove_prefix(i);
            text = buffer_;
            return true;
        } else {
            buffer_.push_back(c);
        }
    }
    return false;
}

bool HstoreReader::Next(std::string_view& key, bool& is_null, std::string_view& value) {
    if (!first_ && !TakePrefix(rest_, ", ")) {
        return false;
    }
    first_ = false;
    if (!TakePrefix(rest_, "\"") || !TakeQuoted(rest_, key_buffer_, key) ||
        !TakePrefix(rest_, "=>")) {
        return false;
    }
    is_null = TakePrefix(rest_, "NULL");
    return is_null || (TakePrefix(rest_, "\"") && TakeQuoted(rest_, value_buffer_, value));
}

}  // namespace bitvelocity::core
