// Failpoint: a place of core/failpoint.hpp in code that raises. Inside pg::Call, or where nothing
// with a destructor is alive.
#pragma once

#include "core/failpoint.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::pg {

inline void PassFailpoint(core::Failpoint point) {
    if (core::FailpointHit(point)) {
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg("failpoint %s", core::FailpointName(point).data())));
    }
}

// At the start of a process and at a reload.
inline void ReadFailpoint() {
    const core::Status status = core::ArmFailpoint();
    if (!status.ok()) {
        ereport(LOG, (errmsg("bitvelocity: %s", status.error().message.c_str())));
    }
}

}  // namespace bitvelocity::pg
