// The triggers of an audited table, in the transaction that makes the change: a row that cannot be
// recorded is not changed. ENABLE ALWAYS: they also see what logical replication applies.

#include "audit/registry.hpp"
#include "pg/boundary.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::audit {

namespace {

TriggerData* Called(FunctionCallInfo fcinfo, const char* name, bool row) {
    auto* trigger =
        CALLED_AS_TRIGGER(fcinfo) ? reinterpret_cast<TriggerData*>(fcinfo->context) : nullptr;
    if (trigger == nullptr || !TRIGGER_FIRED_AFTER(trigger->tg_event) ||
        (TRIGGER_FIRED_FOR_ROW(trigger->tg_event) != 0) != row) {
        pg::Throw("39P01", std::string(name) + " can only be called as an AFTER " +
                               (row ? "row" : "statement") + " trigger");
    }
    return trigger;
}

}  // namespace

}  // namespace bitvelocity::audit

BV_FUNCTION(bitvelocity_audit_row) {
    using bitvelocity::core::Operation;
    const TriggerData* trigger = bitvelocity::audit::Called(fcinfo, "audit_row()", true);
    const auto plan = bitvelocity::audit::PlanOf(trigger->tg_relation);
    if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event)) {
        plan->Write(Operation::kInsert, nullptr, trigger->tg_trigtuple);
    } else if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event)) {
        plan->Write(Operation::kUpdate, trigger->tg_trigtuple, trigger->tg_newtuple);
    } else {
        plan->Write(Operation::kDelete, trigger->tg_trigtuple, nullptr);
    }
    return PointerGetDatum(nullptr);
}

BV_FUNCTION(bitvelocity_audit_truncate) {
    const TriggerData* trigger = bitvelocity::audit::Called(fcinfo, "audit_truncate()", false);
    bitvelocity::audit::PlanOf(trigger->tg_relation)
        ->Write(bitvelocity::core::Operation::kTruncate, nullptr, nullptr);
    return PointerGetDatum(nullptr);
}
