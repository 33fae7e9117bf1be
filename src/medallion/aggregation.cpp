#include "medallion/aggregation.hpp"

#include "medallion/analyzed_query.hpp"
#include "pg/boundary.hpp"
#include "pg/parse.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::medallion {

namespace {

struct Group {
    bool grouped;
    const char* expression;
};

struct Analyzed {
    const char* refusal;
    const char* hint;
    const char* why_full;
    const char* query;
    ResultColumns columns;
    Group* groups;  // per column
    Relations relations;
};

struct Walk {
    List* relations;
    bool has_clock;
};

bool IsClock(Oid function, void* /*context*/) {
    return function == F_NOW || function == F_TRANSACTION_TIMESTAMP ||
           function == F_STATEMENT_TIMESTAMP || function == F_TXID_CURRENT_SNAPSHOT ||
           function == F_PG_CURRENT_SNAPSHOT;
}

bool Collect(Node* node, void* context) {
    auto* walk = static_cast<Walk*>(context);
    if (node == nullptr) {
        return false;
    }
    if (IsA(node, Query)) {
        auto* query = reinterpret_cast<Query*>(node);
        walk->relations = AddRelations(walk->relations, query);
        return pg::compat::WalkQuery(query, Collect, context, 0);
    }
    if (IsA(node, SQLValueFunction) || check_functions_in_node(node, IsClock, nullptr)) {
        walk->has_clock = true;
    }
    return pg::compat::WalkExpression(node, Collect, context);
}

bool IsGrouped(const Query* query, const TargetEntry* entry) {
    ListCell* cell = nullptr;
    foreach (cell, query->groupClause) {
        if (entry->ressortgroupref != 0 &&
            lfirst_node(SortGroupClause, cell)->tleSortGroupRef == entry->ressortgroupref) {
            return true;
        }
    }
    return false;
}

// Why only the whole result can be recomputed; null: touched groups suffice.
const char* WhyFull(const Query* query, int relations) {
    if (query->setOperations != nullptr) {
        return "it combines queries";
    }
    const List* from = query->jointree->fromlist;
    if (list_length(from) != 1 || !IsA(linitial(from), RangeTblRef) || relations != 1) {
        return "it reads more than one table";
    }
    const RangeTblEntry* entry = rt_fetch(linitial_node(RangeTblRef, from)->rtindex, query->rtable);
    if (entry->rtekind != RTE_RELATION || query->cteList != NIL || query->hasSubLinks) {
        return "it uses a subquery";
    }
    if (query->groupClause == NIL || query->groupingSets != NIL) {
        return query->groupClause == NIL && query->groupingSets == NIL ? "it has no GROUP BY"
                                                                       : "it uses grouping sets";
    }
    if (query->hasWindowFuncs) {
        return "it uses window functions";
    }
    if (query->distinctClause != NIL) {
        return "it uses DISTINCT";
    }
    if (query->limitCount != nullptr || query->limitOffset != nullptr) {
        return "it uses LIMIT";
    }
    if (query->hasTargetSRFs) {
        return "it returns several rows for a group";
    }
    ListCell* cell = nullptr;
    foreach (cell, query->targetList) {
        const auto* target = lfirst_node(TargetEntry, cell);
        // Touched groups are written down as JSON, where NULL and the JSON value null are the same.
        if (IsGrouped(query, target) &&
            getBaseType(exprType(reinterpret_cast<Node*>(target->expr))) == JSONBOID) {
            return "it groups by jsonb";
        }
        if (!target->resjunk || target->ressortgroupref == 0) {
            continue;
        }
        ListCell* clause = nullptr;
        foreach (clause, query->groupClause) {
            if (lfirst_node(SortGroupClause, clause)->tleSortGroupRef == target->ressortgroupref) {
                return "it groups by an expression that it does not return";
            }
        }
    }
    return nullptr;
}

const char* CheckRelations(const List* relations) {
    ListCell* cell = nullptr;
    foreach (cell, relations) {
        const char kind = get_rel_relkind(lfirst_oid(cell));
        if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE) {
            return "it reads a view or a foreign table, whose changes are not seen";
        }
        if (get_rel_namespace(lfirst_oid(cell)) == PG_CATALOG_NAMESPACE) {
            return "it reads a system catalogue, whose changes are not seen";
        }
    }
    return relations == NIL ? "it reads no table" : nullptr;
}

