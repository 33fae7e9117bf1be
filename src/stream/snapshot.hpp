// Snapshots: the rows that exist as `r` events, chunk by chunk, while the stream runs.
//
// A chunk is read in a short transaction; then a watermark that carries its snapshot goes into the
// WAL, is flushed, and comes back in the decoded stream, behind everything that the snapshot sees.
// There the rows that are still the newest (model::ChunkWindow) go into the sink, as one
// transaction of their own at the watermark's position, and what is done is saved: with a bronze
// sink in the same transaction as the rows, with a broker once they are acknowledged. A process
// that starts goes on behind the last chunk that was saved.
//
// Before the first chunk all transactions that run must have ended: what they did may have been
// delivered before anybody looked, or been dropped unread because the table was not published yet.
// The stream goes on meanwhile. One for the life of a deliverer, main thread; throws.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/pipeline.hpp"
#include "sink/sink.hpp"
#include "stream/bronze_sink.hpp"
#include "stream/chunk_reader.hpp"
#include "stream/definition.hpp"
#include "stream/model/chunk_window.hpp"
#include "stream/shared.hpp"
#include "stream/snapshot_request.hpp"
#include "wal/parser.hpp"

namespace bitvelocity::stream {

class Snapshots final : public pipeline::Watcher {
  public:
    // `bronze`: the sink itself where it is an embedded one, else null. `chunk_rows`: at most so
    // many in one.
    Snapshots(const Definition& definition, Entry* entry, const core::Source& source,
              pipeline::Pipeline& pipeline, sink::Sink& sink, BronzeSink* bronze,
              std::uint64_t chunk_rows);
    ~Snapshots() override;
    Snapshots(const Snapshots&) = delete;
    Snapshots& operator=(const Snapshots&) = delete;

    // There are rows to read, or some that were written are not yet saved.
    [[nodiscard]] bool busy() const { return !requests_.empty() || !unsaved_.empty(); }
    // Between batches of the stream, outside a source transaction: reads the next chunk when it is
    // time. Returns for how long nothing is to be done here, in milliseconds; 0: call again at
    // once; -1: until the stream moves.
    std::int64_t Step();
    // What is durable in the sink by now is done.
    void Save();

    void OnChange(const core::Change& change) override;
    core::Status OnWatermark(core::Lsn lsn, std::string_view content) override;

  private:
    struct Flight {
        Chunk chunk;
        std::string mark;
        bool again = false;
    };
    struct Unsaved {
        core::Lsn lsn;
        SnapshotRequest request;
        bool finished = false;
    };
    // The rows of a chunk come out of a parser of their own.
    class RowHandler final : public wal::Handler {
      public:
        explicit RowHandler(Snapshots& owner) : owner_(owner) {}
        core::Status OnBegin(const core::Transaction&) override { return core::Status::Ok(); }
        core::Status OnCommit(const core::Transaction&) override { return core::Status::Ok(); }
        core::Status OnProgress(core::Lsn) override { return core::Status::Ok(); }
        core::Status OnChange(const core::Change& row) override { return owner_.WriteRow(row); }

      private:
        Snapshots& owner_;
    };

    [[nodiscard]] bool Started();
    [[nodiscard]] bool Throttled();
    ReadOutcome ReadChunk(Flight& flight);
    core::Status WriteRow(const core::Change& row);
    core::Status WriteChunk(core::Lsn lsn);
    void Finished(core::Lsn lsn, bool last);
    void Leave();
    void Publish();

    const Definition& definition_;
    Entry* entry_;
    core::Source source_;
    pipeline::Pipeline& pipeline_;
    sink::Sink& sink_;
    BronzeSink* bronze_;
    ChunkReader reader_;
    RowHandler handler_;
    wal::Parser parser_;

    std::deque<SnapshotRequest> requests_;  // the first one is being read
    std::map<core::Oid, model::ChunkWindow> windows_;
    std::map<core::Oid, model::RowKeys> keys_;  // of tables of which a chunk was read
    std::optional<std::uint32_t> horizon_;      // transactions before it must have ended
    bool started_ = false;
    std::uint64_t chunks_ = 0;
    std::string nonce_;  // tells marks of this process from those of an earlier one
    std::optional<Flight> flight_;
    std::vector<std::string> again_;  // keys of the request's last chunk that have to be read again
    bool again_read_ = false;         // it is they that are being written
    std::int64_t again_after_us_ = 0;  // of worker::Now(): not before
    bool last_ = false;                // that chunk was the last
    core::Lsn written_;                // end of what was written last
    std::string described_;            // what the parser was told last
    core::Identity identity_;          // of the row written last
    std::int64_t read_time_us_ = 0;
    std::deque<Unsaved> unsaved_;
    std::uint64_t rows_before_ = 0;  // of requests that this process finished
    std::uint64_t rate_rows_ = 0;
    std::int64_t rate_since_us_ = 0;
    bool throttled_ = false;  // at the last look
};

}  // namespace bitvelocity::stream
