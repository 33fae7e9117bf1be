// Verbs: what the SQL functions of streams do, as one call each. Backend, inside a transaction.
//
// All throw (SQLSTATE, DETAIL, HINT) and leave nothing half done: the caller's transaction decides.
// The processes of a stream learn of it at commit.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/schema.hpp"

namespace bitvelocity::stream {

struct NewStream {
    std::string name;
    std::vector<core::Oid> tables;
    std::optional<std::string> publication;
    std::string sink;
    std::string format;
    bool snapshot = true;
    std::string on_missing_key;  // error, full, insert_only
    std::string options_json;
};

void CreateStream(const NewStream& request);
void AlterStream(const std::string& name, const std::vector<core::Oid>& add_tables,
                 const std::vector<core::Oid>& drop_tables,
                 const std::optional<std::string>& options_json);
// Deliverer of an embedded stream over a publication of the user, in a transaction: whether the
// publication sends the table by now, and what lets it join: a bronze table, the copy of its rows
// to come; the stream's processes are replaced at commit.
[[nodiscard]] bool IsPublishedTo(std::int32_t stream_id, core::Oid table);
void JoinTable(std::int32_t stream_id, core::Oid table);
void PauseStream(const std::string& name, bool paused);
void DropStream(const std::string& name);
// No tables: a new slot, the next epoch, every table copied again. Tables: where the slot was lost
// the same with only these copied; else the stream goes on with its slot and copies them.
void ResyncStream(const std::string& name, const std::vector<core::Oid>& tables);
// Sends what the tables (none: all of the stream) have now once more as `r` events. The filter is a
// condition over one row, evaluated as the table's owner, who has to be the one who asks.
void SnapshotStream(const std::string& name, const std::vector<core::Oid>& tables,
                    const std::optional<std::string>& filter);
// Gives every stream that is not at home here a new slot and the next epoch; returns how many.
// `existing_rows`: copies all their tables again.
std::int32_t AdoptStreams(bool existing_rows);
// The bronze table of `source`, written by the database's one embedded stream.
core::Oid CreateBronze(core::Oid source, const std::string& target,
                       const std::string& on_missing_key);

// Letters of the stream (`all`, or a bigint[] of their ids) are sent again after the commit;
// returns how many.
std::int64_t RedriveDeadLetters(const std::string& stream, std::uintptr_t ids, bool all);

// False at the timeout. Waits for the stream to run and for everything before `lsn` to be durable.
bool WaitForStream(const std::string& name, std::uint64_t lsn, std::int64_t timeout_ms);

// Waits until everything committed by now is durable in the sink and confirmed to the slot, and the
// stream is paused with its processes gone; returns the slot's position. Throws at the timeout.
std::uint64_t DrainStream(const std::string& name, std::int64_t timeout_ms);

}  // namespace bitvelocity::stream
