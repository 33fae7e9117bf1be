// SlotRecord: what a stream remembers of its slot's position, apart from the slot itself.
//
// A file of the data directory per slot (bitvelocity/<slot name>), 0600, written by the decoder
// before it confirms a position to the slot: a slot that stands behind its record was replaced or
// advanced by somebody else, and changes may be missing. An idle stream writes neither file nor
// WAL. Two images take turns, each with a checksum, so a torn write leaves the one before. All
// functions may raise. Plain data.
#pragma once

#include "pg/postgres.hpp"

namespace bitvelocity::stream {

struct SlotRecord {
    std::uint64_t sequence;  // of writes; 0: there is no record
    std::uint64_t confirmed;
    std::uint32_t timeline;
    std::uint32_t unused;
    std::uint64_t skipped;  // events that the policy `skip` left out
};

SlotRecord ReadSlotRecord(const char* slot);
// Durable when it returns. `create`: makes the file where it is missing, else that is an error.
void WriteSlotRecord(const char* slot, SlotRecord* record, bool create);
void RemoveSlotRecord(const char* slot);
// Of slots of `database` that are not in `keep` and do not exist.
void RemoveSlotRecordsExcept(Oid database, const char* const* keep, int keep_count);

}  // namespace bitvelocity::stream
