#include <map>

#include "stream/model/copied_snapshot.hpp"
#include "stream/snapshot.hpp"

namespace bitvelocity::stream {

namespace {

struct Copy {
    model::CopiedSnapshot snapshot;
    core::Lsn until;
};

class CopyFilter final : public sink::Sink {
  public:
    CopyFilter(std::map<core::Oid, Copy> copies, sink::Sink& sink)
        : copies_(std::move(copies)), sink_(sink) {}

    core::Result<core::Lsn> ResumePosition() override { return sink_.ResumePosition(); }
    core::Status Begin(const core::Transaction& transaction) override {
        transaction_ = transaction;
        return sink_.Begin(transaction);
    }
    core::Status Write(const core::Change& change) override {
        if (change.relation != nullptr && change.operation != core::Operation::kRead) {
            const auto found = copies_.find(change.relation->oid);
            if (found != copies_.end() && transaction_.commit_lsn < found->second.until &&
                found->second.snapshot.Sees(transaction_.xid)) {
                return core::Status::Ok();
            }
        }
        return sink_.Write(change);
    }
    core::Status Commit(const core::Transaction& transaction) override {
        return sink_.Commit(transaction);
    }
    core::Status Progress(core::Lsn lsn) override { return sink_.Progress(lsn); }
    core::Status Boundary(bool idle) override { return sink_.Boundary(idle); }
    core::Status Poll() override { return sink_.Poll(); }
    [[nodiscard]] core::Lsn DurablePosition() const override { return sink_.DurablePosition(); }
    [[nodiscard]] bool settled() const override { return sink_.settled(); }
    [[nodiscard]] int wake_fd() const override { return sink_.wake_fd(); }
    core::Status Drain(std::int64_t deadline_ms) override { return sink_.Drain(deadline_ms); }
    [[nodiscard]] sink::Health health() const override { return sink_.health(); }

  private:
    std::map<core::Oid, Copy> copies_;
    sink::Sink& sink_;
    core::Transaction transaction_;
};

}  // namespace

std::unique_ptr<sink::Sink> MakeCopyFilter(const Definition& definition, core::Lsn resume,
                                           sink::Sink& sink) {
    std::map<core::Oid, Copy> copies;
    for (const StreamTable& table : definition.tables) {
        if (table.copied_until <= resume) {
            continue;
        }
        auto snapshot = model::CopiedSnapshot::Parse(table.copied_snapshot);
        if (snapshot) {
            copies[table.relation] = Copy{std::move(*snapshot), table.copied_until};
        }
    }
    if (copies.empty()) {
        return nullptr;
    }
    return std::make_unique<CopyFilter>(std::move(copies), sink);
}

}  // namespace bitvelocity::stream
