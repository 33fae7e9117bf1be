// fold_payload: the row after a series of changes, when changes carry only what they changed.

#include "pg/boundary.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::medallion {

// fold_payload_add(state jsonb, payload jsonb, whole boolean): a whole row replaces the state.
BV_FUNCTION(bitvelocity_fold_payload_add) {
    const bool whole = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
    if (PG_ARGISNULL(1)) {
        if (whole || PG_ARGISNULL(0)) {
            PG_RETURN_NULL();
        }
        return PG_GETARG_DATUM(0);
    }
    if (whole || PG_ARGISNULL(0)) {
        return PG_GETARG_DATUM(1);
    }
    return pg::Call([fcinfo]() {
        return DirectFunctionCall2(jsonb_concat, PG_GETARG_DATUM(0), PG_GETARG_DATUM(1));
    });
}

}  // namespace bitvelocity::medallion
