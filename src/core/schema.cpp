#include "core/schema.hpp"

namespace bitvelocity::core {

std::vector<std::size_t> RelationSchema::KeyColumns() const {
    if (!chosen_key.empty()) {
        return chosen_key;
    }
    std::vector<std::size_t> result;
    const bool full = replica_identity == ReplicaIdentity::kFull;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        // Under FULL pgoutput flags every column; the primary key, where there is one, is the key.
        if (full ? columns[i].primary_key : columns[i].key) {
            result.push_back(i);
        }
    }
    if (result.empty() && !full) {
        for (std::size_t i = 0; i < columns.size(); ++i) {
            if (columns[i].primary_key) {
                result.push_back(i);
            }
        }
    }
    return result;
}

}  // namespace bitvelocity::core
