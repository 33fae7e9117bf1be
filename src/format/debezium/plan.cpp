#include "format/debezium/plan.hpp"

#include <algorithm>

#include "format/json_value.hpp"
#include "format/json_writer.hpp"
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

void WriteField(JsonWriter& out, const core::Column& column, const ColumnPlan& plan,
                bool optional) {
    out.Raw('{');
    out.Raw(plan.value.schema);
    out.Raw(optional ? ",\"optional\":true,\"field\":" : ",\"optional\":false,\"field\":");
    out.String(column.name);
    out.Raw('}');
}

void WriteFields(JsonWriter& out, const core::RelationSchema& relation, const Plan& plan,
                 bool key_only) {
    out.Raw("{\"type\":\"struct\",\"fields\":[");
    bool first = true;
    for (std::size_t i = 0; i < relation.columns.size(); ++i) {
        const bool key = std::find(plan.key.begin(), plan.key.end(), i) != plan.key.end();
        if (key_only && !key) {
            continue;
        }
        if (!first) {
            out.Raw(',');
        }
        first = false;
        // Without a type record nothing is known of NULLs; a primary key still has none.
        const core::Column& column = relation.columns[i];
        WriteField(out, column, plan.columns[i], !(column.not_null || column.primary_key));
    }
    out.Raw(']');
}

}  // namespace

Plan MakePlan(const core::RelationSchema& relation, const DebeziumOptions& options) {
    Plan plan;
    plan.key = relation.KeyColumns();
    plan.names_valid = NamesAreUtf8(relation);
    for (const core::Column& column : relation.columns) {
        ColumnPlan& made = plan.columns.emplace_back();
        made.prefix = MemberPrefix(column.name);
        made.value = MakeValuePlan(*column.type, column.typmod, options);
        made.identity = column.key;
        // The schema part calls the column required, so null could not be read; without one it is
        // the truth.
        made.untold = options.schemas && column.not_null ? made.value.zero : "null";
    }

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

    const std::string name = options.name + "." + relation.schema + "." + relation.name;
    out.Clear();
    out.Raw("{\"schema\":");
    WriteFields(out, relation, plan, true);
    out.Raw(",\"optional\":false,\"name\":");
    out.String(name + ".Key");
    out.Raw("},\"payload\":");
    plan.key_head = out.view();

    out.Clear();
    out.Raw("{\"schema\":{\"type\":\"struct\",\"fields\":[");
    for (const char* field : {"before", "after"}) {
        WriteFields(out, relation, plan, false);
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
