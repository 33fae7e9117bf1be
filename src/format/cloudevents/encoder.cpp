#include "format/cloudevents/encoder.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "core/percent.hpp"
#include "format/json_writer.hpp"
#include "format/name_template.hpp"
#include "format/row_plan.hpp"
#include "format/utf8.hpp"

namespace bitvelocity::format::cloudevents {

namespace {

constexpr core::Operation kOperations[] = {
    core::Operation::kInsert,   core::Operation::kUpdate, core::Operation::kDelete,
    core::Operation::kTruncate, core::Operation::kRead,   core::Operation::kMessage,
};

std::string LowerName(core::Operation operation) {
    std::string name(core::OperationName(operation));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return static_cast<char>(c - 'A' + 'a'); });
    return name;
}

template <typename Number>
void AppendHex(std::string& out, Number number) {
    constexpr char kHex[] = "0123456789ABCDEF";
    for (int shift = static_cast<int>(sizeof(number)) * 8 - 4; shift >= 0; shift -= 4) {
        out.push_back(kHex[number >> shift & 15]);
    }
}

// What one version of a relation contributes, made once.
struct Plan {
    RowPlan row;
    std::string subject;
    std::array<std::string, std::size(kOperations)> types;

    [[nodiscard]] const std::string& Type(core::Operation operation) const {
        const auto* const found =
            std::find(std::begin(kOperations), std::end(kOperations), operation);
        return types[static_cast<std::size_t>(found - std::begin(kOperations))];
    }
};

// The attributes of one event, in the order in which they are written.
enum Attribute : std::size_t {
    kId,
    kSource,
    kType,
    kSubject,
    kTime,
    kSequence,
    kPartitionKey,
    kTraceparent,
    kCorrelationId,
    kActor,
    kAttributes,
};
constexpr std::string_view kNames[kAttributes] = {
    "ce_id",       "ce_source",       "ce_type",        "ce_subject",       "ce_time",
    "ce_sequence", "ce_partitionkey", "ce_traceparent", "ce_correlationid", "ce_actor",
};

class CloudEventsEncoder final : public Encoder {
  public:
    CloudEventsEncoder(const CloudEventsOptions& options, const core::Source& source)
        : options_(options), source_(source) {
        const std::string system = std::to_string(source.system_identifier);
        const std::string database = core::PercentEncoded(source.database);
        const std::string stream = core::PercentEncoded(source.stream);
        const Placeholder values[] = {
            {"{system}", system}, {"{database}", database}, {"{stream}", stream}};
        source_uri_ = ExpandTemplate(options.source, values);
        message_plan_ = MakeTypes("", "");
    }

    core::Status Encode(const core::Change& change, MessageHandler& handler) override;

  private:
    [[nodiscard]] Plan MakeTypes(std::string_view schema, std::string_view table) const;
    [[nodiscard]] Plan MakePlan(const core::RelationSchema& relation) const;
    void Describe(const Plan& plan, const core::Change& change);
    void WriteEvent(const Plan& plan, const core::Change& change);
    void WriteData(JsonWriter& out, const Plan& plan, const core::Change& change) const;
    void ListHeaders();

    CloudEventsOptions options_;
    core::Source source_;
    std::string source_uri_;
    RelationCache<Plan> plans_;
    Plan message_plan_;  // logical messages

    JsonWriter key_;
    JsonWriter value_;
    JsonWriter time_;
    std::string id_;
    std::string sequence_;
    std::array<std::string_view, kAttributes> attributes_;  // empty: unknown
    std::vector<MessageHeader> headers_;
};

Plan CloudEventsEncoder::MakeTypes(std::string_view schema, std::string_view table) const {
    Plan plan;
    for (std::size_t i = 0; i < plan.types.size(); ++i) {
        const std::string operation = LowerName(kOperations[i]);
        const Placeholder values[] = {{"{database}", source_.database},
                                      {"{stream}", source_.stream},
                                      {"{schema}", schema},
                                      {"{table}", table},
                                      {"{operation}", operation}};
        plan.types[i] = ExpandTemplate(options_.type, values);
    }
    return plan;
}

Plan CloudEventsEncoder::MakePlan(const core::RelationSchema& relation) const {
    Plan plan = MakeTypes(relation.schema, relation.name);
    plan.row = MakeRowPlan(relation);
    plan.subject = relation.schema + "." + relation.name;
    return plan;
}

