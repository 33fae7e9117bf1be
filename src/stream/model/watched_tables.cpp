#include "stream/model/watched_tables.hpp"

#include <algorithm>

namespace bitvelocity::stream::model {

namespace {

bool IsPartial(const core::Change& change) {
    return std::any_of(change.after.begin(), change.after.end(), [](const core::Value& value) {
        return value.kind == core::ValueKind::kUnchanged;
    });
}

}  // namespace

std::optional<std::string> WatchedTables::OnChange(const core::Change& change) {
    if (change.relation == nullptr) {
        return std::nullopt;
    }
    const auto found = tables_.find(change.relation->oid);
    if (found == tables_.end()) {
        return std::nullopt;
    }
    ChunkWindow& window = found->second.window;
    RowKeys& keys = found->second.keys;
    const std::uint32_t xid = change.identity.xid;
    if (change.operation == core::Operation::kTruncate) {
        window.Truncated(xid);
        return std::nullopt;
    }
    const bool tells_before = !change.before.empty();
    const bool tells_after = !change.after.empty();
    const auto before = tells_before
                            ? keys.Make(*change.relation, change.before, change.before_is_key)
                            : std::nullopt;
    const auto after =
        tells_after ? keys.Make(*change.relation, change.after, false) : std::nullopt;
    if (tells_before != before.has_value() || tells_after != after.has_value()) {
        window.ChangedUnknown(xid);
        return std::nullopt;
    }
    const bool moved = before && after && *before != *after;
    if (before && (moved || !after)) {
        window.ChangedRow(xid, *before, false);
    }
    if (after) {
        const bool partial = IsPartial(change);
        if (moved && partial) {
            window.MovedRow(xid, *after);
            return window.reading() ? after : std::nullopt;
        }
        window.ChangedRow(xid, *after, partial);
    }
    return std::nullopt;
}

void WatchedTables::Read(core::Oid relation, const Visibility& snapshot) {
    for (auto& [oid, table] : tables_) {
        if (oid == relation) {
            table.window.Read(snapshot);
        } else {
            table.window.Open(snapshot);
        }
    }
}

}  // namespace bitvelocity::stream::model
