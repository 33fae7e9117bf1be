#include "format/debezium/plan.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

#include "format/debezium/defaults.hpp"
#include "format/debezium/writers.hpp"
#include "format/json_value.hpp"
#include "format/json_writer.hpp"
#include "format/topic_name.hpp"
#include "format/utf8.hpp"

namespace bitvelocity::format::debezium {

namespace {

constexpr char kSourceSchema[] =
    "{\"type\":\"struct\",\"fields\":["
    "{\"type\":\"string\",\"optional\":false,\"field\":\"version\"},"
    "{\"type\":\"string\",\"optional\":false,\"field\":\"connector\"},"
    "{\"type\":\"string\",\"optional\":false,\"field\":\"name\"},"
    "{\"type\":\"int64\",\"optional\":false,\"field\":\"ts_ms\"},"
    "{\"type\":\"string\",\"optional\":true,\"name\":\"io.debezium.data.Enum\",\"version\":1,"
    "\"parameters\":{\"allowed\":\"true,first,first_in_data_collection,last_in_data_collection,"
    "last,"
    "false,incremental\"},\"default\":\"false\",\"field\":\"snapshot\"},"
    "{\"type\":\"string\",\"optional\":false,\"field\":\"db\"},"
    "{\"type\":\"string\",\"optional\":true,\"field\":\"sequence\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"ts_us\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"ts_ns\"},"
    "{\"type\":\"string\",\"optional\":false,\"field\":\"schema\"},"
    "{\"type\":\"string\",\"optional\":false,\"field\":\"table\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"txId\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"lsn\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"xmin\"}],"
    "\"optional\":false,\"name\":\"io.debezium.connector.postgresql.Source\",\"version\":1,"
    "\"field\":\"source\"}";

constexpr char kTransactionSchema[] =
    "{\"type\":\"struct\",\"fields\":["
    "{\"type\":\"string\",\"optional\":false,\"field\":\"id\"},"
    "{\"type\":\"int64\",\"optional\":false,\"field\":\"total_order\"},"
    "{\"type\":\"int64\",\"optional\":false,\"field\":\"data_collection_order\"}],"
    "\"optional\":true,\"name\":\"event.block\",\"version\":1,\"field\":\"transaction\"}";

constexpr char kEnvelopeRest[] =
    ","
    "{\"type\":\"string\",\"optional\":false,\"field\":\"op\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"ts_ms\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"ts_us\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"ts_ns\"}],\"optional\":false,\"name\":";

// As the schema part names it; empty: none.
std::string Default(const core::Column& column, const ValuePlan& plan) {
    const std::optional<std::string> text = DefaultText(column);
    // A struct is no default in Kafka Connect.
    if (!text || plan.write == WriteVariableDecimal) {
        return {};
    }
    JsonWriter out;
    if (!TryWriteValue(out, plan, *text)) {
        // Where rows have these words, too, and the schema allows them.
        static constexpr std::array<std::string_view, 5> kWords{"NaN", "Infinity", "-Infinity",
                                                                "infinity", "-infinity"};
        const bool word = std::find(kWords.begin(), kWords.end(), *text) != kWords.end();
        if (!word ||
            (plan.write != WriteNumber && !plan.schema.starts_with("\"type\":\"string\""))) {
            return {};
        }
        out.Clear();
        out.String(*text);
    }
    return out.invalid_utf8() ? std::string() : std::string(out.view());
}

void WriteField(JsonWriter& out, const core::Column& column, const ColumnPlan& plan) {
    // Without a type record nothing is known of NULLs; a primary key still has none.
    const bool optional = !(column.not_null || column.primary_key);
    out.Raw('{');
    out.Raw(plan.value.schema);
    out.Raw(optional ? ",\"optional\":true" : ",\"optional\":false");
    if (!plan.default_value.empty()) {
        out.Raw(",\"default\":");
        out.Raw(plan.default_value);
    }
    out.Raw(",\"field\":");
    out.String(column.name);
    out.Raw('}');
}

void WriteFields(JsonWriter& out, const core::RelationSchema& relation, const Plan& plan,
                 const std::vector<std::size_t>& columns) {
    out.Raw("{\"type\":\"struct\",\"fields\":[");
    bool first = true;
    for (const std::size_t i : columns) {
        if (!first) {
            out.Raw(',');
        }
        first = false;
        WriteField(out, relation.columns[i], plan.columns[i]);
    }
    out.Raw(']');
}

// The connector takes the columns from the index. What was chosen, or is not known to be of one
// index, keeps its order.
std::vector<std::size_t> Key(const core::RelationSchema& relation) {
    std::vector<std::size_t> key = relation.KeyColumns();
    const auto place = [&](std::size_t i) { return relation.columns[i].key_place; };
    if (relation.chosen_key.empty() &&
        std::all_of(key.begin(), key.end(), [&](std::size_t i) { return place(i) > 0; })) {
        std::sort(key.begin(), key.end(),
                  [&](std::size_t a, std::size_t b) { return place(a) < place(b); });
    }
    return key;
}

std::vector<ValuePlan> Header(const core::RelationSchema& relation, const Plan& plan,
                              const DebeziumOptions& options) {
    std::vector<ValuePlan> header;
    bool alike = true;
    for (const std::size_t i : plan.key) {
        const core::Column& column = relation.columns[i];
        header.push_back(MakeValuePlan(*column.type, column.typmod, options, Place::kHeader));
        alike = alike && WriteAlike(header.back(), plan.columns[i].value);
    }
    return alike ? std::vector<ValuePlan>{} : std::move(header);
}

// The connector's schemas have the name of its topic.
std::string SchemaName(const core::RelationSchema& relation, const DebeziumOptions& options) {
    std::string name;
    AppendTopicName(name, options.name + "." + relation.schema + "." + relation.name);
    name.resize(std::min(name.size(), kTopicLimit));
    return name;
}

}  // namespace

Plan MakePlan(const core::RelationSchema& relation, const DebeziumOptions& options) {
    Plan plan;
    plan.key = Key(relation);
    plan.names_valid = NamesAreUtf8(relation);
    for (const core::Column& column : relation.columns) {
        ColumnPlan& made = plan.columns.emplace_back();
        made.prefix = MemberPrefix(column.name);
        made.value = MakeValuePlan(*column.type, column.typmod, options);
        made.identity = column.key;
        // The schema part calls the column required, so null could not be read; without one it is
        // the truth.
        made.default_value = options.schemas ? Default(column, made.value) : "";
        made.untold = !options.schemas || !column.not_null ? "null"
                      : made.default_value.empty()         ? made.value.zero
                                                           : made.default_value;
    }
    plan.header = Header(relation, plan, options);

    JsonWriter out;
    out.Raw(",\"schema\":");
    out.String(relation.schema);
    out.Raw(",\"table\":");
    out.String(relation.name);
    out.Raw(",\"txId\":");
    plan.source_end = out.view();
    if (!options.schemas) {
        return plan;
    }

    const std::string name = SchemaName(relation, options);
    std::vector<std::size_t> all(relation.columns.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    out.Clear();
    out.Raw("{\"schema\":");
    WriteFields(out, relation, plan, plan.key);
    out.Raw(",\"optional\":false,\"name\":");
    out.String(name + ".Key");
    out.Raw("},\"payload\":");
    plan.key_head = out.view();

    out.Clear();
    out.Raw("{\"schema\":{\"type\":\"struct\",\"fields\":[");
    for (const char* field : {"before", "after"}) {
        WriteFields(out, relation, plan, all);
        out.Raw(",\"optional\":true,\"name\":");
        out.String(name + ".Value");
        out.Raw(",\"field\":");
        out.String(field);
        out.Raw("},");
    }
    out.Raw(kSourceSchema);
    out.Raw(',');
    out.Raw(kTransactionSchema);
    out.Raw(kEnvelopeRest);
    out.String(name + ".Envelope");
    out.Raw(",\"version\":2},\"payload\":");
    plan.value_head = out.view();
    return plan;
}

MessagePlan MakeMessagePlan(const DebeziumOptions& options) {
    MessagePlan plan;
    plan.content = MakeContentPlan(options);
    plan.end = options.schemas ? "}}" : "}";
    if (!options.schemas) {
        return plan;
    }
    constexpr char kPrefix[] = "{\"type\":\"string\",\"optional\":true,\"field\":\"prefix\"}";
    JsonWriter out;
    out.Raw("{\"schema\":{\"type\":\"struct\",\"fields\":[");
    out.Raw(kPrefix);
    out.Raw(
        "],\"optional\":false,\"name\":\"io.debezium.connector.postgresql.MessageKey\","
        "\"version\":1},\"payload\":");
    plan.key_head = out.view();

    out.Clear();
    out.Raw(
        "{\"schema\":{\"type\":\"struct\",\"fields\":["
        "{\"type\":\"string\",\"optional\":false,\"field\":\"op\"},"
        "{\"type\":\"int64\",\"optional\":true,\"field\":\"ts_ms\"},");
    out.Raw(kSourceSchema);
    out.Raw(',');
    out.Raw(kTransactionSchema);
    out.Raw(",{\"type\":\"struct\",\"fields\":[");
    out.Raw(kPrefix);
    out.Raw(",{");
    out.Raw(plan.content.schema);
    out.Raw(
        ",\"optional\":true,\"field\":\"content\"}],\"optional\":false,\"name\":"
        "\"io.debezium.connector.postgresql.Message\",\"version\":1,\"field\":\"message\"}],"
        "\"optional\":false,\"name\":\"io.debezium.connector.postgresql.MessageValue\","
        "\"version\":1},\"payload\":");
    plan.value_head = out.view();
    return plan;
}

}  // namespace bitvelocity::format::debezium
