// Message compat: pg/compat.hpp for the one file that writes messages outside of transactions.
#pragma once

#include "pg/postgres.hpp"

namespace bitvelocity::pg::compat {

// message.h: LogLogicalMessage got `flush` in 17 (commit 173b56f1). Not bound to a transaction; not
// flushed.
inline XLogRecPtr EmitMessageAtOnce(const char* prefix, const char* message, size_t size) {
#if PG_VERSION_NUM >= 170000
    return LogLogicalMessage(prefix, message, size, false, false);
#else
    return LogLogicalMessage(prefix, message, size, false);
#endif
}

}  // namespace bitvelocity::pg::compat
