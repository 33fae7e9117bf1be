#include "format/debezium/encoder.hpp"

#include <chrono>
#include <limits>
#include <string>

#include "format/debezium/plan.hpp"
#include "format/json_writer.hpp"
#include "format/row_plan.hpp"
#include "format/utf8.hpp"

namespace bitvelocity::format::debezium {

namespace {

constexpr char kEnvelopeVersion[] = "3.4.0.Final";
constexpr char kNewKeyHeader[] = "__debezium.newkey";
constexpr char kOldKeyHeader[] = "__debezium.oldkey";

std::int64_t NowUs() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

void WriteTimes(JsonWriter& out, std::int64_t unix_us) {
    std::int64_t nanos = 0;
    if (__builtin_mul_overflow(unix_us, 1000, &nanos)) {
        nanos = unix_us < 0 ? std::numeric_limits<std::int64_t>::min()
                            : std::numeric_limits<std::int64_t>::max();
    }
    out.Raw(",\"ts_us\":");
    out.Number(unix_us);
    out.Raw(",\"ts_ns\":");
    out.Number(nanos);
}

class DebeziumEncoder final : public Encoder {
  public:
    DebeziumEncoder(const DebeziumOptions& options, const core::Source& source);

    core::Status Encode(const core::Change& change, MessageHandler& handler) override;

  private:
    core::Status EncodeRow(const core::Change& change, const Plan& plan, MessageHandler& handler);
    core::Status EncodeKeyChange(const core::Change& change, const Plan& plan,
                                 MessageHandler& handler);
    core::Status EncodeMessage(const core::Change& change, MessageHandler& handler);
    // Sends `value` (null: a tombstone) under `key` (null: none).
    core::Status Send(const core::Change& change, std::uint32_t part, const JsonWriter* key,
                      const JsonWriter* value, MessageHandler& handler,
                      std::string_view header = {}, const JsonWriter* header_value = nullptr);
    // Whether what was written so far can be sent.
    [[nodiscard]] core::Status Check(const core::Change& change) const;

    void WriteKey(JsonWriter& out, const Plan& plan, core::Tuple row);
    void WriteEnvelope(JsonWriter& out, const core::Change& change, const Plan& plan, char op,
                       core::Tuple before, core::Tuple after);
    void WriteRow(JsonWriter& out, const Plan& plan, core::Tuple row);
    void WriteColumn(JsonWriter& out, const ColumnPlan& column, const core::Value& value);
    void WriteSource(JsonWriter& out, const core::Change& change, std::string_view source_end);
    void WriteEnd(JsonWriter& out, char op);

    DebeziumOptions options_;
    std::string source_head_;  // `"source":{"version":...,"ts_ms":`
    std::string database_;     // `,"db":"shop","sequence":"[\"`
    RelationCache<Plan> plans_;

