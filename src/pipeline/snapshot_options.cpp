#include "pipeline/snapshot_options.hpp"

#include <nlohmann/json.hpp>

namespace bitvelocity::pipeline {

namespace {

constexpr const char* kChunkRows = "snapshot.chunk_rows";
constexpr std::int64_t kMostRows = 1'000'000;

}  // namespace

const std::set<std::string>& SnapshotOptionNames() {
    static const std::set<std::string> names{kChunkRows};
    return names;
}

core::Result<SnapshotOptions> ParseSnapshotOptions(const std::string& options_json) {
    SnapshotOptions options;
    const nlohmann::json object = nlohmann::json::parse(options_json, nullptr, false);
    if (!object.is_object()) {
        return core::Status::Fail(core::kInvalidParameter,
                                  "options of a stream must be a JSON object");
    }
    const auto found = object.find(kChunkRows);
    if (found == object.end()) {
        return options;
    }
    if (!found->is_number_integer() || *found < 1 || *found > kMostRows) {
        return core::Status::Fail(
            core::kInvalidParameter,
            "invalid value for option \"" + std::string(kChunkRows) + "\": " + found->dump(), {},
            "A number of rows from 1 to " + std::to_string(kMostRows) + ".");
    }
    options.chunk_rows = found->get<std::uint64_t>();
    return options;
}

}  // namespace bitvelocity::pipeline
