// Snapshots: the rows that exist as `r` events, chunk by chunk, while the stream runs.
//
// A chunk is read in a short transaction; then a watermark that carries its snapshot goes into the
// WAL, is flushed, and comes back in the decoded stream, behind everything that the snapshot sees.
// There the rows that are still the newest (model::ChunkWindow) go into the sink, as one
// transaction of their own at the watermark's position, and what is done is saved: with a bronze
// sink in the same transaction as the rows, with a broker once they are acknowledged. A process
// that starts goes on behind the last chunk that was saved.
//
// The deliverer reads a chunk itself when none is on its way; or readers do (option
// snapshot.readers), of several tables at once and of each one chunk ahead. The watermark is
// written when a chunk has arrived, so behind what it sees either way.
//
// Before the first chunk all transactions that run must have ended: what they did may have been
// delivered before anybody looked, or been dropped unread because the table was not published yet.
// The stream goes on meanwhile. One for the life of a deliverer, main thread; throws.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipeline/pipeline.hpp"
#include "pipeline/snapshot_options.hpp"
#include "sink/sink.hpp"
#include "stream/bronze_sink.hpp"
#include "stream/chunk_reader.hpp"
#include "stream/definition.hpp"
#include "stream/model/chunk.hpp"
#include "stream/model/watched_tables.hpp"
#include "stream/readers.hpp"
#include "stream/shared.hpp"
#include "stream/snapshot_request.hpp"
#include "wal/parser.hpp"

namespace bitvelocity::stream {

class Snapshots final : public pipeline::Watcher {
  public:
    // `bronze`: the sink itself where it is an embedded one, else null.
    Snapshots(const Definition& definition, Entry* entry, const core::Source& source,
              pipeline::Pipeline& pipeline, sink::Sink& sink, BronzeSink* bronze,
              const pipeline::SnapshotOptions& options);
    ~Snapshots() override;
    Snapshots(const Snapshots&) = delete;
    Snapshots& operator=(const Snapshots&) = delete;

    // There are rows to read, or some that were written are not yet saved.
    [[nodiscard]] bool busy() const { return !readings_.empty() || !unsaved_.empty(); }
    // Between batches of the stream, outside a source transaction: reads the next chunk when it is
    // time, or has it read. Returns for how long nothing is to be done here, in milliseconds; 0:
    // call again at once; -1: until the stream moves.
    std::int64_t Step();
    // What is durable in the sink by now is done.
    void Save();

    void OnChange(const core::Change& change) override {
        if (auto moved = tables_.OnChange(change)) [[unlikely]] {
            NoteMoved(change.relation->oid, *moved);
        }
    }
    core::Status OnWatermark(core::Lsn lsn, std::string_view content) override;

  private:
    // A request and where it is. Its chunks settle in the order in which they were read.
    struct Reading {
        SnapshotRequest request;         // its place: behind what is written
        model::Place place;              // behind what is read
        bool read_up = false;            // there is nothing behind it
        bool written_up = false;         // and all of that is written
        std::uint64_t order = 0;         // that is being read; 0: none
        std::size_t flights = 0;         // chunks that are read and wait for their watermark
        std::vector<std::string> again;  // keys that have to be read again
        std::size_t noted = 0;           // of them, and of those to come, how many are saved
        std::int64_t not_before_us = 0;  // of worker::Now()
    };
    struct Flight {
        Reading* reading = nullptr;
        model::Chunk chunk;
        std::string mark;
        bool again = false;
        std::int64_t read_time_us = 0;
    };
    struct Unsaved {
        core::Lsn lsn;
        SnapshotRequest request;
        std::size_t moved = 0;  // keys that are done with it
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

    void NoteMoved(core::Oid relation, const std::string& key);
    [[nodiscard]] bool Started();
    void NoteThrottle();
    std::int64_t ReadAlone();
    std::int64_t HaveThemRead();
    void ReportFewReaders();
    [[nodiscard]] bool MayOrder(const Reading& reading, std::int64_t now_us) const;
    model::ChunkOrder Order(Reading& reading);
    model::ChunkAnswer Read(const model::ChunkOrder& order);
    // What came of an order.
    void Take(model::ChunkAnswer answer);
    void Arrived(Reading& reading, model::ChunkAnswer& answer);
    void Failed(Reading& reading, const core::Error& error);
    void GiveUp(Reading& reading);
    core::Status WriteRow(const core::Change& row);
    core::Status WriteChunk(const Flight& flight, core::Lsn lsn);
    void Finished(core::Lsn lsn, Reading& reading, bool last);
    void Leave(Reading& reading);
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

    std::list<Reading> readings_;  // the oldest request first
    model::WatchedTables tables_;
    std::uint64_t wanted_readers_;
    std::unique_ptr<Readers> readers_;      // null: the deliverer reads itself
    bool reported_ = false;                 // that there are not as many as wanted
    std::optional<std::uint32_t> horizon_;  // transactions before it must have ended
    bool started_ = false;
    std::uint64_t orders_ = 0;
    std::string nonce_;           // tells marks of this process from those of an earlier one
    std::deque<Flight> flights_;  // in the order of their watermarks
    const Flight* writing_ = nullptr;
    std::set<std::string> came_;  // keys of its rows, where they are read again
    core::Lsn written_;           // end of what was written last
    core::Identity identity_;     // of the row written last
    std::deque<Unsaved> unsaved_;
    std::uint64_t rows_before_ = 0;  // of requests that this process finished
    std::uint64_t rate_rows_ = 0;
    std::int64_t rate_since_us_ = 0;
    bool throttled_ = false;  // at the last look
};

}  // namespace bitvelocity::stream
