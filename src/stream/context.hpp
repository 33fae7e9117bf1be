// Context: says in the WAL who writes, before the first change of a transaction to a published
// table.
//
// One transactional logical message (prefix bitvelocity.context) from bitvelocity.actor,
// .correlation_id and .traceparent; again after they changed or after the savepoint that held it
// was rolled back. Never from set_context itself, which would give a reading transaction an xid. A
// table is covered when a publication publishes it (the relation cache knows, exactly and for
// nothing). In every backend of a preloaded server.
#pragma once

#include <string>

namespace bitvelocity::stream {

// _PG_init, while preloading: executor, utility and transaction hooks.
void InstallContext();

// The text of the innermost utility statement that is being run; empty: unknown.
std::string StatementText();

}  // namespace bitvelocity::stream
