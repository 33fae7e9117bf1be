#include "medallion/analyzed_query.hpp"

#include "pg/postgres.hpp"

namespace bitvelocity::medallion {

namespace {

// Names are written in full where search_path does not find them.
int PinPath() {
    const int level = NewGUCNestLevel();
    set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
                      GUC_ACTION_SAVE, true, 0, false);
    return level;
}

}  // namespace

ResultColumns ResultColumnsOf(const Query* query) {
    ResultColumns columns{};
    columns.list = static_cast<ResultColumn*>(
        palloc0(sizeof(ResultColumn) * (list_length(query->targetList) + 1)));
    ListCell* cell = nullptr;
    foreach (cell, query->targetList) {
        const auto* entry = lfirst_node(TargetEntry, cell);
        if (entry->resjunk) {
            continue;
        }
        auto* expression = reinterpret_cast<Node*>(entry->expr);
        columns.list[columns.count++] = {pstrdup(entry->resname), exprType(expression),
                                         exprTypmod(expression), exprCollation(expression), entry};
    }
    return columns;
}

List* AddRelations(List* relations, const Query* query) {
    ListCell* cell = nullptr;
    foreach (cell, query->rtable) {
        const auto* entry = lfirst_node(RangeTblEntry, cell);
        if (entry->rtekind == RTE_RELATION) {
            relations = list_append_unique_oid(relations, entry->relid);
        }
    }
    return relations;
}

Relations ToRelations(const List* relations) {
    Relations result{};
    result.list = static_cast<Oid*>(palloc(sizeof(Oid) * (list_length(relations) + 1)));
    for (int i = 0; i < list_length(relations); ++i) {
        result.list[result.count++] = list_nth_oid(relations, i);
    }
    return result;
}

const char* QualifiedText(Query* query) {
    const int level = PinPath();
    const char* text = pg_get_querydef(query, false);
    AtEOXact_GUC(false, level);
    return text;
}

const char* QualifiedText(Node* expression, const char* alias, std::uint32_t relation) {
    const int level = PinPath();
    const char* text =
        deparse_expression(expression, deparse_context_for(alias, relation), false, false);
    AtEOXact_GUC(false, level);
    return text;
}

}  // namespace bitvelocity::medallion
