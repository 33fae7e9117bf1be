// Destinations: where the events of each table go, made once per version of a table.
//
// Also numbers the tables, so that a message under way can carry which one it is of. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/change.hpp"
#include "core/status.hpp"
#include "pipeline/table_shape.hpp"

namespace bitvelocity::pipeline {

class Outbox;
class TransactionEvents;

struct Destination {
    std::uint32_t version = 0;
    std::string topic;
    std::uint32_t table = 0;  // number of the table's name; 0: none
    bool outbox = false;
    std::size_t counted_as = 0;  // in the events about transactions
};

class Destinations {
  public:
    Destinations(std::string topic, std::vector<TableShape> shapes, const core::Source& source)
        : topic_(std::move(topic)), shapes_(std::move(shapes)), source_(source) {}

    // No relation: of logical messages. `outbox`, `events` may be null. Valid until the table's
    // next version.
    core::Result<const Destination*> Find(const core::RelationSchema* relation,
                                          const Outbox* outbox, TransactionEvents* events);
    // "schema.table"
    [[nodiscard]] const std::string& TableName(std::uint32_t table) const { return tables_[table]; }

  private:
    std::string topic_;
    std::vector<TableShape> shapes_;
    core::Source source_;
    std::unordered_map<core::Oid, Destination> destinations_;
    std::vector<std::string> tables_{std::string()};
};

}  // namespace bitvelocity::pipeline
