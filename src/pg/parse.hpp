// Parsing and analysis of SQL text that a user gave as an argument: positions in error reports
// point into that text, not into the statement that called us. Plain C, called inside pg::Call; may
// raise.
#pragma once

#include <cstdint>

struct List;
struct Query;
struct RawStmt;

namespace bitvelocity::pg {

// The raw statements of the text.
List* ParseText(const char* text);
// Analyzes a statement of `text`; `parameters` are the types of $1..$n.
Query* AnalyzeText(RawStmt* statement, const char* text, const std::uint32_t* parameters = nullptr,
                   int count = 0);

}  // namespace bitvelocity::pg
