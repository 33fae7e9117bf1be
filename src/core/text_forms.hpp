// TextForms: PostgreSQL's text forms of arrays, composites and hstore, taken apart.
//
// Walks what array_out, record_out and hstore_out print. Elements are views into the text where
// they need no unescaping, else into a buffer of the caller's, which keeps its memory for the next
// value. Nothing is trusted: a text that does not follow the form is answered with false, whatever
// was handed out before. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bitvelocity::core {

inline constexpr int kMaxArrayDepth = 16;  // PostgreSQL: MAXDIM, 6

class ArrayVisitor {
  public:
    virtual void OnOpen() = 0;  // one dimension deeper
    virtual void OnClose() = 0;
    virtual void OnElement(bool is_null, std::string_view text) = 0;

  protected:
    ~ArrayVisitor() = default;
};

// `{1,2}`, `[0:1]={{a,"b c"},{NULL,"\""}}`.
[[nodiscard]] bool VisitArray(std::string_view text, char delimiter, std::string& buffer,
                              ArrayVisitor& visitor);

// Takes a composite's fields one by one: `(1,"a ""b""",)`.
class CompositeReader {
  public:
    CompositeReader(std::string_view text, std::string& buffer) : rest_(text), buffer_(buffer) {}

    // Before the first field; false: not a composite.
    [[nodiscard]] bool Open();
    // The next field. Valid until the next call.
    [[nodiscard]] bool Next(bool& is_null, std::string_view& text);
    // After the last field: nothing may follow.
    [[nodiscard]] bool Close() const { return rest_ == ")"; }

  private:
    std::string_view rest_;
    bool first_ = true;
    std::string& buffer_;
};

// Takes the pairs of an hstore: `"a"=>"1", "b"=>NULL`.
class HstoreReader {
  public:
    HstoreReader(std::string_view text, std::string& key_buffer, std::string& value_buffer)
        : rest_(text), key_buffer_(key_buffer), value_buffer_(value_buffer) {}

    [[nodiscard]] bool done() const { return rest_.empty(); }
    [[nodiscard]] bool Next(std::string_view& key, bool& is_null, std::string_view& value);

  private:
    std::string_view rest_;
    bool first_ = true;
    std::string& key_buffer_;
    std::string& value_buffer_;
};

}  // namespace bitvelocity::core
