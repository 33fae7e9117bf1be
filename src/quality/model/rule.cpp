#include "quality/model/rule.hpp"

#include <algorithm>
#include <set>

#include "core/nearest.hpp"

namespace bitvelocity::quality {

namespace {

const std::set<std::string>& KeysOf(Kind kind) {
    static const std::set<std::string> none;
    static const std::set<std::string> range{"min", "max", "min_inclusive", "max_inclusive"};
    static const std::set<std::string> pattern{"regex", "negate"};
    static const std::set<std::string> reference{"table", "column"};
    switch (kind) {
        case Kind::kNotNull:
            return none;
        case Kind::kRange:
            return range;
        case Kind::kPattern:
            return pattern;
        case Kind::kReference:
            return reference;
    }
    return none;
}

core::Status WrongType(const ConfigEntry& entry, std::string_view wanted) {
    return core::Status::Fail(core::kInvalidParameter,
                              "config key \"" + entry.key + "\" must be a " + std::string(wanted),
                              "It is of type " + entry.type + ".");
}

core::Status TakeBool(const ConfigEntry& entry, bool& target) {
    if (entry.type != "boolean") {
        return WrongType(entry, "boolean");
    }
    target = entry.text == "true";
    return core::Status::Ok();
}

core::Status TakeText(const ConfigEntry& entry, std::string& target) {
    if (entry.type != "string") {
        return WrongType(entry, "string");
    }
    target = entry.text;
    return core::Status::Ok();
}

// A bound may be a number or, for dates and the like, a string.
core::Status TakeBound(const ConfigEntry& entry, std::optional<std::string>& target) {
    if (entry.type == "null") {
        return core::Status::Ok();
    }
    if (entry.type != "number" && entry.type != "string") {
        return WrongType(entry, "number or string");
    }
    target = entry.text;
    return core::Status::Ok();
}

core::Status TakeEntry(const ConfigEntry& entry, Rule& rule) {
    if (entry.key == "min") {
        return TakeBound(entry, rule.min);
    }
    if (entry.key == "max") {
        return TakeBound(entry, rule.max);
    }
    if (entry.key == "min_inclusive") {
        return TakeBool(entry, rule.min_inclusive);
    }
    if (entry.key == "max_inclusive") {
        return TakeBool(entry, rule.max_inclusive);
    }
    if (entry.key == "regex") {
        return TakeText(entry, rule.regex);
    }
    if (entry.key == "negate") {
        return TakeBool(entry, rule.negate);
    }
    if (entry.key == "table") {
        return TakeText(entry, rule.reference_table);
    }
    return TakeText(entry, rule.reference_column);
}

core::Status Missing(Kind kind, std::string_view what) {
    return core::Status::Fail(
        core::kInvalidParameter,
        "a " + std::string(KindName(kind)) + " rule needs " + std::string(what) + " in its config");
}

std::string Upper(std::string_view text) {
    std::string upper(text);
    std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return upper;
}

}  // namespace

core::Result<Kind> ParseKind(std::string_view text) {
    static const std::set<std::string> known{"NOT_NULL", "PATTERN", "RANGE", "REFERENCE"};
    const std::string upper = Upper(text);
    for (const Kind kind : {Kind::kNotNull, Kind::kRange, Kind::kPattern, Kind::kReference}) {
        if (upper == KindName(kind)) {
            return kind;
        }
    }
    return core::Status::Fail(core::kInvalidParameter,
                              "unknown rule type \"" + std::string(text) + "\"", {},
                              core::NearestHint(text, known, "rule types"));
}

core::Result<Severity> ParseSeverity(std::string_view text) {
    static const std::set<std::string> known{"ERROR", "INFO", "WARNING"};
    const std::string upper = Upper(text);
    for (const Severity severity : {Severity::kError, Severity::kWarning, Severity::kInfo}) {
        if (upper == SeverityName(severity)) {
            return severity;
        }
    }
    return core::Status::Fail(core::kInvalidParameter,
                              "unknown severity \"" + std::string(text) + "\"", {},
                              core::NearestHint(text, known, "severities"));
}

std::string_view KindName(Kind kind) {
    switch (kind) {
        case Kind::kNotNull:
            return "NOT_NULL";
        case Kind::kRange:
            return "RANGE";
        case Kind::kPattern:
            return "PATTERN";
        case Kind::kReference:
            return "REFERENCE";
    }
    return "";
}

std::string_view SeverityName(Severity severity) {
    switch (severity) {
        case Severity::kError:
            return "ERROR";
        case Severity::kWarning:
            return "WARNING";
        case Severity::kInfo:
            return "INFO";
    }
    return "";
}

core::Status ParseConfig(const std::vector<ConfigEntry>& config, Rule& rule) {
    const std::set<std::string>& known = KeysOf(rule.kind);
    for (const ConfigEntry& entry : config) {
        if (!known.contains(entry.key)) {
            return core::Status::Fail(core::kInvalidParameter,
                                      "unknown config key \"" + entry.key + "\" of a " +
                                          std::string(KindName(rule.kind)) + " rule",
                                      {}, core::NearestHint(entry.key, known, "config keys"));
        }
        BV_RETURN_IF_ERROR(TakeEntry(entry, rule));
    }
    if (rule.kind == Kind::kRange && !rule.min && !rule.max) {
        return Missing(rule.kind, "min or max");
    }
    if (rule.kind == Kind::kPattern && rule.regex.empty()) {
        return Missing(rule.kind, "regex");
    }
    if (rule.kind == Kind::kReference &&
        (rule.reference_table.empty() || rule.reference_column.empty())) {
        return Missing(rule.kind, "table and column");
    }
    return core::Status::Ok();
}

std::string DefaultName(const Rule& rule) {
    std::string name = rule.column + "_" + std::string(KindName(rule.kind));
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return name;
}

}  // namespace bitvelocity::quality
