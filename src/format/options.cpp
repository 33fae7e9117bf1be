#include "format/options.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <set>

#include "core/nearest.hpp"
#include "format/avro/encoder.hpp"
#include "format/name_template.hpp"

namespace bitvelocity::format {

namespace {

enum class OptionType { kBool, kText, kChoice, kTemplate, kObject, kDigits };

struct Option {
    const char* format;
    const char* name;
    OptionType type;
    std::set<std::string> choices;  // templates: the placeholders that may occur
    void (*store)(FormatOptions& options, const nlohmann::json& value);
    const char* former = nullptr;  // a shorter name, understood as well
};

template <typename Mode>
std::set<std::string> Names(const std::map<std::string, Mode>& modes) {
    std::set<std::string> names;
    for (const auto& [name, mode] : modes) {
        names.insert(name);
    }
    return names;
}

const std::vector<Option>& Options() {
    // What the values of an option stand for.
    static const std::map<std::string, DecimalMode> kDecimals = {{"precise", DecimalMode::kPrecise},
                                                                 {"double", DecimalMode::kDouble},
                                                                 {"string", DecimalMode::kString}};
    static const std::map<std::string, TimeMode> kTimes = {
        {"adaptive", TimeMode::kAdaptive},
        {"adaptive_time_microseconds", TimeMode::kAdaptiveTimeMicroseconds},
        {"connect", TimeMode::kConnect},
        {"isostring", TimeMode::kIsoString},
        {"microseconds", TimeMode::kMicroseconds},
        {"nanoseconds", TimeMode::kNanoseconds}};
    static const std::map<std::string, IntervalMode> kIntervals = {
        {"numeric", IntervalMode::kNumeric}, {"string", IntervalMode::kString}};
    static const std::map<std::string, BinaryMode> kBinaries = {
        {"bytes", BinaryMode::kBytes},
        {"base64", BinaryMode::kBase64},
        {"base64-url-safe", BinaryMode::kBase64UrlSafe},
        {"hex", BinaryMode::kHex}};
    static const std::map<std::string, HstoreMode> kHstores = {{"json", HstoreMode::kJson},
                                                               {"map", HstoreMode::kMap}};
    static const std::vector<Option> options = {
        {"avro",
         "shape",
         OptionType::kChoice,
         {"event", "flat"},
         [](FormatOptions& o, const nlohmann::json& v) { o.avro.flat = v == "flat"; }},
        {"avro",
         "namespace",
         OptionType::kTemplate,
         {"{database}", "{stream}", "{schema}", "{table}"},
         [](FormatOptions& o, const nlohmann::json& v) { o.avro.space = v; }},
        {"avro",
         "name",
         OptionType::kTemplate,
         {"{database}", "{stream}", "{schema}", "{table}"},
         [](FormatOptions& o, const nlohmann::json& v) { o.avro.name = v; }},
        {"avro",
         "key",
         OptionType::kChoice,
         {"record", "json"},
         [](FormatOptions& o, const nlohmann::json& v) { o.avro.json_key = v == "json"; }},
        {"avro",
         "decimals",
         OptionType::kChoice,
         {"logical", "string", "double"},
         [](FormatOptions& o, const nlohmann::json& v) {
             o.avro.decimals = v == "logical"  ? AvroDecimals::kLogical
                               : v == "double" ? AvroDecimals::kDouble
                                               : AvroDecimals::kString;
         }},
        {"avro",
         "enums",
         OptionType::kChoice,
         {"enum", "string"},
         [](FormatOptions& o, const nlohmann::json& v) { o.avro.enums_as_text = v == "string"; }},
        {"avro",
         "extra_fields",
         OptionType::kBool,
         {},
         [](FormatOptions& o, const nlohmann::json& v) { o.avro.extra_fields = v; }},
        {"avro",
         "tombstones",
         OptionType::kBool,
         {},
         [](FormatOptions& o, const nlohmann::json& v) { o.avro.tombstones = v; }},
        {"avro",
         "schemas",
         OptionType::kObject,
         {},
         [](FormatOptions& o, const nlohmann::json& v) {
             for (const auto& [table, schema] : v.items()) {
                 o.avro.schemas[table] = schema.dump();
             }
         }},
        {"avro",
         "subject",
         OptionType::kChoice,
         {"topic", "record", "topic_record"},
         [](FormatOptions& o, const nlohmann::json& v) {
             o.avro.subject = v == "topic"    ? AvroSubject::kTopic
                              : v == "record" ? AvroSubject::kRecord
                                              : AvroSubject::kTopicRecord;
         }},
        {"avro",
         "auto_register",
         OptionType::kBool,
         {},
         [](FormatOptions& o, const nlohmann::json& v) { o.avro.auto_register = v; }},
        {"event",
         "schema",
         OptionType::kChoice,
         {"inline", "none"},
         [](FormatOptions& o, const nlohmann::json& v) { o.event.inline_schema = v == "inline"; }},
        {"flat",
         "tombstones",
         OptionType::kBool,
         {},
         [](FormatOptions& o, const nlohmann::json& v) { o.flat.tombstones = v; }},
        {"cloudevents",
         "mode",
         OptionType::kChoice,
         {"structured", "binary"},
         [](FormatOptions& o, const nlohmann::json& v) { o.cloudevents.binary = v == "binary"; }},
        {"cloudevents",
         "data",
         OptionType::kChoice,
         {"change", "row"},
         [](FormatOptions& o, const nlohmann::json& v) {
             o.cloudevents.data = v == "row" ? CloudEventsData::kRow : CloudEventsData::kChange;
         }},
        {"cloudevents",
         "source",
         OptionType::kTemplate,
         {"{system}", "{database}", "{stream}"},
         [](FormatOptions& o, const nlohmann::json& v) { o.cloudevents.source = v; }},
        {"cloudevents",
         "type",
         OptionType::kTemplate,
         {"{database}", "{stream}", "{schema}", "{table}", "{operation}"},
         [](FormatOptions& o, const nlohmann::json& v) { o.cloudevents.type = v; }},
        {"debezium",
         "schemas",
         OptionType::kBool,
         {},
         [](FormatOptions& o, const nlohmann::json& v) { o.debezium.schemas = v; }},
        {"debezium",
         "topic.prefix",
         OptionType::kText,
         {},
         [](FormatOptions& o, const nlohmann::json& v) { o.debezium.name = v; },
         "topic_prefix"},
        {"debezium",
         "tombstones.on.delete",
         OptionType::kBool,
         {},
         [](FormatOptions& o, const nlohmann::json& v) { o.debezium.tombstones = v; },
         "tombstones"},
        {"debezium", "decimal.handling.mode", OptionType::kChoice, Names(kDecimals),
         [](FormatOptions& o, const nlohmann::json& v) { o.debezium.decimals = kDecimals.at(v); },
         "decimals"},
        {"debezium", "time.precision.mode", OptionType::kChoice, Names(kTimes),
         [](FormatOptions& o, const nlohmann::json& v) { o.debezium.times = kTimes.at(v); }},
        {"debezium", "interval.handling.mode", OptionType::kChoice, Names(kIntervals),
         [](FormatOptions& o, const nlohmann::json& v) {
             o.debezium.intervals = kIntervals.at(v);
         }},
        {"debezium", "binary.handling.mode", OptionType::kChoice, Names(kBinaries),
         [](FormatOptions& o, const nlohmann::json& v) { o.debezium.binary = kBinaries.at(v); }},
        {"debezium", "hstore.handling.mode", OptionType::kChoice, Names(kHstores),
         [](FormatOptions& o, const nlohmann::json& v) { o.debezium.hstore = kHstores.at(v); }},
        {"debezium",
         "include.unknown.datatypes",
         OptionType::kBool,
         {},
         [](FormatOptions& o, const nlohmann::json& v) { o.debezium.unknown_types = v; }},
        {"debezium",
         "money.fraction.digits",
         OptionType::kDigits,
         {},
         [](FormatOptions& o, const nlohmann::json& v) { o.debezium.money_digits = v; }},
        {"debezium",
         "unavailable.value.placeholder",
         OptionType::kText,
         {},
         [](FormatOptions& o, const nlohmann::json& v) { o.debezium.placeholder = v; }},
    };
    return options;
}

std::string Key(const Option& option) {
    return std::string(option.format) + "." + option.name;
}

bool IsNamed(const Option& option, const std::string& key) {
    return Key(option) == key ||
           (option.former != nullptr && std::string(option.format) + "." + option.former == key);
}

core::Status Check(const Option& option, const nlohmann::json& value) {
    constexpr std::uint64_t kMostDigits = 18;
    if (option.type == OptionType::kDigits) {
        return value.is_number_unsigned() && value.get<std::uint64_t>() <= kMostDigits
                   ? core::Status::Ok()
                   : core::Status::Fail(
                         core::kInvalidParameter,
                         "option \"" + Key(option) + "\" must be a number from 0 to 18");
    }
    if (option.type == OptionType::kBool && !value.is_boolean()) {
        return core::Status::Fail(core::kInvalidParameter,
                                  "option \"" + Key(option) + "\" must be true or false");
    }
    if (option.type == OptionType::kObject) {
        return value.is_object()
                   ? core::Status::Ok()
                   : core::Status::Fail(core::kInvalidParameter,
                                        "option \"" + Key(option) + "\" must be an object");
    }
    if (option.type != OptionType::kBool && !value.is_string()) {
        return core::Status::Fail(core::kInvalidParameter,
                                  "option \"" + Key(option) + "\" must be a string");
    }
    if (option.type == OptionType::kChoice) {
        const auto& text = value.get_ref<const std::string&>();
        if (!option.choices.contains(text)) {
            return core::Status::Fail(
                core::kInvalidParameter,
                "invalid value for option \"" + Key(option) + "\": \"" + text + "\"", {},
                core::NearestHint(text, option.choices, "values"));
        }
    }
    if (option.type == OptionType::kTemplate) {
        return CheckTemplate(Key(option), value.get_ref<const std::string&>(), option.choices);
    }
    return core::Status::Ok();
}

core::Status CheckAvro(const AvroOptions& options) {
    if (!options.schemas.empty() && !options.flat) {
        return core::Status::Fail(
            core::kInvalidParameter,
            "option \"avro.schemas\" needs the option \"avro.shape\" to be \"flat\"",
            "A schema of your own describes a row, not an envelope.");
    }
    for (const auto& [table, schema] : options.schemas) {
        BV_RETURN_IF_ERROR(avro::CheckGivenSchema(table, schema));
    }
    return core::Status::Ok();
}

// A key like `event.schema` belongs to an encoder; any other is not ours.
bool BelongsToEncoder(const std::string& key) {
    const std::size_t dot = key.find('.');
    return dot != std::string::npos && EncoderFormats().contains(key.substr(0, dot));
}

}  // namespace

const std::set<std::string>& EncoderFormats() {
    static const std::set<std::string> formats = {"avro", "cloudevents", "debezium", "event",
                                                  "flat"};
    return formats;
}

std::set<std::string> EncoderOptionNames(std::string_view format) {
    std::set<std::string> names;
    for (const Option& option : Options()) {
        if (option.format == format) {
            names.insert(Key(option));
            if (option.former != nullptr) {
                names.insert(std::string(option.format) + "." + option.former);
            }
        }
    }
    return names;
}

core::Status ValidateEncoderOptions(std::string_view format, const std::string& options_json) {
    auto read = ReadOptions(format, options_json, {});
    return read.ok() ? core::Status::Ok() : read.TakeStatus();
}

core::Result<FormatOptions> ReadOptions(std::string_view format, const std::string& options_json,
                                        const core::Source& source) {
    if (!EncoderFormats().contains(std::string(format))) {
        return core::Status::Fail(core::kInvalidParameter,
                                  "unknown stream format \"" + std::string(format) + "\"", {},
                                  core::NearestHint(format, EncoderFormats(), "formats"));
    }
    const auto json = nlohmann::json::parse(options_json, nullptr, false);
    if (!json.is_object()) {
        return core::Status::Fail(core::kInvalidParameter,
                                  "stream options must be one JSON object");
    }
    FormatOptions result;
    result.debezium.name = source.stream;
    const std::set<std::string> known = EncoderOptionNames(format);
    for (const auto& [key, value] : json.items()) {
        if (!BelongsToEncoder(key)) {
            continue;
        }
        if (!known.contains(key)) {
            return core::Status::Fail(
                core::kInvalidParameter,
                "unknown option \"" + key + "\" for format \"" + std::string(format) + "\"", {},
                core::NearestHint(key, known, "options"));
        }
        for (const Option& option : Options()) {
            if (IsNamed(option, key)) {
                BV_RETURN_IF_ERROR(Check(option, value));
                option.store(result, value);
            }
        }
    }
    BV_RETURN_IF_ERROR(CheckAvro(result.avro));
    return result;
}

}  // namespace bitvelocity::format
