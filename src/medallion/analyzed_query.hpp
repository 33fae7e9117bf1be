// What silver's and gold's queries have in common, read from the server's analyzed query tree:
// result columns, tables, and the text with every name qualified.
//
// The functions are plain: they raise, hand out memory of the current context and belong into a
// guarded call. Main thread, inside a transaction.
#pragma once

#include <cstdint>
#include <string>

struct List;
struct Node;
struct Query;
struct TargetEntry;

namespace bitvelocity::medallion {

// A result column as a value.
struct QueryColumn {
    std::string name;
    std::uint32_t type = 0;
    std::int32_t modifier = -1;
    std::uint32_t collation = 0;
};

// The same as plain data. What else a caller wants to know it finds in the entry.
struct ResultColumn {
    const char* name;
    std::uint32_t type;
    std::int32_t modifier;
    std::uint32_t collation;
    const TargetEntry* entry;

    [[nodiscard]] QueryColumn ToColumn() const { return {name, type, modifier, collation}; }
};

struct ResultColumns {
    ResultColumn* list;
    int count;
};

struct Relations {
    std::uint32_t* list;
    int count;
};

// Columns that the query returns, in order; not what it only sorts or groups by.
[[nodiscard]] ResultColumns ResultColumnsOf(const Query* query);

// Adds the tables in the FROM of this very query (not of those inside it) to a list of OIDs.
[[nodiscard]] List* AddRelations(List* relations, const Query* query);
[[nodiscard]] Relations ToRelations(const List* relations);

// The query with names that mean the same under any search_path.
[[nodiscard]] const char* QualifiedText(Query* query);
// An expression over the columns of one table, called `alias`.
[[nodiscard]] const char* QualifiedText(Node* expression, const char* alias,
                                        std::uint32_t relation);

}  // namespace bitvelocity::medallion