void FillColumns(const Query* query, Analyzed& result) {
    const char* alias = nullptr;
    Oid relation = InvalidOid;
    if (result.why_full == nullptr) {
        const RangeTblEntry* entry = rt_fetch(1, query->rtable);
        alias = entry->eref->aliasname;
        relation = entry->relid;
    }
    result.columns = ResultColumnsOf(query);
    result.groups = static_cast<Group*>(palloc0(sizeof(Group) * (result.columns.count + 1)));
    for (int i = 0; i < result.columns.count; ++i) {
        const TargetEntry* entry = result.columns.list[i].entry;
        result.groups[i] = {IsGrouped(query, entry), ""};
        if (result.groups[i].grouped && result.why_full == nullptr) {
            result.groups[i].expression =
                QualifiedText(reinterpret_cast<Node*>(entry->expr), alias, relation);
        }
    }
}

Analyzed Analyze(const char* text) {
    Analyzed result{};
    const List* parsed = pg::ParseText(text);
    if (list_length(parsed) != 1 || !IsA(linitial_node(RawStmt, parsed)->stmt, SelectStmt)) {
        result.refusal = "it must be one SELECT";
        return result;
    }
    Query* query = pg::AnalyzeText(linitial_node(RawStmt, parsed), text);
    if (query->commandType != CMD_SELECT || query->hasModifyingCTE || query->rowMarks != NIL) {
        result.refusal = "it must only read";
        return result;
    }
    Walk walk{};
    Collect(reinterpret_cast<Node*>(query), &walk);
    if (contain_volatile_functions(reinterpret_cast<Node*>(query))) {
        result.refusal = "it uses volatile functions";
    } else if (walk.has_clock) {
        result.refusal = "its result changes with the clock or the session";
        result.hint = "Group by the time, and filter when you read the rollup.";
    } else {
        result.refusal = CheckRelations(walk.relations);
    }
    if (result.refusal != nullptr) {
        return result;
    }
    result.relations = ToRelations(walk.relations);
    result.why_full = WhyFull(query, result.relations.count);
    FillColumns(query, result);
    result.query = QualifiedText(query);
    return result;
}

SelectStmt* Select(const char* text, RawStmt** raw) {
    *raw = linitial_node(RawStmt, pg::ParseText(text));
    return reinterpret_cast<SelectStmt*>((*raw)->stmt);
}

}  // namespace

Aggregation AnalyzeAggregation(const std::string& query) {
    const Analyzed found = pg::Call([text = query.c_str()]() { return Analyze(text); });
    if (found.refusal != nullptr) {
        pg::Throw(core::kFeatureNotSupported, "this query cannot be kept up to date",
                  std::string("The reason: ") + found.refusal + ".",
                  found.hint != nullptr ? found.hint : "");
    }
    Aggregation aggregation;
    aggregation.query = found.query;
    aggregation.why_full = found.why_full != nullptr ? found.why_full : "";
    for (int i = 0; i < found.columns.count; ++i) {
        const Group& group = found.groups[i];
        aggregation.columns.push_back(
            {found.columns.list[i].ToColumn(), group.grouped, group.expression});
    }
    aggregation.relations.assign(found.relations.list,
                                 found.relations.list + found.relations.count);
    return aggregation;
}

std::string Restrict(const std::string& query, const std::string& condition) {
    const std::string carrier = "SELECT WHERE " + condition;
    const char* restricted = pg::Call([text = query.c_str(), extra = carrier.c_str()]() {
        RawStmt* raw = nullptr;
        RawStmt* other = nullptr;
        SelectStmt* select = Select(text, &raw);
        Node* more = Select(extra, &other)->whereClause;
        // Positions in two texts mean nothing to an error report.
        select->whereClause = select->whereClause == nullptr
                                  ? more
                                  : reinterpret_cast<Node*>(makeBoolExpr(
                                        AND_EXPR, list_make2(select->whereClause, more), -1));
        Oid types[1] = {JSONBOID};
        return QualifiedText(pg::AnalyzeText(raw, text, types, 1));
    });
    return restricted;
}

}  // namespace bitvelocity::medallion
