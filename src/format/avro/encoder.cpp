#include "format/avro/encoder.hpp"

#include <utility>

#include "format/avro/plan.hpp"
#include "format/avro/row.hpp"
#include "format/avro/value.hpp"
#include "format/json_writer.hpp"
#include "format/row_plan.hpp"
#include "format/utf8.hpp"

namespace bitvelocity::format::avro {

namespace {

constexpr std::size_t kKeptBytes = 1 << 20;  // of a buffer after an unusually large message

class AvroEncoder final : public Encoder {
  public:
    AvroEncoder(const AvroOptions& options, const core::Source& source, SchemaIds& ids)
        : options_(options), source_(source), ids_(ids) {}

    core::Status Encode(const core::Change& change, MessageHandler& handler) override;

  private:
    core::Status EncodeLogicalMessage(const core::Change& change, MessageHandler& handler);
    core::Status EncodeFlat(Plan& plan, const core::Change& change, MessageHandler& handler);
    core::Status EncodeEvent(Plan& plan, const core::Change& change, MessageHandler& handler);
    // A tombstone under the key that the old row had.
    core::Status Bury(Plan& plan, const core::Change& change, MessageHandler& handler);

    // The header; asks for the id where it is not known yet.
    core::Status Start(std::string& out, Schema& schema, SchemaPart part);
    core::Status WriteKey(Plan& plan, const core::Change& change, core::Tuple row,
                          Message& message);
    core::Status WriteRow(Plan& plan, const core::Change& change, core::Tuple row);
    core::Status WriteImage(Plan& plan, const core::Change& change, core::Tuple row);
    core::Status WriteMetadata(const core::Change& change);

    AvroOptions options_;
    core::Source source_;
    SchemaIds& ids_;
    RelationCache<Plan> plans_;
    std::optional<Plan> message_plan_;

