// Notify: what a transaction of any backend tells the workers, at its commit and never after a
// rollback.
#pragma once

namespace bitvelocity::worker {

// Transaction callback and object access hook; while shared_preload_libraries is processed.
void InstallNotify();

// The databases of the cluster changed in this transaction (CREATE, ALTER, DROP DATABASE).
void DatabasesChanged();
// A prepared transaction was finished: it may have touched the extension.
void PreparedFinished();

}  // namespace bitvelocity::worker
