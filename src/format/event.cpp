#include "format/event.hpp"

#include <string>

#include "core/oids.hpp"
#include "format/json_writer.hpp"
#include "format/row_plan.hpp"
#include "format/utf8.hpp"

namespace bitvelocity::format {

namespace {

// The names that the schema member uses for types.
std::string_view TypeName(const ValuePlan& plan, core::Oid base) {
    const auto number = [base]() -> std::string_view {
        switch (base) {
            case core::kInt2Oid:
                return "int16";
            case core::kInt4Oid:
                return "int32";
            case core::kInt8Oid:
                return "int64";
            case core::kFloat4Oid:
                return "float";
            case core::kFloat8Oid:
                return "double";
            default:
                return "decimal";
        }
    };
    switch (plan.shape) {
        case Shape::kBool:
            return "boolean";
        case Shape::kNumber:
            return number();
        case Shape::kJson:
            return "json";
        case Shape::kArray:
        case Shape::kVector:
            return "array";
        case Shape::kComposite:
            return "struct";
        case Shape::kHstore:
            return "map";
        case Shape::kText:
        case Shape::kTimestamp:
        case Shape::kTimestamptz:
            break;
    }
    return "string";
}

struct EventPlan {
    RowPlan row;
    std::string head;   // up to and including `"payload":`
    std::string names;  // `"source":"orders"`
    std::string tail;   // `,"schema":"public","database":"shop"`
};

class EventEncoder final : public Encoder {
  public:
    EventEncoder(const EventOptions& options, const core::Source& source)
        : options_(options), source_(source) {}

    core::Status Encode(const core::Change& change, MessageHandler& handler) override;

  private:
    [[nodiscard]] EventPlan MakePlan(const core::RelationSchema& relation) const;
    void WritePayload(const EventPlan& plan, const core::Change& change);
    void WriteMetadata(const EventPlan& plan, const core::Change& change);
    // What all changes of a transaction have in common, kept as bytes.
    void EnterTransaction(const core::Change& change);
    void EnterContext(const core::Context& context);

    EventOptions options_;
    core::Source source_;
    RelationCache<EventPlan> plans_;
    EventPlan message_plan_;

    JsonWriter key_;
    JsonWriter value_;
    bool whole_ = true;  // the last payload had no unchanged column

    core::EventIds ids_;
    core::Lsn commit_lsn_;
    std::uint32_t xid_ = 0;
    std::int64_t commit_time_us_ = 0;
    std::int32_t epoch_ = 0;
    JsonWriter transaction_head_;
    JsonWriter transaction_tail_;

