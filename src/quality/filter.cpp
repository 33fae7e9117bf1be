#include "quality/filter.hpp"

#include "pg/boundary.hpp"
#include "pg/parse.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::quality {

namespace {

bool IsForeignFunction(Oid function, void* /*context*/) {
    return function >= FirstNormalObjectId || func_volatile(function) == PROVOLATILE_VOLATILE;
}

bool FindForbidden(Node* node, void* context) {
    if (node == nullptr) {
        return false;
    }
    if (IsA(node, SubLink) || IsA(node, Aggref) || IsA(node, WindowFunc) || IsA(node, Query)) {
        return true;
    }
    if (IsA(node, CoerceToDomain) || check_functions_in_node(node, IsForeignFunction, context)) {
        return true;
    }
    return pg::compat::WalkExpression(node, FindForbidden, context);
}

// Plain C: parses `sql` = SELECT (filter) FROM table; null where the text is more than one
// expression.
Expr* AnalyzeSingle(const char* sql) {
    const List* parsed = pg::ParseText(sql);
    if (list_length(parsed) != 1) {
        return nullptr;
    }
    auto* raw = linitial_node(RawStmt, parsed);
    if (!IsA(raw->stmt, SelectStmt)) {
        return nullptr;
    }
    const auto* select = reinterpret_cast<SelectStmt*>(raw->stmt);
    if (list_length(select->targetList) != 1 || list_length(select->fromClause) != 1 ||
        select->whereClause != nullptr || select->op != SETOP_NONE) {
        return nullptr;
    }
    const Query* query = pg::AnalyzeText(raw, sql);
    if (list_length(query->targetList) != 1 || query->hasTargetSRFs) {
        return nullptr;
    }
    return linitial_node(TargetEntry, query->targetList)->expr;
}

}  // namespace

std::string CheckedFilter(std::uint32_t relation, const std::string& text) {
    struct Outcome {
        bool single;
        bool boolean;
        bool forbidden;
        const char* canonical;
    };
    const pg::OwnerScope owner(pg::OwnerOf(relation));
    const std::string alias = pg::RelationName(relation);
    // The line feed ends a comment inside the text.
    const std::string sql = "SELECT (" + text + "\n) FROM " + pg::QualifiedName(relation) + " AS " +
                            pg::QuoteIdentifier(alias);
    const Outcome outcome =
        pg::Call([statement = sql.c_str(), name = alias.c_str(), relation]() -> Outcome {
            Expr* expression = AnalyzeSingle(statement);
            if (expression == nullptr) {
                return {false, false, false, nullptr};
            }
            Outcome result{true, false, false, nullptr};
            result.boolean = exprType(reinterpret_cast<Node*>(expression)) == BOOLOID;
            result.forbidden = FindForbidden(reinterpret_cast<Node*>(expression), nullptr);
            result.canonical =
                deparse_expression(reinterpret_cast<Node*>(expression),
                                   deparse_context_for(name, relation), false, false);
            return result;
        });
    if (!outcome.single || !outcome.boolean) {
        pg::Throw(core::kInvalidParameter, "filter must be one boolean expression",
                  "It is: " + text);
    }
    if (outcome.forbidden) {
        pg::Throw(
            core::kInvalidParameter, "filter may only look at its row",
            "It uses a subquery, an aggregate, a volatile function, or a function or type that "
            "is not part of PostgreSQL itself.",
            "Add a generated column to the table and use that.");
    }
    return outcome.canonical;
}

}  // namespace bitvelocity::quality
