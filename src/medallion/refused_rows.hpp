// Which events of a silver refresh have values that PostgreSQL refuses.
//
// A failed statement says what was wrong, not with which row. So the rows are evaluated one after
// the other, in one query that runs until it fails: the row after the last one that came is the one
// at fault, and the search goes on behind it. The price is one evaluation of every row and one
// start of the query for each refused one. Writes nothing. Main thread, inside a transaction.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>

#include "core/status.hpp"
#include "medallion/dataset.hpp"
#include "medallion/model/silver_sql.hpp"

namespace bitvelocity::medallion {

struct Event {
    std::int64_t sequence;
    int flags;  // EventFlag
};

// A refusal that is about one row's content; anything else (rights, locks, space) fails the
// refresh.
[[nodiscard]] bool IsAboutRow(const core::Error& error);

// ProbeSql without and with what the target demands.
struct ProbeText {
    std::string values;
    std::string demands;
};

// Applies one event alone and takes that back: the last word on what the target refuses.
using TryAlone = std::function<core::Status(std::int64_t sequence)>;

// `events`: in the order of their sequence, the first one behind `after`. What is found is certain;
// what is not (events without all columns, triggers and unique indexes of the target, a query that
// the planner evaluates in another order) the caller has to find by itself. Throws what is not
// about a row.
[[nodiscard]] std::map<std::int64_t, core::Error> FindRefused(
    pg::SpiScope& spi, const Dataset& dataset, const ProbeText& probe,
    std::span<const Event> events, std::int64_t after, const TryAlone& try_alone);

// What the dataset's target demands of a row, as of now.
[[nodiscard]] TargetDemands DemandsOf(pg::SpiScope& spi, const Dataset& dataset,
                                      const SilverShape& shape);

}  // namespace bitvelocity::medallion
