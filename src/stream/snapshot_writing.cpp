// Snapshots, the half that writes: from a chunk's watermark to what is saved of it.
#include "core/failpoint.hpp"
#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "wal/frame.hpp"
#include "worker/loop.hpp"
#include "pg/postgres.hpp"

#include "stream/snapshot.hpp"

namespace bitvelocity::stream {

namespace {

// Keys that were read again and are not seen yet may stay so for long.
constexpr std::int64_t kAgainUs = 20'000;

core::Status FeedFrames(wal::Parser& parser, const std::string& frames) {
    wal::FrameReader reader({reinterpret_cast<const std::byte*>(frames.data()), frames.size()});
    wal::Frame frame;
    while (reader.Next(frame)) {
        BV_RETURN_IF_ERROR(parser.ParseFrame(frame));
    }
    return core::Status::Ok();
}

}  // namespace

core::Status Snapshots::OnWatermark(core::Lsn lsn, std::string_view content) {
    const auto found = std::find_if(flights_.begin(), flights_.end(),
                                    [content](const Flight& f) { return f.mark == content; });
    if (found == flights_.end()) {
        return core::Status::Ok();  // given up, or of a process that is gone
    }
    if (tables_[found->reading->request.relation].window.Unusable()) {
        GiveUp(*found->reading);
        return core::Status::Ok();
    }
    const Flight flight = std::move(*found);
    flights_.erase(found);
    writing_ = &flight;
    core::Status status = WriteChunk(flight, lsn);
    writing_ = nullptr;
    return status;
}

core::Status Snapshots::WriteChunk(const Flight& flight, core::Lsn lsn) {
    Reading& reading = *flight.reading;
    SnapshotRequest& request = reading.request;
    model::WatchedTable& table = tables_[request.relation];
    identity_ = {};
    identity_.source = &source_;
    // Inside the watermark's record, which ends where the next commit may begin.
    identity_.commit_lsn = core::Lsn{lsn.value - 1};
    identity_.xid = static_cast<std::uint32_t>(std::strtoull(
        flight.chunk.snapshot.c_str() + flight.chunk.snapshot.find(':') + 1, nullptr, 10));
    if (flight.chunk.description != table.described) {
        BV_RETURN_IF_ERROR(FeedFrames(parser_, flight.chunk.description));
        table.described = flight.chunk.description;
    }
    came_.clear();
    BV_RETURN_IF_ERROR(FeedFrames(parser_, flight.chunk.rows));
    if (flight.again) {
        // A key that is not there any more is done, too, once its change is seen; not so one for
        // which there was no room.
        std::erase_if(reading.again, [&](const std::string& key) {
            return (flight.chunk.last || came_.contains(key)) &&
                   table.window.Judge(key) != model::Verdict::kAgain;
        });
    }
    BV_RETURN_IF_ERROR(pipeline_.EndSnapshot(lsn));
    BV_RETURN_IF_ERROR(core::PassFailpoint(core::Failpoint::deliverer_copied));
    for (std::string& key : table.window.TakeMoved()) {
        reading.again.push_back(std::move(key));
    }
    table.window.Settle();
    --reading.flights;
    request.rows_sent += identity_.ordinal;
    if (!flight.again) {
        request.rows_read += flight.chunk.read;
        request.place = flight.chunk.place;
        reading.written_up = flight.chunk.last;
    }
    written_ = lsn;
    if (reading.again.empty()) {
        Finished(lsn, reading, reading.written_up);
    } else if (flight.again) {
        reading.not_before_us = worker::Now() + kAgainUs;
    }
    Publish();
    return core::Status::Ok();
}

core::Status Snapshots::WriteRow(const core::Change& row) {
    Reading& reading = *writing_->reading;
    model::WatchedTable& table = tables_[reading.request.relation];
    if (const auto key = table.keys.Make(*row.relation, row.after, false)) {
        if (writing_->again) {
            came_.insert(*key);
        }
        switch (table.window.Judge(*key)) {
            case model::Verdict::kCurrent:
                break;
            case model::Verdict::kAgain:
                if (!writing_->again) {
                    reading.again.push_back(*key);
                }
                return core::Status::Ok();
            case model::Verdict::kOld:
                return core::Status::Ok();
        }
    }
    core::Change change = row;
    change.operation = core::Operation::kRead;
    ++identity_.ordinal;
    change.identity = identity_;
    change.lsn = identity_.commit_lsn;
    change.commit_time_us = writing_->read_time_us;
    return pipeline_.WriteSnapshotRow(change);
}

void Snapshots::Finished(core::Lsn lsn, Reading& reading, bool last) {
    const SnapshotRequest& request = reading.request;
    const std::size_t moved = std::exchange(reading.noted, 0);
    if (bronze_ != nullptr) {
        pg::ThrowIfError(bronze_->Alongside(
            [&]() { SaveSnapshotRequest(definition_.stream_id, request, moved, last); }));
        pg::ThrowIfError(core::PassFailpoint(core::Failpoint::deliverer_chunk_saved));
    } else {
        unsaved_.push_back({lsn, request, moved, last});
    }
    if (last) {
        Leave(reading);
    }
}

// The request is not read any more; nothing of it is on its way.
void Snapshots::Leave(Reading& gone) {
    const core::Oid relation = gone.request.relation;
    rows_before_ += gone.request.rows_read;
    readings_.remove_if([&gone](const Reading& reading) { return &reading == &gone; });
    if (std::none_of(readings_.begin(), readings_.end(), [relation](const Reading& reading) {
            return reading.request.relation == relation;
        })) {
        tables_.Remove(relation);
    }
    if (readings_.empty()) {
        pipeline_.Watch(nullptr);
    }
    Publish();
}

void Snapshots::Save() {
    if (unsaved_.empty() || unsaved_.front().lsn > sink_.DurablePosition()) {
        return;
    }
    pg::TransactionScope transaction;
    while (!unsaved_.empty() && unsaved_.front().lsn <= sink_.DurablePosition()) {
        const Unsaved& unsaved = unsaved_.front();
        SaveSnapshotRequest(definition_.stream_id, unsaved.request, unsaved.moved,
                            unsaved.finished);
        unsaved_.pop_front();
    }
    transaction.Commit();
    pg::ThrowIfError(core::PassFailpoint(core::Failpoint::deliverer_chunk_saved));
}

void Snapshots::Publish() {
    std::uint64_t rows = rows_before_;
    std::uint64_t total = rows_before_;
    for (const Reading& reading : readings_) {
        rows += reading.request.rows_read;
        total += std::max(reading.request.estimate, reading.request.rows_read);
    }
    entry_->snapshot_rows.store(rows);
    entry_->snapshot_total.store(total);
    entry_->snapshot_table.store(readings_.empty() ? InvalidOid
                                                   : readings_.front().request.relation);
    const std::int64_t now_us = worker::Now();
    if (now_us - rate_since_us_ >= 1'000'000) {
        entry_->snapshot_rate_x100.store((rows - rate_rows_) * 100'000'000ULL /
                                         static_cast<std::uint64_t>(now_us - rate_since_us_));
        rate_rows_ = rows;
        rate_since_us_ = now_us;
    }
}

}  // namespace bitvelocity::stream
