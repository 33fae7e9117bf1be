#include "medallion/projection.hpp"

#include "core/sql_text.hpp"
#include "medallion/analyzed_query.hpp"
#include "pg/boundary.hpp"
#include "pg/parse.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::medallion {

namespace {

// Plain data: filled inside a guarded call.
struct Analyzed {
    const char* refusal;  // null: fine
    const char* query;
    ResultColumns columns;
    AttrNumber* sources;  // per column: the source column it is; 0: none
    bool* used;
    Relations relations;
    bool may_filter;
    bool may_repeat;
    bool aggregates;
};

struct Walk {
    List* queries;  // innermost first
    bool* used;
    int column_count;
    List* relations;
};

bool IsSource(const RangeTblEntry* entry) {
    return entry->rtekind == RTE_CTE && std::strcmp(entry->ctename, "source") == 0;
}

bool Collect(Node* node, void* context) {
    auto* walk = static_cast<Walk*>(context);
    if (node == nullptr) {
        return false;
    }
    if (IsA(node, Query)) {
        auto* query = reinterpret_cast<Query*>(node);
        walk->relations = AddRelations(walk->relations, query);
        walk->queries = lcons(query, walk->queries);
        pg::compat::WalkQuery(query, Collect, context, 0);
        walk->queries = list_delete_first(walk->queries);
        return false;
    }
    if (IsA(node, Var)) {
        const auto* var = reinterpret_cast<Var*>(node);
        const auto* query =
            static_cast<Query*>(list_nth(walk->queries, static_cast<int>(var->varlevelsup)));
        const RangeTblEntry* entry = rt_fetch(var->varno, query->rtable);
        if (IsSource(entry)) {
            for (int i = 0; i < walk->column_count; ++i) {
                walk->used[i] |= var->varattno == 0 || var->varattno == i + 1;
            }
        }
        return false;
    }
    return pg::compat::WalkExpression(node, Collect, context);
}

const char* Refusal(const Query* query) {
    if (query->commandType != CMD_SELECT || query->hasModifyingCTE) {
        return "it must be a SELECT";
    }
    if (query->setOperations != nullptr) {
        return "it must not use UNION, INTERSECT or EXCEPT";
    }
    if (query->hasAggs || query->groupClause != NIL || query->groupingSets != NIL ||
        query->havingQual != nullptr) {
        return "it must not aggregate";
    }
    if (query->hasWindowFuncs) {
        return "it must not use window functions";
    }
    if (query->distinctClause != NIL) {
        return "it must not use DISTINCT";
    }
    if (query->limitCount != nullptr || query->limitOffset != nullptr) {
        return "it must not use LIMIT";
    }
    if (query->hasTargetSRFs) {
        return "it must not return several rows for a row";
    }
    if (query->rowMarks != NIL) {
        return "it must not lock rows";
    }
    return nullptr;
}

SelectStmt* ParseSelect(const char* text, RawStmt** raw) {
    const List* parsed = pg::ParseText(text);
    if (list_length(parsed) != 1) {
        return nullptr;
    }
    *raw = linitial_node(RawStmt, parsed);
    return IsA((*raw)->stmt, SelectStmt) ? reinterpret_cast<SelectStmt*>((*raw)->stmt) : nullptr;
}

// Plain C. `prefix` = WITH source AS (...) SELECT 1.
Analyzed Analyze(const char* text, const char* prefix, int source_columns) {
    Analyzed result{};
    RawStmt* raw = nullptr;
    SelectStmt* select = ParseSelect(text, &raw);
    if (select == nullptr || select->intoClause != nullptr) {
        result.refusal = "it must be one SELECT";
        return result;
    }
    if (select->withClause != nullptr) {
        result.refusal = "it must not use WITH";
        return result;
    }
    RawStmt* definition = nullptr;
    select->withClause = ParseSelect(prefix, &definition)->withClause;
    Query* query = pg::AnalyzeText(raw, text);
    result.refusal = Refusal(query);
    result.aggregates = query->hasAggs || query->hasWindowFuncs || query->groupClause != NIL ||
                        query->distinctClause != NIL;
    if (result.refusal == nullptr && contain_volatile_functions(reinterpret_cast<Node*>(query))) {
        result.refusal = "it must not use volatile functions";
    }
    if (result.refusal != nullptr) {
        return result;
    }
    Walk walk{};
    walk.used = static_cast<bool*>(palloc0(sizeof(bool) * (source_columns + 1)));
    walk.column_count = source_columns;
    query->cteList = NIL;
    Collect(reinterpret_cast<Node*>(query), &walk);
    result.used = walk.used;
    result.relations = ToRelations(walk.relations);
    result.columns = ResultColumnsOf(query);
    result.sources =
        static_cast<AttrNumber*>(palloc0(sizeof(AttrNumber) * (result.columns.count + 1)));
    for (int i = 0; i < result.columns.count; ++i) {
        const auto* expression = reinterpret_cast<Node*>(result.columns.list[i].entry->expr);
        if (IsA(expression, Var)) {
            const auto* var = reinterpret_cast<const Var*>(expression);
            if (IsSource(rt_fetch(var->varno, query->rtable))) {
                result.sources[i] = var->varattno;
            }
        }
    }
    const List* from = query->jointree->fromlist;
    bool single = false;
    if (list_length(from) == 1 && IsA(linitial(from), RangeTblRef)) {
        const RangeTblEntry* range =
            rt_fetch(linitial_node(RangeTblRef, from)->rtindex, query->rtable);
        single = IsSource(range);
    }
    result.may_repeat = !single;
    result.may_filter = !single || query->jointree->quals != nullptr;
    result.query = QualifiedText(query);
    return result;
}

}  // namespace

Projection AnalyzeProjection(const std::vector<SourceColumn>& source, const std::string& query) {
    std::vector<std::string> columns;
    bool has_payload = false;
    bool has_timestamp = false;
    for (const SourceColumn& column : source) {
        columns.push_back("NULL::" + column.type + " AS " + core::QuoteName(column.name));
        has_payload |= column.name == "raw_payload";
        has_timestamp |= column.name == "event_timestamp";
    }
    if (!has_payload) {
        columns.push_back("NULL::pg_catalog.jsonb AS raw_payload");
    }
    if (!has_timestamp) {
        columns.push_back("NULL::pg_catalog.timestamptz AS event_timestamp");
    }
    const std::string prefix = "WITH source AS (SELECT " + core::Join(columns, ", ") + ") SELECT 1";
    const int count = static_cast<int>(source.size());
    const Analyzed found = pg::Call([text = query.c_str(), head = prefix.c_str(), count]() {
        return Analyze(text, head, count);
    });
    if (found.refusal != nullptr) {
        pg::Throw(
            core::kFeatureNotSupported, "this query cannot be applied row by row",
            std::string("A silver query maps each row of source to at most one row: ") +
                found.refusal + ".",
            found.aggregates ? "Put what aggregates into a rollup over the silver table." : "");
    }
    Projection projection;
    projection.query = found.query;
    projection.may_filter = found.may_filter;
    projection.may_repeat = found.may_repeat;
    for (int i = 0; i < found.columns.count; ++i) {
        const AttrNumber number = found.sources[i];
        const bool plain = number >= 1 && number <= count;
        projection.columns.push_back(
            {found.columns.list[i].ToColumn(), plain ? source[number - 1].name : ""});
    }
    for (int i = 0; i < count; ++i) {
        if (found.used[i]) {
            projection.used.push_back(source[i].name);
        }
    }
    projection.relations.assign(found.relations.list, found.relations.list + found.relations.count);
    return projection;
}

}  // namespace bitvelocity::medallion
