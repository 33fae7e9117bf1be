#include "pg/parse.hpp"

#include "pg/postgres.hpp"

namespace bitvelocity::pg {

namespace {

void PointIntoText(void* text) {
    const int position = geterrposition();
    if (position > 0) {
        errposition(0);
        internalerrposition(position);
        internalerrquery(static_cast<const char*>(text));
    }
}

// A longjmp past the guard is undone by Call, which restores the stack.
class ErrorText {
  public:
    explicit ErrorText(const char* text)
        : callback_{error_context_stack, PointIntoText, const_cast<char*>(text)} {
        error_context_stack = &callback_;
    }
    void Leave() const { error_context_stack = callback_.previous; }

  private:
    ErrorContextCallback callback_;
};

}  // namespace

List* ParseText(const char* text) {
    const ErrorText guard(text);
    List* statements = raw_parser(text, RAW_PARSE_DEFAULT);
    guard.Leave();
    return statements;
}

Query* AnalyzeText(RawStmt* statement, const char* text, const std::uint32_t* parameters,
                   int count) {
    const ErrorText guard(text);
    Query* query = parse_analyze_fixedparams(statement, text, parameters, count, nullptr);
    guard.Leave();
    return query;
}

}  // namespace bitvelocity::pg
