#include "pipeline/guard_options.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <nlohmann/json.hpp>

#include "core/nearest.hpp"

namespace bitvelocity::pipeline {

namespace {

using nlohmann::json;

core::Status Invalid(std::string message, std::string hint) {
    return core::Status::Fail(core::kInvalidParameter, std::move(message), {}, std::move(hint));
}

// "10GB", "512 MB", "1048576": units as in PostgreSQL's settings, of 1024.
std::optional<std::uint64_t> ParseSize(const std::string& text) {
    std::uint64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc()) {
        return std::nullopt;
    }
    std::string unit(rest, end);
    unit.erase(0, unit.find_first_not_of(' '));
    static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
    int shift = 0;
    if (!unit.empty()) {
        const auto* found = std::find(std::begin(kUnits), std::end(kUnits), unit);
        if (found == std::end(kUnits)) {
            return std::nullopt;
        }
        shift = static_cast<int>(found - std::begin(kUnits)) * 10;
    }
    if (number > (UINT64_MAX >> 1) >> shift) {
        return std::nullopt;
    }
    return number << shift;
}

core::Status ReadLimit(const json& value, GuardOptions& options) {
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    const auto size = ParseSize(text);
    if (!size || *size == 0 || value.is_structured()) {
        return Invalid("invalid value for option \"wal_limit\": " + value.dump(),
                       "A size with a unit, as \"10GB\" (B, kB, MB, GB, TB).");
    }
    options.wal_limit = *size;
    return core::Status::Ok();
}

core::Status ReadPolicy(const json& value, GuardOptions& options) {
    static const std::set<std::string> kPolicies{"warn", "throttle", "drop_slot"};
    const std::string name = value.is_string() ? value.get<std::string>() : value.dump();
    if (!kPolicies.contains(name)) {
        return Invalid("unknown wal_policy \"" + name + "\"",
                       core::NearestHint(name, kPolicies, "policies"));
    }
    options.policy = name == "warn"       ? WalPolicy::kWarn
                     : name == "throttle" ? WalPolicy::kThrottle
                                          : WalPolicy::kDropSlot;
    return core::Status::Ok();
}

core::Status ReadAge(const json& value, GuardOptions& options) {
    // The server stops at two billion.
    if (!value.is_number_integer() || value.get<std::int64_t>() < 1 ||
        value.get<std::int64_t>() > 2'000'000'000) {
        return Invalid("invalid value for option \"catalog_xmin_limit\": " + value.dump(),
                       "A number of transactions from 1 to 2000000000.");
    }
    options.catalog_xmin_limit = value.get<std::uint64_t>();
    return core::Status::Ok();
}

}  // namespace

const std::set<std::string>& GuardOptionNames() {
    static const std::set<std::string> names{"catalog_xmin_limit", "wal_limit", "wal_policy"};
    return names;
}

core::Result<GuardOptions> ParseGuardOptions(const std::string& options_json) {
    GuardOptions options;
    const json object = json::parse(options_json, nullptr, false);
    if (!object.is_object()) {
        return Invalid("options of a stream must be a JSON object", {});
    }
    for (const auto& [name, value] : object.items()) {
        if (name == "wal_limit") {
            BV_RETURN_IF_ERROR(ReadLimit(value, options));
        } else if (name == "wal_policy") {
            BV_RETURN_IF_ERROR(ReadPolicy(value, options));
        } else if (name == "catalog_xmin_limit") {
            BV_RETURN_IF_ERROR(ReadAge(value, options));
        }
    }
    return options;
}

std::uint64_t EffectiveWalLimit(const GuardOptions& options, std::uint64_t free_bytes) {
    return options.wal_limit != 0 ? options.wal_limit : std::min(kDefaultWalLimit, free_bytes / 4);
}

}  // namespace bitvelocity::pipeline
