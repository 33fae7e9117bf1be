#include "stream/model/slot_verdict.hpp"

namespace bitvelocity::stream::model {

std::optional<std::string> JudgeSlot(const SlotView& slot, const RecordView& record,
                                     std::uint32_t timeline) {
    const std::string name = "replication slot \"" + slot.name + "\"";
    if (!slot.exists) {
        return name +
               " is gone: it was dropped, or this server was restored or promoted without it";
    }
    if (!slot.invalidation.empty()) {
        return name + " was invalidated: " + slot.invalidation;
    }
    if (!slot.logical || !slot.own_database || slot.plugin != "pgoutput") {
        return name + " was replaced by one of another kind";
    }
    if (slot.synchronized && (!record.exists || record.timeline != timeline)) {
        return std::nullopt;
    }
    if (!record.exists) {
        return name + " is not the one this server left: nothing is recorded of its position";
    }
    if (slot.confirmed > record.confirmed) {
        return name + " was replaced or advanced by somebody else: it begins at " +
               core::ToString(slot.confirmed) + ", this stream confirmed " +
               core::ToString(record.confirmed);
    }
    return std::nullopt;
}

}  // namespace bitvelocity::stream::model