core::Status CloudEventsEncoder::Encode(const core::Change& change, MessageHandler& handler) {
    const bool logical = change.operation == core::Operation::kMessage;
    const Plan& plan =
        logical ? message_plan_ : plans_.Get(*change.relation, [this](const auto& relation) {
            return MakePlan(relation);
        });
    if (!plan.row.names_valid) {
        return InvalidEncoding(change);
    }
    Message message;
    message.part = change.identity.part;
    key_.Clear();
    value_.Clear();
    const core::Tuple row = change.after.empty() ? change.before : change.after;
    if (!plan.row.key.empty() && !row.empty()) {
        WriteColumns(key_, plan.row, plan.row.key, row);
        message.has_key = true;
        message.key = key_.view();
    }
    Describe(plan, change);
    if (options_.binary) {
        WriteData(value_, plan, change);
    } else {
        WriteEvent(plan, change);
    }
    ListHeaders();
    // Inside the JSON the writer looks.
    const bool text =
        !options_.binary || std::all_of(attributes_.begin(), attributes_.end(), IsUtf8);
    if (!text || value_.invalid_utf8() || key_.invalid_utf8()) {
        return InvalidEncoding(change);
    }
    message.value = value_.view();
    message.headers = headers_;
    return handler.OnMessage(message);
}

void CloudEventsEncoder::Describe(const Plan& plan, const core::Change& change) {
    const core::Identity& identity = change.identity;
    id_.clear();
    core::AppendUuid(id_, core::MakeEventId(identity));
    sequence_.clear();
    AppendHex(sequence_, static_cast<std::uint32_t>(
                             identity.source == nullptr ? source_.epoch : identity.source->epoch));
    sequence_.push_back('-');
    AppendHex(sequence_, identity.commit_lsn.value);
    sequence_.push_back('-');
    AppendHex(sequence_, identity.ordinal);
    sequence_.push_back('-');
    AppendHex(sequence_, identity.part);
    time_.Clear();
    if (change.commit_time_us != 0) {  // a non-transactional message has no commit
        time_.UtcTime(change.commit_time_us);
    }
    attributes_ = {};
    attributes_[kId] = id_;
    attributes_[kSource] = source_uri_;
    attributes_[kType] = plan.Type(change.operation);
    attributes_[kSubject] =
        change.operation == core::Operation::kMessage ? change.prefix : plan.subject;
    attributes_[kTime] = time_.view();
    attributes_[kSequence] = sequence_;
    attributes_[kPartitionKey] = key_.view();
    if (change.context != nullptr) {
        attributes_[kTraceparent] = change.context->traceparent;
        attributes_[kCorrelationId] = change.context->correlation_id;
        attributes_[kActor] = change.context->actor;
    }
}

void CloudEventsEncoder::WriteEvent(const Plan& plan, const core::Change& change) {
    value_.Raw("{\"specversion\":\"1.0\"");
    for (std::size_t i = 0; i < kAttributes; ++i) {
        if (!attributes_[i].empty()) {
            value_.Raw(",\"");
            value_.Raw(kNames[i].substr(3));
            value_.Raw("\":");
            value_.String(attributes_[i]);
        }
    }
    value_.Raw(",\"datacontenttype\":\"application/json\",\"data\":");
    WriteData(value_, plan, change);
    value_.Raw('}');
}

void CloudEventsEncoder::WriteData(JsonWriter& out, const Plan& plan,
                                   const core::Change& change) const {
    if (change.operation == core::Operation::kMessage) {
        WriteLogicalMessage(out, change);
        return;
    }
    const auto before = [&]() {
        change.before.empty() ? out.Null() : WriteBefore(out, plan.row, change);
    };
    if (options_.data == CloudEventsData::kRow) {
        change.after.empty() ? before() : (void)WriteRow(out, plan.row, change.after);
        return;
    }
    out.Raw("{\"before\":");
    before();
    out.Raw(",\"after\":");
    if (change.after.empty()) {
        out.Null();
    } else if (!WriteRow(out, plan.row, change.after)) {
        out.Raw(",\"unchanged\":");
        WriteUnchanged(out, plan.row, change.after);
    }
    out.Raw('}');
}

void CloudEventsEncoder::ListHeaders() {
    headers_.clear();
    if (!options_.binary) {
        headers_.push_back({"content-type", "application/cloudevents+json"});
        return;
    }
    headers_.push_back({"content-type", "application/json"});
    headers_.push_back({"ce_specversion", "1.0"});
    for (std::size_t i = 0; i < kAttributes; ++i) {
        if (!attributes_[i].empty()) {
            headers_.push_back({kNames[i], attributes_[i]});
        }
    }
}

}  // namespace

std::unique_ptr<Encoder> MakeCloudEventsEncoder(const CloudEventsOptions& options,
                                                const core::Source& source) {
    return std::make_unique<CloudEventsEncoder>(options, source);
}

}  // namespace bitvelocity::format::cloudevents
