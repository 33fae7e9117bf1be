#include "format/flat.hpp"

#include "format/json_writer.hpp"
#include "format/row_plan.hpp"
#include "format/utf8.hpp"

namespace bitvelocity::format {

namespace {

class FlatEncoder final : public Encoder {
  public:
    explicit FlatEncoder(const FlatOptions& options) : options_(options) {}

    core::Status Encode(const core::Change& change, MessageHandler& handler) override;

  private:
    // A tombstone under the key that the old row had.
    core::Status Bury(const RowPlan& plan, const core::Change& change, MessageHandler& handler);

    FlatOptions options_;
    RelationCache<RowPlan> plans_;
    JsonWriter key_;
    JsonWriter value_;
};

core::Status FlatEncoder::Encode(const core::Change& change, MessageHandler& handler) {
    if (change.operation == core::Operation::kMessage ||
        change.operation == core::Operation::kTruncate) {
        return core::Status::Ok();
    }
    const RowPlan& plan = plans_.Get(*change.relation, MakeRowPlan);
    if (!plan.names_valid) {
        return InvalidEncoding(change);
    }
    if (change.operation == core::Operation::kDelete) {
        return options_.tombstones ? Bury(plan, change, handler) : core::Status::Ok();
    }
    key_.Clear();
    value_.Clear();
    WriteRow(value_, plan, change.after);
    if (value_.invalid_utf8()) {
        return InvalidEncoding(change);
    }
    Message message;
    message.part = change.identity.part;
    if (options_.tombstones && KeyChanged(plan.key, change)) {
        BV_RETURN_IF_ERROR(Bury(plan, change, handler));
        ++message.part;
        key_.Clear();
    }
    if (!plan.key.empty()) {
        WriteColumns(key_, plan, plan.key, change.after);
        message.has_key = true;
        message.key = key_.view();
    }
    message.value = value_.view();
    return handler.OnMessage(message);
}

core::Status FlatEncoder::Bury(const RowPlan& plan, const core::Change& change,
                               MessageHandler& handler) {
    if (plan.key.empty()) {
        return core::Status::Fail(
            core::kFeatureNotSupported, "format \"flat\" cannot express a delete without a key",
            "Table \"" + change.relation->schema + "\".\"" + change.relation->name +
                "\" has neither a primary key nor a replica identity index.",
            "Add a primary key, or use format \"event\".");
    }
    key_.Clear();
    WriteColumns(key_, plan, plan.key, change.before);
    if (key_.invalid_utf8()) {
        return InvalidEncoding(change);
    }
    Message message;
    message.part = change.identity.part;
    message.has_key = true;
    message.key = key_.view();
    message.has_value = false;
    return handler.OnMessage(message);
}

}  // namespace

std::unique_ptr<Encoder> MakeFlatEncoder(const FlatOptions& options) {
    return std::make_unique<FlatEncoder>(options);
}

}  // namespace bitvelocity::format
