// SlotVerdict: whether a stream may go on from its replication slot, or changes may be missing.
//
// A stream confirms no position to its slot that it did not record before, so a slot that stands
// behind its record was advanced or made anew by somebody else. A slot that a standby synchronised
// is ahead of the record it was copied with, which the timeline tells. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/lsn.hpp"

namespace bitvelocity::stream::model {

struct SlotView {
    std::string name;
    bool exists = false;
    bool logical = false;
    bool own_database = false;
    std::string plugin;
    std::string invalidation;  // why the server invalidated it; empty: it did not
    core::Lsn confirmed;
    bool synchronized = false;  // came from the primary that this server has replaced
};

struct RecordView {
    bool exists = false;
    core::Lsn confirmed;
    std::uint32_t timeline = 0;
};

// Why the stream needs a resync, as a clause without full stop; nothing: it may go on.
[[nodiscard]] std::optional<std::string> JudgeSlot(const SlotView& slot, const RecordView& record,
                                                   std::uint32_t timeline);

}  // namespace bitvelocity::stream::model
