#include "pipeline/snapshot_options.hpp"

#include <nlohmann/json.hpp>

namespace bitvelocity::pipeline {

namespace {

constexpr const char* kChunkRows = "snapshot.chunk_rows";
constexpr const char* kReaders = "snapshot.readers";

struct Range {
    const char* key;
    std::uint64_t most;
    const char* what;
};
constexpr Range kRowsRange{kChunkRows, 1'000'000, "rows"};
constexpr Range kReadersRange{kReaders, 8, "processes"};

core::Status Take(const nlohmann::json& object, const Range& range, std::uint64_t& value) {
    const auto found = object.find(range.key);
    if (found == object.end()) {
        return core::Status::Ok();
    }
    if (!found->is_number_integer() || *found < 1 || *found > range.most) {
        return core::Status::Fail(
            core::kInvalidParameter,
            "invalid value for option \"" + std::string(range.key) + "\": " + found->dump(), {},
            "A number of " + std::string(range.what) + " from 1 to " + std::to_string(range.most) +
                ".");
    }
    value = found->get<std::uint64_t>();
    return core::Status::Ok();
}

}  // namespace

const std::set<std::string>& SnapshotOptionNames() {
    static const std::set<std::string> names{kChunkRows, kReaders};
    return names;
}

core::Result<SnapshotOptions> ParseSnapshotOptions(const std::string& options_json) {
    SnapshotOptions options;
    const nlohmann::json object = nlohmann::json::parse(options_json, nullptr, false);
    if (!object.is_object()) {
        return core::Status::Fail(core::kInvalidParameter,
                                  "options of a stream must be a JSON object");
    }
    BV_RETURN_IF_ERROR(Take(object, kRowsRange, options.chunk_rows));
    BV_RETURN_IF_ERROR(Take(object, kReadersRange, options.readers));
    return options;
}

}  // namespace bitvelocity::pipeline
