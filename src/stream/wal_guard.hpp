// WalGuard: watches the WAL and the catalogue rows that every stream's slot retains, whether the
// stream runs or not, and does what its options say beyond the limit.
//
// Runs in the scheduler, every few seconds, inside a transaction. Keeps its figures in the stream's
// entry in shared memory for stream_status; a message of one stream repeats at most once per
// bitvelocity.log_interval.
#pragma once

namespace bitvelocity::stream {

void GuardWal();

}  // namespace bitvelocity::stream
