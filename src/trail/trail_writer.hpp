// TrailWriter: a change of an audited row, as the trigger saw it -> one row of the trail.
//
// A TrailPlan says how the rows of one relation (the audited table, or a partition of it) become
// trail rows; it is built once and used until the relation changes. Writing acts as the owner of
// the trail, whoever made the change: a writer needs no right on the trail and cannot forge a row.
// The month that a row belongs to is made where it is missing. JSON values are to_jsonb's under the
// settings that the workers pin, whatever the session's are. Main thread, in a transaction.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/change.hpp"

struct HeapTupleData;
struct RelationData;

namespace bitvelocity::trail {

// What enable_audit was told; column numbers are those of the audited table.
struct TrailOptions {
    std::uint32_t relation = 0;
    std::uint32_t trail = 0;
    bool changed_only = false;
    std::vector<int> keys;
    std::vector<std::string> key_names;  // of the trail's columns
    std::vector<int> exclude;
    std::vector<int> redact;
};

class TrailPlan {
  public:
    // `source`: the relation whose rows come, open.
    TrailPlan(const TrailOptions& options, RelationData* source);
    ~TrailPlan();
    TrailPlan(const TrailPlan&) = delete;
    TrailPlan& operator=(const TrailPlan&) = delete;

    // `before` and `after` are null where there is none; both for TRUNCATE. An UPDATE that changes
    // no audited column leaves no row.
    void Write(core::Operation operation, HeapTupleData* before, HeapTupleData* after);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace bitvelocity::trail