    JsonWriter key_;
    JsonWriter old_key_;
    JsonWriter value_;
    JsonWriter old_value_;
    bool not_a_number_ = false;  // a value had no form
};

DebeziumEncoder::DebeziumEncoder(const DebeziumOptions& options, const core::Source& source)
    : options_(options) {
    JsonWriter out;
    out.Raw("\"source\":{\"version\":");
    out.String(kEnvelopeVersion);
    out.Raw(",\"connector\":\"postgresql\",\"name\":");
    out.String(options.name);
    out.Raw(",\"ts_ms\":");
    source_head_ = out.view();
    out.Clear();
    out.Raw(",\"db\":");
    out.String(source.database);
    out.Raw(",\"sequence\":\"[\\\"");
    database_ = out.view();
}

core::Status DebeziumEncoder::Encode(const core::Change& change, MessageHandler& handler) {
    key_.Clear();
    old_key_.Clear();
    value_.Clear();
    old_value_.Clear();
    not_a_number_ = false;
    if (change.operation == core::Operation::kMessage) {
        return EncodeMessage(change, handler);
    }
    const Plan& plan = plans_.Get(*change.relation, [this](const core::RelationSchema& relation) {
        return MakePlan(relation, options_);
    });
    if (!plan.names_valid) {
        return InvalidEncoding(change);
    }
    return KeyChanged(plan.key, change) ? EncodeKeyChange(change, plan, handler)
                                        : EncodeRow(change, plan, handler);
}

core::Status DebeziumEncoder::EncodeRow(const core::Change& change, const Plan& plan,
                                        MessageHandler& handler) {
    const core::Tuple row = change.after.empty() ? change.before : change.after;
    const bool keyed = !plan.key.empty() && !row.empty();
    if (keyed) {
        WriteKey(key_, plan, row);
    }
    WriteEnvelope(value_, change, plan, static_cast<char>(change.operation), change.before,
                  change.after);
    BV_RETURN_IF_ERROR(Check(change));
    const JsonWriter* key = keyed ? &key_ : nullptr;
    BV_RETURN_IF_ERROR(Send(change, 0, key, &value_, handler));
    if (change.operation == core::Operation::kDelete && keyed && options_.tombstones) {
        return Send(change, 1, key, nullptr, handler);
    }
    return core::Status::Ok();
}

core::Status DebeziumEncoder::EncodeKeyChange(const core::Change& change, const Plan& plan,
                                              MessageHandler& handler) {
    WriteKey(old_key_, plan, change.before);
    WriteKey(key_, plan, change.after);
    WriteEnvelope(old_value_, change, plan, 'd', change.before, {});
    WriteEnvelope(value_, change, plan, 'c', {}, change.after);
    BV_RETURN_IF_ERROR(Check(change));  // before the first one: all of them or none
    std::uint32_t part = 0;
    BV_RETURN_IF_ERROR(Send(change, part++, &old_key_, &old_value_, handler, kNewKeyHeader, &key_));
    if (options_.tombstones) {
        BV_RETURN_IF_ERROR(Send(change, part++, &old_key_, nullptr, handler));
    }
    return Send(change, part, &key_, &value_, handler, kOldKeyHeader, &old_key_);
}

core::Status DebeziumEncoder::EncodeMessage(const core::Change& change, MessageHandler& handler) {
    key_.Raw("{\"prefix\":");
    key_.String(change.prefix);
    key_.Raw('}');
    value_.Raw('{');
    WriteSource(value_, change, ",\"schema\":\"\",\"table\":\"\",\"txId\":");
    value_.Raw(",\"message\":{\"prefix\":");
    value_.String(change.prefix);
    value_.Raw(",\"content\":\"");
    value_.Base64(change.content);
    value_.Raw("\"}");
    WriteEnd(value_, 'm');
    BV_RETURN_IF_ERROR(Check(change));
    return Send(change, 0, &key_, &value_, handler);
}

core::Status DebeziumEncoder::Check(const core::Change& change) const {
    if (key_.invalid_utf8() || old_key_.invalid_utf8() || value_.invalid_utf8() ||
        old_value_.invalid_utf8()) {
        return InvalidEncoding(change);
    }
    if (not_a_number_) {
        return core::Status::Fail(
            "22003", "numeric value has no precise decimal form",
            "The change at WAL position " + core::ToString(change.lsn) +
                " holds NaN or an infinity.",
            "Set the option \"debezium.decimals\" to \"string\" or \"double\".");
    }
    return core::Status::Ok();
}

core::Status DebeziumEncoder::Send(const core::Change& change, std::uint32_t part,
                                   const JsonWriter* key, const JsonWriter* value,
                                   MessageHandler& handler, std::string_view header,
                                   const JsonWriter* header_value) {
    Message message;
    MessageHeader moved;
    message.identity = change.identity;
    message.identity.part += part;
    message.has_key = key != nullptr;
    if (key != nullptr) {
        message.key = key->view();
    }
    message.has_value = value != nullptr;
    if (value != nullptr) {
        message.value = value->view();
    }
    if (header_value != nullptr) {
        moved = {header, header_value->view()};
        message.headers = {&moved, 1};
    }
    return handler.OnMessage(message);
}

void DebeziumEncoder::WriteKey(JsonWriter& out, const Plan& plan, core::Tuple row) {
    out.Raw(plan.key_head);
    const std::size_t start = out.size();
    for (const std::size_t i : plan.key) {
        out.Raw(plan.columns[i].prefix);
        WriteColumn(out, plan.columns[i], row[i]);
    }
    out.CloseObject(start);
    if (!plan.key_head.empty()) {
        out.Raw('}');
    }
}

void DebeziumEncoder::WriteEnvelope(JsonWriter& out, const core::Change& change, const Plan& plan,
                                    char op, core::Tuple before, core::Tuple after) {
    out.Raw(plan.value_head);
    out.Raw("{\"before\":");
    WriteRow(out, plan, before);
    out.Raw(",\"after\":");
    WriteRow(out, plan, after);
    out.Raw(',');
    WriteSource(out, change, plan.source_end);
    out.Raw(",\"transaction\":null");
    WriteEnd(out, op);
    if (!plan.value_head.empty()) {
        out.Raw('}');
    }
}

void DebeziumEncoder::WriteRow(JsonWriter& out, const Plan& plan, core::Tuple row) {
    if (row.empty()) {
        out.Null();
        return;
    }
    const std::size_t start = out.size();
    for (std::size_t i = 0; i < row.size(); ++i) {
        out.Raw(plan.columns[i].prefix);
        WriteColumn(out, plan.columns[i], row[i]);
    }
    out.CloseObject(start);
}

void DebeziumEncoder::WriteColumn(JsonWriter& out, const ColumnPlan& column,
                                  const core::Value& value) {
    switch (value.kind) {
        case core::ValueKind::kText:
            if (column.value.kind == Kind::kString) {
                out.String(value.text);
            } else if (!WriteValue(out, column.value, value.text)) {
                not_a_number_ = true;
            }
            break;
        case core::ValueKind::kNull:
            out.Null();
            break;
        case core::ValueKind::kUnchanged:
            out.Raw(column.value.unavailable);
            break;
    }
}

void DebeziumEncoder::WriteSource(JsonWriter& out, const core::Change& change,
                                  std::string_view source_end) {
    out.Raw(source_head_);
    out.Number(change.commit_time_us / 1000);
    out.Raw(",\"snapshot\":\"");
    out.Raw(change.operation == core::Operation::kRead ? "true\"" : "false\"");
    out.Raw(database_);
    out.Number(change.identity.commit_lsn.value);
    out.Raw("\\\",\\\"");
    out.Number(change.lsn.value);
    out.Raw("\\\"]\"");
    WriteTimes(out, change.commit_time_us);
    out.Raw(source_end);
    if (change.identity.xid == 0) {
        out.Null();
    } else {
        out.Number(change.identity.xid);
    }
    out.Raw(",\"lsn\":");
    out.Number(change.lsn.value);
    out.Raw(",\"xmin\":null}");
}

void DebeziumEncoder::WriteEnd(JsonWriter& out, char op) {
    const std::int64_t now = NowUs();
    out.Raw(",\"op\":\"");
    out.Raw(op);
    out.Raw("\",\"ts_ms\":");
    out.Number(now / 1000);
    WriteTimes(out, now);
    out.Raw('}');
}

}  // namespace

std::unique_ptr<Encoder> MakeDebeziumEncoder(const DebeziumOptions& options,
                                             const core::Source& source) {
    return std::make_unique<DebeziumEncoder>(options, source);
}

}  // namespace bitvelocity::format::debezium
