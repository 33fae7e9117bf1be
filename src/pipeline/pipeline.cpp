#include "pipeline/pipeline.hpp"

#include <utility>

#include "core/failpoint.hpp"
#include "wal/frame.hpp"

namespace bitvelocity::pipeline {

struct Pipeline::Impl final : wal::Handler {
    Impl(wal::ParserOptions options, core::Lsn resume, sink::Sink& sink, Shaper* shaper)
        : resume_(resume), sink_(sink), shaper_(shaper), parser_(std::move(options), *this) {}

    core::Status OnBegin(const core::Transaction& transaction) override;
    core::Status OnChange(const core::Change& change) override;
    core::Status OnCommit(const core::Transaction& transaction) override;
    core::Status OnProgress(core::Lsn lsn) override;
    core::Status OnWatermark(core::Lsn lsn, std::string_view content) override;
    core::Status WriteAlone(const core::Change& message);
    core::Status Write(const core::Change& change);

    // `position` lies in the WAL before the end of what the sink has.
    [[nodiscard]] bool InSink(core::Lsn position) const { return position < resume_; }

    core::Lsn resume_;
    sink::Sink& sink_;
    Shaper* shaper_;
    Watcher* watcher_ = nullptr;
    Statistics statistics_;
    core::Transaction snapshot_;
    std::uint64_t rows_at_begin_ = 0;
    bool in_transaction_ = false;
    bool in_snapshot_ = false;
    bool skipping_ = false;
    wal::Parser parser_;
};

// Resume positions are ends of transactions, so a commit record before one is wholly in the sink.
core::Status Pipeline::Impl::OnBegin(const core::Transaction& transaction) {
    in_transaction_ = true;
    skipping_ = InSink(transaction.commit_lsn);
    rows_at_begin_ = statistics_.rows;
    return skipping_ ? core::Status::Ok() : sink_.Begin(transaction);
}

core::Status Pipeline::Impl::OnChange(const core::Change& change) {
    if (!in_transaction_) {
        return WriteAlone(change);
    }
    if (skipping_) {
        return core::Status::Ok();
    }
    ++statistics_.rows;
    if (watcher_ != nullptr) [[unlikely]] {
        watcher_->OnChange(change);
    }
    return Write(change);
}

core::Status Pipeline::Impl::Write(const core::Change& change) {
    if (shaper_ == nullptr) {
        return sink_.Write(change);
    }
    const core::Change* shaped = nullptr;
    BV_RETURN_IF_ERROR(shaper_->Shape(change, shaped));
    return sink_.Write(*shaped);
}

core::Status Pipeline::Impl::OnCommit(const core::Transaction& transaction) {
    in_transaction_ = false;
    statistics_.last_commit = transaction.end_lsn;
    statistics_.last_commit_time_us = transaction.commit_time_us;
    if (std::exchange(skipping_, false)) {
        ++statistics_.skipped;
        return core::Status::Ok();
    }
    statistics_.transactions += statistics_.rows != rows_at_begin_ ? 1 : 0;
    return sink_.Commit(transaction);
}

core::Status Pipeline::Impl::OnProgress(core::Lsn lsn) {
    return InSink(lsn) ? core::Status::Ok() : sink_.Progress(lsn);
}

core::Status Pipeline::Impl::OnWatermark(core::Lsn lsn, std::string_view content) {
    return watcher_ == nullptr || lsn <= resume_ ? core::Status::Ok()
                                                 : watcher_->OnWatermark(lsn, content);
}

// A non-transactional message is a transaction of its own. Its position is the end of its record,
// where the next record begins: that may be a commit, which must not be taken for a part of it.
core::Status Pipeline::Impl::WriteAlone(const core::Change& message) {
    if (message.lsn <= resume_) {
        return core::Status::Ok();
    }
    core::Transaction transaction;
    transaction.commit_lsn = message.lsn;
    transaction.commit_time_us = message.commit_time_us;
    BV_RETURN_IF_ERROR(sink_.Begin(transaction));
    ++statistics_.rows;
    BV_RETURN_IF_ERROR(Write(message));
    ++statistics_.transactions;
    transaction.end_lsn = message.lsn;
    statistics_.last_commit = transaction.end_lsn;
    return sink_.Commit(transaction);
}

Pipeline::Pipeline(wal::ParserOptions options, core::Lsn resume, sink::Sink& sink, Shaper* shaper)
    : impl_(std::make_unique<Impl>(std::move(options), resume, sink, shaper)) {}

Pipeline::~Pipeline() = default;

void Pipeline::Watch(Watcher* watcher) {
    impl_->watcher_ = watcher;
}

core::Status Pipeline::Feed(std::span<const std::byte> batch) {
    if (impl_->in_snapshot_) {
        return core::Status::Fail(core::kInternalError,
                                  "changes were delivered before the snapshot's end");
    }
    wal::FrameReader reader(batch);
    wal::Frame frame;
    while (reader.Next(frame)) {
        BV_RETURN_IF_ERROR(impl_->parser_.ParseFrame(frame));
    }
    if (reader.broken()) {
        return core::Status::Fail(core::kProtocolViolation, "a batch of changes is cut off");
    }
    return core::Status::Ok();
}

core::Status Pipeline::Boundary(bool idle) {
    return in_transaction() ? impl_->sink_.Poll() : impl_->sink_.Boundary(idle);
}

core::Status Pipeline::WriteSnapshotRow(const core::Change& change) {
    if (!impl_->in_snapshot_) {
        if (impl_->in_transaction_) {
            return core::Status::Fail(core::kInternalError,
                                      "a snapshot cannot begin inside a transaction");
        }
        // Without an id: it is no transaction of the source.
        impl_->snapshot_ = {};
        impl_->snapshot_.commit_lsn = change.identity.commit_lsn;
        impl_->snapshot_.commit_time_us = change.commit_time_us;
        BV_RETURN_IF_ERROR(impl_->sink_.Begin(impl_->snapshot_));
        impl_->in_snapshot_ = true;
    }
    ++impl_->statistics_.rows;
    BV_RETURN_IF_ERROR(core::PassFailpoint(core::Failpoint::deliverer_row_copied));
    return impl_->Write(change);
}

core::Status Pipeline::EndSnapshot(core::Lsn position) {
    if (!std::exchange(impl_->in_snapshot_, false)) {
        return impl_->sink_.Progress(position);
    }
    impl_->snapshot_.end_lsn = position;
    ++impl_->statistics_.transactions;
    return impl_->sink_.Commit(impl_->snapshot_);
}

bool Pipeline::in_transaction() const {
    return impl_->in_transaction_ || impl_->in_snapshot_;
}

const Statistics& Pipeline::statistics() const {
    return impl_->statistics_;
}

std::uint64_t Pipeline::transaction_rows() const {
    return impl_->in_transaction_ ? impl_->statistics_.rows - impl_->rows_at_begin_ : 0;
}

}  // namespace bitvelocity::pipeline
