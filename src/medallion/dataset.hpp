// Dataset: one row of bitvelocity.dataset, and the scope in which its statements run.
//
// Main thread, inside a transaction. Reads and writes of the catalogue happen as the owner of the
// extension (pg::CatalogScope), everything that users wrote or own as the owner of the dataset.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/scopes.hpp"
#include "pg/spi.hpp"

namespace bitvelocity::medallion {

struct Dataset {
    std::int64_t id = 0;
    std::string name;
    std::string layer;  // silver, gold
    std::string kind;   // silver, rollup
    std::uint32_t target = 0;
    std::vector<std::uint32_t> sources;
    std::uint32_t source_table = 0;  // silver: the table that bronze mirrors; 0: unknown
    std::uint32_t owner = 0;
    std::string definition;  // JSON
    std::string time_zone;
    std::int64_t batch_size = 0;
    bool paused = false;
    std::int64_t position = 0;
    std::string highest;       // '{...}' or empty
    std::string truncated_at;  // '{...}' or empty
    std::int32_t version = 1;
};

// Throws 42704 with the nearest name.
[[nodiscard]] Dataset LoadDataset(pg::SpiScope& spi, const std::string& name);
[[nodiscard]] Dataset LoadDataset(pg::SpiScope& spi, std::int64_t id);
// Locks the dataset's row to the end of the transaction (one refresh at a time) and reads it
// afresh; nothing where it was dropped meanwhile.
[[nodiscard]] std::optional<Dataset> LockDataset(pg::SpiScope& spi, std::int64_t id);
[[nodiscard]] std::vector<Dataset> AllDatasets(pg::SpiScope& spi);

// Throws 42501 unless the current user has the rights of the dataset's owner.
void RequireRights(const Dataset& dataset);

// Acts as the dataset's owner with the settings that make its result the same in every session:
// time zone of the dataset, ISO dates, no JIT (its statements are short and often new).
class DatasetScope {
  public:
    DatasetScope(std::uint32_t owner, const std::string& time_zone);

  private:
    pg::OwnerScope owner_;
};

// The time zone of the session, kept with a dataset that is made in it.
[[nodiscard]] std::string TimeZoneNow();

}  // namespace bitvelocity::medallion