    core::Context context_;
    JsonWriter context_members_;
};

core::Status EventEncoder::Encode(const core::Change& change, MessageHandler& handler) {
    Message message;
    message.part = change.identity.part;
    key_.Clear();
    value_.Clear();
    whole_ = true;
    if (change.operation == core::Operation::kMessage) {
        if (message_plan_.head.empty()) {
            message_plan_.head = "{\"payload\":";
            message_plan_.names = "\"source\":null";
            JsonWriter out;
            out.Raw(",\"schema\":null,\"database\":");
            out.String(source_.database);
            message_plan_.tail = out.view();
        }
        value_.Raw(message_plan_.head);
        WriteLogicalMessage(value_, change);
        WriteMetadata(message_plan_, change);
    } else {
        const EventPlan& plan = plans_.Get(
            *change.relation, [this](const auto& relation) { return MakePlan(relation); });
        if (!plan.row.names_valid) {
            return InvalidEncoding(change);
        }
        value_.Raw(plan.head);
        WritePayload(plan, change);
        WriteMetadata(plan, change);
        const core::Tuple row = change.after.empty() ? change.before : change.after;
        if (!plan.row.key.empty() && !row.empty()) {
            WriteColumns(key_, plan.row, plan.row.key, row);
            message.has_key = true;
            message.key = key_.view();
        }
    }
    if (value_.invalid_utf8() || key_.invalid_utf8() || context_members_.invalid_utf8()) {
        return InvalidEncoding(change);
    }
    message.value = value_.view();
    return handler.OnMessage(message);
}

EventPlan EventEncoder::MakePlan(const core::RelationSchema& relation) const {
    EventPlan plan;
    plan.row = MakeRowPlan(relation);
    JsonWriter out;
    if (options_.inline_schema) {
        out.Raw("{\"schema\":{\"type\":\"struct\",\"fields\":[");
        for (std::size_t i = 0; i < relation.columns.size(); ++i) {
            out.Raw(i == 0 ? "{\"field\":" : ",{\"field\":");
            out.String(relation.columns[i].name);
            out.Raw(",\"type\":");
            out.String(TypeName(plan.row.columns[i].plan, BaseOid(*relation.columns[i].type)));
            out.Raw('}');
        }
        out.Raw("]},\"payload\":");
    } else {
        out.Raw("{\"payload\":");
    }
    plan.head = out.view();

    out.Clear();
    out.Raw("\"source\":");
    out.String(relation.name);
    plan.names = out.view();

    out.Clear();
    out.Raw(",\"schema\":");
    out.String(relation.schema);
    out.Raw(",\"database\":");
    out.String(source_.database);
    plan.tail = out.view();
    return plan;
}

void EventEncoder::WritePayload(const EventPlan& plan, const core::Change& change) {
    if (change.after.empty()) {
        value_.Null();
    } else {
        whole_ = WriteRow(value_, plan.row, change.after);
    }
}

void EventEncoder::WriteMetadata(const EventPlan& plan, const core::Change& change) {
    static const core::Context kUnknown;
    EnterTransaction(change);
    EnterContext(change.context == nullptr ? kUnknown : *change.context);

    JsonWriter& out = value_;
    out.Raw(",\"metadata\":{\"operation\":\"");
    out.Raw(core::OperationName(change.operation));
    out.Raw("\",");
    out.Raw(plan.names);
    out.Raw(transaction_head_.view());
    out.LsnText(change.lsn);
    out.Raw("\",\"event_id\":\"");
    out.Uuid(ids_.Make(change.identity));
    out.Raw('"');
    out.Raw(plan.tail);
    out.Raw(transaction_tail_.view());
    out.Number(change.identity.ordinal);
    out.Raw(",\"part\":");
    out.Number(change.identity.part);
    out.Raw(context_members_.view());
    if (!whole_) {
        out.Raw(",\"unchanged\":");
        WriteUnchanged(out, plan.row, change.after);
    }
    if (!change.before.empty()) {
        out.Raw(",\"before\":");
        WriteBefore(out, plan.row, change);
    }
    out.Raw("}}");
}

void EventEncoder::EnterTransaction(const core::Change& change) {
    const core::Identity& identity = change.identity;
    const std::int32_t epoch = identity.source == nullptr ? source_.epoch : identity.source->epoch;
    if (transaction_head_.size() != 0 && identity.commit_lsn == commit_lsn_ &&
        identity.xid == xid_ && change.commit_time_us == commit_time_us_ && epoch == epoch_) {
        return;
    }
    commit_lsn_ = identity.commit_lsn;
    xid_ = identity.xid;
    commit_time_us_ = change.commit_time_us;
    epoch_ = epoch;

    JsonWriter& head = transaction_head_;
    head.Clear();
    if (commit_time_us_ == 0) {  // a non-transactional message has no commit
        head.Raw(",\"timestamp\":null");
    } else {
        head.Raw(",\"timestamp\":\"");
        head.UtcTime(commit_time_us_);
        head.Raw('"');
    }
    if (xid_ == 0) {
        head.Raw(",\"transaction_id\":null,\"lsn\":\"");
    } else {
        head.Raw(",\"transaction_id\":\"");
        head.Number(xid_);
        head.Raw("\",\"lsn\":\"");
    }
    JsonWriter& tail = transaction_tail_;
    tail.Clear();
    tail.Raw(",\"epoch\":");
    tail.Number(epoch_);
    tail.Raw(",\"commit_lsn\":\"");
    tail.LsnText(commit_lsn_);
    tail.Raw("\",\"ordinal\":");
}

void EventEncoder::EnterContext(const core::Context& context) {
    if (context_members_.size() != 0 && context.actor == context_.actor &&
        context.correlation_id == context_.correlation_id &&
        context.traceparent == context_.traceparent) {
        return;
    }
    context_ = context;
    JsonWriter& out = context_members_;
    out.Clear();
    out.Raw(",\"actor\":");
    out.StringOrNull(context.actor);
    out.Raw(",\"correlation_id\":");
    out.StringOrNull(context.correlation_id);
    out.Raw(",\"traceparent\":");
    out.StringOrNull(context.traceparent);
}

}  // namespace

std::unique_ptr<Encoder> MakeEventEncoder(const EventOptions& options, const core::Source& source) {
    return std::make_unique<EventEncoder>(options, source);
}

}  // namespace bitvelocity::format
