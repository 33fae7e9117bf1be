#include "pipeline/transaction_group.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace bitvelocity::pipeline {

namespace {

using nlohmann::json;

core::Status Unreadable(const std::string& record) {
    return core::Status::Fail(
        core::kObjectNotInPrerequisiteState, "the stream's progress record is not readable",
        record.substr(0, 200),
        "Somebody else has written into the progress topic. Choose another one with the option "
        "progress_topic.");
}

}  // namespace

TransactionGroup::TransactionGroup(const TransactionOptions& options, std::int32_t epoch,
                                   std::uint32_t timeline, core::Lsn start)
    : options_(options), epoch_(epoch), timeline_(timeline), reached_(start), committed_(start) {}

core::Status TransactionGroup::Restore(const std::string& record) {
    if (record.empty()) {
        return core::Status::Ok();
    }
    const json object = json::parse(record, nullptr, false);
    if (!object.is_object() || !object.contains("epoch") || !object["epoch"].is_number_integer() ||
        !object.contains("timeline") || !object["timeline"].is_number_integer()) {
        return Unreadable(record);
    }
    const auto lsn = [&](const char* name) {
        const auto found = object.find(name);
        return found != object.end() && found->is_string()
                   ? core::ParseLsn(found->get_ref<const std::string&>()).value_or(core::Lsn{})
                   : core::Lsn{};
    };
    const auto epoch = object["epoch"].get<std::int64_t>();
    if (epoch > epoch_) {
        return core::Status::Fail(
            core::kObjectNotInPrerequisiteState, "the topics hold a later epoch of this stream",
            "Epoch " + std::to_string(epoch) + " was published, this server is at epoch " +
                std::to_string(epoch_) + ".",
            "The server was put back to an earlier state. Run resync_stream.");
    }
    if (epoch != epoch_ || object["timeline"].get<std::uint64_t>() != timeline_) {
        return core::Status::Ok();
    }
    resume_ = lsn("lsn");
    if (!resume_.valid()) {
        return Unreadable(record);
    }
    reached_ = std::max(reached_, resume_);
    committed_ = std::max(committed_, resume_);
    if (object.contains("commit_lsn")) {
        sent_.commit_lsn = lsn("commit_lsn");
        sent_.ordinal = object.value("ordinal", std::uint64_t{0});
        sent_.part = object.value("part", std::uint32_t{0});
    }
    return core::Status::Ok();
}

// Rows that existed before have no position that lasts: a copy that is repeated is sent again.
bool TransactionGroup::Has(const core::Change& change) const {
    const core::Identity& identity = change.identity;
    return sent_.commit_lsn.valid() && identity.commit_lsn == sent_.commit_lsn &&
           change.operation != core::Operation::kRead &&
           (identity.ordinal < sent_.ordinal ||
            (identity.ordinal == sent_.ordinal && identity.part <= sent_.part));
}

void TransactionGroup::Wrote(const core::Change& change) {
    if (messages_++ == 0) {
        began_ = Clock::now();
    }
    inside_ = true;
    last_ = change.operation == core::Operation::kRead
                ? Place{}
                : Place{change.identity.commit_lsn, change.identity.ordinal, change.identity.part};
}

void TransactionGroup::Reached(core::Lsn lsn) {
    inside_ = false;
    reached_ = std::max(reached_, lsn);
    if (messages_ == 0) {
        committed_ = reached_;
    }
}

bool TransactionGroup::Due(bool idle) const {
    return messages_ > 0 &&
           (idle || messages_ >= options_.rows ||
            Clock::now() - began_ >= std::chrono::milliseconds(options_.milliseconds));
}

bool TransactionGroup::Overdue() const {
    constexpr std::uint64_t kLookEvery = 256;
    return messages_ % kLookEvery == 0 && messages_ > 0 &&
           Clock::now() - began_ >= std::chrono::milliseconds(options_.timeout_ms / 4);
}

std::string TransactionGroup::Record() const {
    json record{{"epoch", epoch_}, {"timeline", timeline_}, {"lsn", core::ToString(reached_)}};
    if (inside_ && last_.commit_lsn.valid()) {
        record["commit_lsn"] = core::ToString(last_.commit_lsn);
        record["ordinal"] = last_.ordinal;
        record["part"] = last_.part;
    }
    return record.dump();
}

void TransactionGroup::Committed() {
    messages_ = 0;
    committed_ = reached_;
}

}  // namespace bitvelocity::pipeline
