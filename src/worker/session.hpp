// Session: who a worker process is in its database, and the settings it works with.
//
// A task worker is the owner of what it works on, never a superuser who acts as one. Main thread of
// a worker process; Connect (worker.hpp) is implemented here.
#pragma once

#include "core/schema.hpp"

namespace bitvelocity::worker {

// The settings every process of ours works with, whatever ALTER DATABASE or ROLE ... SET say.
void PinSession();

// Connects as the role for the rest of the process, also where it has no LOGIN.
void ConnectAsOwner(core::Oid database, core::Oid role, bool may_log_in);

}  // namespace bitvelocity::worker
