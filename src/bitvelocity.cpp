// The composition root: the magic block, _PG_init, and who provides what to the workers. The only
// file that knows both the workers and the capabilities.

#include "medallion/events.hpp"
#include "medallion/tasks.hpp"
#include "partition/maintenance.hpp"
#include "pg/boundary.hpp"
#include "pg/settings.hpp"
#include "stream/context.hpp"
#include "stream/decoder.hpp"
#include "stream/deliverer.hpp"
#include "stream/services.hpp"
#include "stream/wal_guard.hpp"
#include "stream/shared.hpp"
#include "worker/worker.hpp"

#include "pg/postgres.hpp"

extern "C" {
PG_MODULE_MAGIC;
BV_EXPORT void _PG_init(void);
}

namespace {

void RegisterStreams() {
    using namespace bitvelocity;
    worker::Capability streams;
    streams.kind = "stream";
    streams.list_services = stream::ListServices;
    streams.process_count = 2;
    streams.process_names[0] = "decoder";
    streams.process_mains[0] = stream::DecoderMain;
    streams.process_names[1] = "deliverer";
    streams.process_mains[1] = stream::DelivererMain;
    streams.watch = stream::GuardWal;
    streams.uninstall = stream::Uninstall;
    streams.database_dropped = stream::DatabaseDropped;
    worker::Register(streams);
}

void RegisterPartitions() {
    using namespace bitvelocity;
    worker::Capability partitions;
    partitions.kind = partition::kTaskKind;
    partitions.list_tasks = partition::ListTasks;
    partitions.run_task = partition::RunTask;
    worker::Register(partitions);
}

void RegisterDatasets() {
    using namespace bitvelocity;
    worker::Capability datasets;
    datasets.kind = medallion::kTaskKind;
    datasets.list_tasks = medallion::ListTasks;
    datasets.run_task = medallion::RunTask;
    worker::Register(datasets);
    medallion::SetListeners({worker::CatalogChanged, worker::SignalAtCommit});
}

}  // namespace

void _PG_init(void) {
    using namespace bitvelocity;
    pg::settings::Define();
    // pg_upgrade starts servers in which nothing of ours may run.
    if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade) {
        return;
    }
    stream::InstallShared();
    stream::InstallContext();
    RegisterStreams();
    RegisterPartitions();
    RegisterDatasets();
    worker::Install();
}