    std::string key_;
    JsonWriter json_key_;
    std::string value_;
    std::string text_;
    Extras extras_;
};

core::Status AvroEncoder::Encode(const core::Change& change, MessageHandler& handler) {
    if (value_.capacity() > kKeptBytes) {
        value_ = {};
    }
    const bool logical = change.operation == core::Operation::kMessage;
    if (options_.flat && (logical || change.operation == core::Operation::kTruncate)) {
        return core::Status::Ok();
    }
    if (logical) {
        return EncodeLogicalMessage(change, handler);
    }
    Plan& plan = plans_.Get(*change.relation, [this](const auto& relation) {
        return MakePlan(options_, source_, relation);
    });
    if (!plan.names_valid) {
        return InvalidEncoding(change);
    }
    if (plan.error) {
        return core::Status(*plan.error);
    }
    return options_.flat ? EncodeFlat(plan, change, handler) : EncodeEvent(plan, change, handler);
}

core::Status AvroEncoder::EncodeFlat(Plan& plan, const core::Change& change,
                                     MessageHandler& handler) {
    if (change.operation == core::Operation::kDelete) {
        return options_.tombstones ? Bury(plan, change, handler) : core::Status::Ok();
    }
    BV_RETURN_IF_ERROR(Start(value_, plan.value, SchemaPart::kValue));
    BV_RETURN_IF_ERROR(WriteRow(plan, change, change.after));
    Message message;
    message.part = change.identity.part;
    if (options_.tombstones && KeyChanged(plan.key_columns, change)) {
        BV_RETURN_IF_ERROR(Bury(plan, change, handler));
        ++message.part;
    }
    BV_RETURN_IF_ERROR(WriteKey(plan, change, change.after, message));
    message.value = value_;
    return handler.OnMessage(message);
}

core::Status AvroEncoder::Bury(Plan& plan, const core::Change& change, MessageHandler& handler) {
    if (plan.key_columns.empty()) {
        return core::Status::Fail(
            core::kFeatureNotSupported, "avro.shape \"flat\" cannot express a delete without a key",
            "Table \"" + change.relation->schema + "\".\"" + change.relation->name +
                "\" has neither a primary key nor a replica identity index.",
            "Add a primary key, or set the option \"avro.shape\" to \"event\".");
    }
    Message message;
    message.part = change.identity.part;
    message.has_value = false;
    BV_RETURN_IF_ERROR(WriteKey(plan, change, change.before, message));
    return handler.OnMessage(message);
}

core::Status AvroEncoder::EncodeEvent(Plan& plan, const core::Change& change,
                                      MessageHandler& handler) {
    BV_RETURN_IF_ERROR(Start(value_, plan.value, SchemaPart::kValue));
    AppendBytes(value_, core::OperationName(change.operation));
    BV_RETURN_IF_ERROR(WriteImage(plan, change, change.before));
    BV_RETURN_IF_ERROR(WriteImage(plan, change, change.after));
    BV_RETURN_IF_ERROR(WriteMetadata(change));
    Message message;
    message.part = change.identity.part;
    const core::Tuple row = change.after.empty() ? change.before : change.after;
    if (!row.empty()) {
        BV_RETURN_IF_ERROR(WriteKey(plan, change, row, message));
    }
    message.value = value_;
    return handler.OnMessage(message);
}

core::Status AvroEncoder::EncodeLogicalMessage(const core::Change& change,
                                               MessageHandler& handler) {
    if (!message_plan_) {
        message_plan_ = MakeMessagePlan(options_, source_);
    }
    BV_RETURN_IF_ERROR(Start(value_, message_plan_->value, SchemaPart::kValue));
    AppendBytes(value_, change.prefix);
    AppendBytes(value_, change.content);
    BV_RETURN_IF_ERROR(WriteMetadata(change));
    if (!IsUtf8(change.prefix)) {
        return InvalidEncoding(change);
    }
    Message message;
    message.part = change.identity.part;
    message.value = value_;
    return handler.OnMessage(message);
}

core::Status AvroEncoder::Start(std::string& out, Schema& schema, SchemaPart part) {
    if (!schema.id) {
        auto id = ids_.Find({part, schema.record, schema.text});
        if (!id.ok()) {
            return id.TakeStatus();
        }
        schema.id = *id;
    }
    out.assign(1, '\0');  // Confluent's magic byte
    for (int shift = 24; shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>(*schema.id >> shift));
    }
    return core::Status::Ok();
}

core::Status AvroEncoder::WriteKey(Plan& plan, const core::Change& change, core::Tuple row,
                                   Message& message) {
    if (plan.key_columns.empty()) {
        return core::Status::Ok();
    }
    message.has_key = true;
    if (options_.json_key) {
        json_key_.Clear();
        WriteColumns(json_key_, plan.json_key, plan.key_columns, row);
        message.key = json_key_.view();
        return json_key_.invalid_utf8() ? InvalidEncoding(change) : core::Status::Ok();
    }
    BV_RETURN_IF_ERROR(Start(key_, plan.key, SchemaPart::kKey));
    BV_RETURN_IF_ERROR(AppendRow(key_, plan.key.type, change, row, nullptr));
    message.key = key_;
    return core::Status::Ok();
}

core::Status AvroEncoder::WriteRow(Plan& plan, const core::Change& change, core::Tuple row) {
    BV_RETURN_IF_ERROR(
        AppendRow(value_, plan.value.type, change, row, plan.extras ? &extras_ : nullptr));
    if (plan.extras) {
        AppendExtras(value_, extras_);
    }
    return core::Status::Ok();
}

core::Status AvroEncoder::WriteImage(Plan& plan, const core::Change& change, core::Tuple row) {
    AppendLong(value_, row.empty() ? kNullBranch : kValueBranch);
    return row.empty() ? core::Status::Ok() : WriteRow(plan, change, row);
}

core::Status AvroEncoder::WriteMetadata(const core::Change& change) {
    const core::Identity& identity = change.identity;
    const auto lsn = [this](core::Lsn value) {
        text_.clear();
        core::AppendLsn(text_, value);
        AppendBytes(value_, text_);
    };
    const auto number = [this](std::int64_t value) {
        AppendLong(value_, value == 0 ? kNullBranch : kValueBranch);
        if (value != 0) {
            AppendLong(value_, value);
        }
    };
    AppendBytes(value_, source_.database);
    AppendOptionalString(value_, change.relation != nullptr ? change.relation->schema : "");
    AppendOptionalString(value_, change.relation != nullptr ? change.relation->name : "");
    number(change.commit_time_us);
    number(identity.xid);
    lsn(change.lsn);
    text_.clear();
    core::AppendUuid(text_, core::MakeEventId(identity));
    AppendBytes(value_, text_);
    AppendLong(value_, identity.source == nullptr ? source_.epoch : identity.source->epoch);
    lsn(identity.commit_lsn);
    AppendLong(value_, static_cast<std::int64_t>(identity.ordinal));
    AppendLong(value_, identity.part);
    static const core::Context kUnknown;
    const core::Context& context = change.context == nullptr ? kUnknown : *change.context;
    for (const std::string* text :
         {&context.actor, &context.correlation_id, &context.traceparent}) {
        AppendOptionalString(value_, *text);
        if (!IsUtf8(*text)) {
            return InvalidEncoding(change);
        }
    }
    return core::Status::Ok();
}

}  // namespace

std::unique_ptr<Encoder> MakeAvroEncoder(const AvroOptions& options, const core::Source& source,
                                         SchemaIds& ids) {
    return std::make_unique<AvroEncoder>(options, source, ids);
}

}  // namespace bitvelocity::format::avro
