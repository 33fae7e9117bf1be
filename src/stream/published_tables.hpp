// PublishedTables: which tables a stream may publish, and how: the rules about keys and ownership.
#pragma once

#include <string>
#include <vector>

#include "core/schema.hpp"

namespace bitvelocity::stream {

// Throws unless the caller owns the table and it can be published (permanent, ordinary or
// partitioned, not a partition, not of the extension).
void RequirePublishable(core::Oid table);

// Where the replica identity of the table (or of a partition of it) would make the user's UPDATE
// and DELETE fail once published, does what `on_missing_key` says: 'error' throws, 'full' sets
// REPLICA IDENTITY FULL, 'insert_only' returns true: publish inserts only.
bool HandleMissingKey(core::Oid table, const std::string& on_missing_key);

// As the owner of the extension. The first publication sends everything, the second inserts only.
// Both are made with the stream, before its slot: a publication that is younger than a change makes
// decoding that change fail. Names: bitvelocity_<stream> and bitvelocity_<stream>_insert.
void EnsurePublications(const std::string& stream);
void PublishTables(const std::string& stream, const std::vector<core::Oid>& tables,
                   bool insert_only);
// The rows of a table that the stream's own publication sends: those for which the SQL expression
// is true; empty: all. Throws where it is no expression, or would make the user's UPDATE fail.
void SetFilter(const std::string& stream, core::Oid table, const std::string& filter);
void UnpublishTable(const std::string& stream, core::Oid table);
void DropPublications(const std::string& stream);
// What it publishes now, without tables of the extension and bronze tables.
[[nodiscard]] std::vector<core::Oid> TablesOfPublication(const std::string& publication);
// Whether updates or deletes of the table are sent.
[[nodiscard]] bool PublishesOldRows(const std::vector<std::string>& publications, core::Oid table);
[[nodiscard]] std::vector<std::string> PublicationsOf(const std::string& stream);

}  // namespace bitvelocity::stream
