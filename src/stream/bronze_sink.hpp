// BronzeSink: the embedded default sink. Rows and position are one transaction, so it is exactly
// once.
//
// Whole source transactions are grouped into one bronze transaction, committed at a boundary when
// the queue is empty or kGroupRows are written. The position is the progress of a replication
// origin of the stream; the origin also keeps our own writes out of every stream. Sequence locks of
// all tables are taken in the order of their OIDs before the first row and held to the commit.
// Deliverer, main thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pg/scopes.hpp"
#include "pipeline/letter.hpp"
#include "sink/sink.hpp"
#include "stream/definition.hpp"
#include "trail/bronze_writer.hpp"

namespace bitvelocity::stream {

inline constexpr std::uint64_t kGroupRows = 5000;

class BronzeSink final : public sink::Sink {
  public:
    // Makes the stream's origin where there is none; outside a transaction. `letters`: for rows
    // that a table refuses, as the option on_error says.
    BronzeSink(const Definition& definition, const core::Source& source, sink::Waiter& waiter,
               pipeline::LetterBox& letters);
    ~BronzeSink() override;

    core::Result<core::Lsn> ResumePosition() override { return durable_; }
    core::Status Begin(const core::Transaction& transaction) override;
    core::Status Write(const core::Change& change) override;
    core::Status Commit(const core::Transaction& transaction) override;
    core::Status Progress(core::Lsn lsn) override;
    core::Status Boundary(bool idle) override;
    core::Status Poll() override { return core::Status::Ok(); }
    [[nodiscard]] core::Lsn DurablePosition() const override { return durable_; }
    core::Status Drain(std::int64_t deadline_ms) override;
    // Not reachable: somebody else keeps a bronze table locked.
    [[nodiscard]] sink::Health health() const override;
    core::Status Redeliver(std::span<const core::Change* const> events,
                           std::vector<std::optional<core::Error>>& outcomes) override;

    // Does more in the transaction of what was written last; begins one if none is open.
    core::Status Alongside(const std::function<void()>& work);

  private:
    struct Batch;
    struct TableWriter;

    core::Status OpenBatch();
    core::Status LockTables();
    core::Status LockTable(core::Oid table);
    // A change of a table that the stream does not know: its publication may have got it since.
    core::Status MeetUnknown(const core::RelationSchema& relation);
    void CommitBatch();

    std::int32_t stream_id_;
    bool own_publications_;
    core::Source source_;
    sink::Waiter& waiter_;
    pipeline::LetterBox& letters_;
    pipeline::OnError on_error_;
    std::set<core::Oid> strangers_;
    std::string blocked_;
    std::map<core::Oid, core::Oid> bronze_of_;
    std::vector<core::Oid> bronze_tables_;  // sorted
    std::unique_ptr<Batch> batch_;
    core::Lsn pending_;  // end of the last source transaction in the batch
    core::Lsn durable_;
};

}  // namespace bitvelocity::stream
