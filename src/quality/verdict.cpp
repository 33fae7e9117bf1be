// quality_verdict(row): all rules of the row's table for one row. The plan is made once per query.

#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "quality/rules.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::quality {

namespace {

// Lives in fn_mcxt; its plan is freed with that context.
struct VerdictPlan {
    SPIPlanPtr plan;
    Oid owner;
    MemoryContextCallback cleanup;
};

Oid RelationOfRow(Oid row_type) {
    const Oid relation = pg::Call([row_type]() { return get_typ_typrelid(getBaseType(row_type)); });
    if (!OidIsValid(relation)) {
        const char* name = pg::Call([row_type]() { return format_type_be(row_type); });
        pg::Throw("42809", std::string("quality_verdict expects a row of a table, not ") + name, {},
                  "Call it as quality_verdict(t) FROM orders t.");
    }
    return relation;
}

VerdictPlan* MakePlan(FunctionCallInfo fcinfo) {
    const Oid row_type = pg::Call([fcinfo]() { return get_fn_expr_argtype(fcinfo->flinfo, 0); });
    const Oid relation = RelationOfRow(row_type);
    const std::vector<Rule> rules = LoadRules(relation);
    const VerdictSql verdict = VerdictOf(rules, "f");
    const std::string failures = rules.empty() ? "NULL::boolean[]" : FailuresSql(rules, "r");
    const std::string sql = "SELECT " + verdict.verdict + ", " + verdict.score + ", " +
                            verdict.issues + " FROM (SELECT " + failures +
                            " AS f FROM (SELECT ($1).*) r OFFSET 0) q";
    const Oid owner = pg::OwnerOf(relation);
    const pg::OwnerScope scope(owner);
    return pg::Call([fcinfo, row_type, owner, text = sql.c_str()]() {
        auto* made = static_cast<VerdictPlan*>(
            MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(VerdictPlan)));
        Oid types[1] = {row_type};
        made->plan = SPI_prepare(text, 1, types);
        if (made->plan == nullptr || SPI_keepplan(made->plan) != 0) {
            elog(ERROR, "could not prepare the verdict: %s", SPI_result_code_string(SPI_result));
        }
        made->owner = owner;
        made->cleanup.func = [](void* plan) { SPI_freeplan(static_cast<SPIPlanPtr>(plan)); };
        made->cleanup.arg = made->plan;
        MemoryContextRegisterResetCallback(fcinfo->flinfo->fn_mcxt, &made->cleanup);
        fcinfo->flinfo->fn_extra = made;
        return made;
    });
}

}  // namespace

BV_FUNCTION(bitvelocity_quality_verdict) {
    const pg::SpiScope spi;
    auto* plan = static_cast<VerdictPlan*>(fcinfo->flinfo->fn_extra);
    if (plan == nullptr) {
        plan = MakePlan(fcinfo);
    }
    const pg::OwnerScope owner(plan->owner);
    return pg::Call([fcinfo, plan]() -> Datum {
        Datum row = PG_GETARG_DATUM(0);
        if (SPI_execute_plan(plan->plan, &row, nullptr, true, 1) != SPI_OK_SELECT ||
            SPI_processed != 1) {
            elog(ERROR, "could not evaluate the verdict");
        }
        return PointerGetDatum(SPI_returntuple(SPI_tuptable->vals[0], SPI_tuptable->tupdesc));
    });
}

}  // namespace bitvelocity::quality
