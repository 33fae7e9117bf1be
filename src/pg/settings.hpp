// Settings: every bitvelocity.* parameter, defined once in _PG_init. Read directly; units in the
// names.
#pragma once

namespace bitvelocity::pg::settings {

// stream/row_messages.hpp says what they mean.
enum class RowWriter { kOwn, kVerified, kPgoutput };

extern bool enabled;              // bitvelocity.enabled
extern int max_task_workers;      // bitvelocity.max_task_workers
extern int stream_memory_kb;      // bitvelocity.stream_memory, a stream
extern char* connection_file;     // bitvelocity.connection_file, "" = none
extern int log_interval_s;        // bitvelocity.log_interval
extern bool flush_async_commits;  // bitvelocity.flush_async_commits
extern int max_streams;           // bitvelocity.max_streams, cluster-wide, needs a restart
extern int row_writer;            // bitvelocity.row_writer, a RowWriter
extern char* actor;               // bitvelocity.actor, "" = none
extern char* correlation_id;      // bitvelocity.correlation_id, "" or a UUID
extern char* traceparent;         // bitvelocity.traceparent, "" or W3C Trace Context

// Once, from _PG_init. Settings that need the shared memory of a preloaded library are defined only
// while shared_preload_libraries is processed.
void Define();

}  // namespace bitvelocity::pg::settings
