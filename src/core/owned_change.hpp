// OwnedChange: a Change that lends nothing: it and its table live as long as it does.
//
// For events that must outlast the batch they came in: under way to a broker, or on their way into
// a letter. A table is copied once per version (OwnedRelations), values into one buffer. Immutable;
// any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "core/change.hpp"

namespace bitvelocity::core {

class OwnedChange {
  public:
    // `relation`: a copy of change.relation, null where that is null. Identity and position are
    // taken as they are: `source` must outlive the result.
    OwnedChange(const Change& change, std::shared_ptr<const RelationSchema> relation,
                const Source* source);
    OwnedChange(const OwnedChange&) = delete;
    OwnedChange& operator=(const OwnedChange&) = delete;

    [[nodiscard]] const Change& change() const { return change_; }
    // Memory it takes, roughly, without the table.
    [[nodiscard]] std::size_t bytes() const;

  private:
    std::string_view Keep(std::string_view text);
    void KeepTuple(Tuple from, std::vector<Value>& to);

    std::shared_ptr<const RelationSchema> relation_;
    std::vector<char> texts_;
    std::vector<Value> before_;
    std::vector<Value> after_;
    Context context_;
    Change change_;
};

// Copies of tables, one per oid and version.
class OwnedRelations {
  public:
    [[nodiscard]] std::shared_ptr<const RelationSchema> Get(const RelationSchema* relation);

  private:
    std::unordered_map<Oid, std::shared_ptr<const RelationSchema>> relations_;
};

}  // namespace bitvelocity::core
