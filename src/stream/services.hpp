// Services: what the scheduler has to know of streams: which should run, and what to tidy up.
#pragma once

#include <vector>

#include "worker/worker.hpp"

namespace bitvelocity::stream {

// Scheduler, inside a transaction. Also drops slots and origins of streams that exist no more.
std::vector<worker::Service> ListServices();

// After a committed DROP EXTENSION, outside a transaction: every slot and origin of the database.
void Uninstall(core::Oid database);

// After DROP DATABASE, in its transaction: the origins that name it. C calls only.
void DatabaseDropped(core::Oid database);

}  // namespace bitvelocity::stream
