// RowPlan: how the rows of one version of a relation become JSON, compiled once.
//
// RelationCache keeps one plan of any kind per relation and replaces it when the version changes. A
// plan copies what it needs; it never points into the RelationSchema. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "core/change.hpp"
#include "format/json_value.hpp"
#include "format/json_writer.hpp"

namespace bitvelocity::format {

struct RowPlan {
    std::vector<ValuePlan::Field> columns;
    std::vector<std::size_t> key;       // RelationSchema::KeyColumns
    std::vector<std::size_t> identity;  // what a before image of kind "key" holds
    bool names_valid = true;            // false: no message about this relation can be made
};

[[nodiscard]] RowPlan MakeRowPlan(const core::RelationSchema& relation);

// The row as an object. A value that is not in the WAL (unchanged TOAST) is left out; false then.
bool WriteRow(JsonWriter& out, const RowPlan& plan, core::Tuple tuple);
// The chosen columns as an object; an unchanged one counts as NULL.
void WriteColumns(JsonWriter& out, const RowPlan& plan, const std::vector<std::size_t>& columns,
                  core::Tuple tuple);
// What is known of the old row; the tuple must not be empty.
void WriteBefore(JsonWriter& out, const RowPlan& plan, const core::Change& change);
// The names of the columns whose values are not in the WAL, as an array.
void WriteUnchanged(JsonWriter& out, const RowPlan& plan, core::Tuple tuple);
// A logical message as {prefix, content}, or content_base64 where the content is not UTF-8.
void WriteLogicalMessage(JsonWriter& out, const core::Change& change);
// An update that moved the row to another key.
[[nodiscard]] bool KeyChanged(const std::vector<std::size_t>& key, const core::Change& change);

template <typename Plan>
class RelationCache {
  public:
    // Make(relation) -> Plan, called when the relation or its version is new.
    template <typename Make>
    Plan& Get(const core::RelationSchema& relation, Make&& make) {
        if (last_ != nullptr && last_->oid == relation.oid && last_->version == relation.version)
            [[likely]] {
            return last_->plan;
        }
        std::unique_ptr<Entry>& entry = entries_[relation.oid];
        if (entry == nullptr || entry->version != relation.version) {
            last_ = nullptr;
            entry.reset(new Entry{relation.oid, relation.version, make(relation)});
        }
        last_ = entry.get();
        return last_->plan;
    }

  private:
    struct Entry {
        core::Oid oid;
        std::uint32_t version;
        Plan plan;
    };

    std::unordered_map<core::Oid, std::unique_ptr<Entry>> entries_;
    Entry* last_ = nullptr;
};

}  // namespace bitvelocity::format
