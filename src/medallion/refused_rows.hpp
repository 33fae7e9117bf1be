// Which events of a silver refresh have values that PostgreSQL refuses.
//
// A failed statement says what was wrong, not with which row. So the rows are evaluated one after
// the other, in one query that runs until it fails: the row after the last one that came is the one
// at fault, and the search goes on behind it. The price is one evaluation of every row and one
// start of the query for each refused one. Writes nothing. Main thread, inside a transaction.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "core/status.hpp"
#include "medallion/dataset.hpp"

namespace bitvelocity::medallion {

struct Event {
    std::int64_t sequence;
    int flags;  // EventFlag
};

// A refusal that is about one row's content; anything else (rights, locks, space) fails the
// refresh.
[[nodiscard]] bool IsAboutRow(const core::Error& error);

// `probe`: ProbeSql; `events`: in the order of their sequence, the first one behind `after`. What
// is found is certain; what is not (events without all columns, a query that the planner evaluates
// in another order) the caller has to find by itself. Throws what is not about a row.
[[nodiscard]] std::map<std::int64_t, core::Error> FindRefused(pg::SpiScope& spi,
                                                              const Dataset& dataset,
                                                              const std::string& probe,
                                                              std::span<const Event> events,
                                                              std::int64_t after);

}  // namespace bitvelocity::medallion
